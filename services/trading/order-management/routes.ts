import type { OrderData } from '@maru/contracts'
import { tradingEndpoints } from '@maru/contracts/http/trading'
import { Problem, type HttpService, type Identity } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import type { History } from '../history/history.ts'
import type { Replica } from '../replica/replica.ts'
import { parseId } from '../wire/order-id.ts'
import type { OrderEntry } from './order-entry.ts'
import { historyWaitMs, type Orders } from './orders.ts'
import { badField } from './order-request.ts'
import { listRecent } from './recent-listing.ts'

interface Parts {
  http: HttpService
  replica: Replica
  accounts: Accounts
  orders: Orders
  entry: OrderEntry
  history: History
}

export function serveOrderManagement({ http, replica, accounts, orders, entry, history }: Parts): void {
  const { exchange } = replica

  http.serve(tradingEndpoints.placeOrder, async ({ body, identity, reply, deadlineMs }) => {
    const found = body.user_id === undefined ? accounts.own(identity) : accounts.of(body.user_id, identity)
    // Nearly always it is there: an order is not made to wait for its turn then.
    const account = typeof found === 'number' ? found : await found
    const { order, isReplayed } = await entry.place(account, body, deadlineMs)
    if (isReplayed) reply.header('idempotent-replayed', 'true')
    return order
  })

  /** The caller's order, or anyone's for an operator; others see that it does not exist. */
  async function visible(id: string, identity: Identity): Promise<OrderData> {
    const number = parseId(id)
    const { userId, isOperator } = identity
    const find = (wanted: number): Promise<OrderData | undefined> =>
      isOperator ? orders.ofAnyone(userId, wanted) : orders.ofUser(userId, wanted)
    const order = number === undefined ? undefined : await find(number)
    if (!order || (order.user_id !== userId && !isOperator)) throw new Problem('order_not_found')
    return order
  }

  http.serve(tradingEndpoints.order, ({ params, identity }) => visible(params.id, identity))

  async function list(userId: string, query: ListQuery): Promise<{ items: OrderData[]; next_cursor: string | null }> {
    const account = exchange.accountOf(userId)
    const limit = query.limit ?? 50
    const { status, symbol, cursor, offset } = query
    if (cursor !== undefined && parseId(cursor) === undefined) throw badField('cursor', 'must be the next_cursor of a page')
    const filter = { status, symbol, limit, cursor, offset }
    let items = account < 0 ? undefined : listRecent(replica, account, filter)
    if (!items) {
      if (account >= 0) await history.reached(userId, exchange.accountSequence(account), historyWaitMs)
      items = (await history.orders(userId, filter)).map((order) => orders.asNow(order))
    }
    return { items, next_cursor: items.length === limit ? items.at(-1)!.id : null }
  }

  http.serve(tradingEndpoints.orders, async ({ query, identity }) => {
    const account = await accounts.own(identity)
    if (query.client_order_id === undefined) return list(identity.userId, query)
    const order = await orders.byClientOrderId(identity.userId, account, query.client_order_id)
    return { items: order ? [order] : [], next_cursor: null }
  })

  http.serve(tradingEndpoints.userOrders, async ({ params, query, identity }) => {
    await accounts.of(params.user_id, identity)
    return list(params.user_id, query)
  })

  async function cancel(id: string, identity: Identity, deadlineMs: number | undefined): Promise<OrderData> {
    const order = await visible(id, identity)
    return entry.cancel(exchange.accountOf(order.user_id), id, deadlineMs)
  }

  http.serve(tradingEndpoints.cancelOrder, ({ params, identity, deadlineMs }) => cancel(params.id, identity, deadlineMs))

  http.serve(tradingEndpoints.amendOrder, async ({ params, body, identity, deadlineMs }) => {
    const order = await visible(params.id, identity)
    return entry.amend(exchange.accountOf(order.user_id), params.id, body, deadlineMs)
  })

  http.serve(tradingEndpoints.replaceOrder, async ({ params, body, identity, reply, deadlineMs }) => {
    const replaced = await visible(params.id, identity)
    const { order, isReplayed } = await entry.replace(exchange.accountOf(replaced.user_id), params.id, body, deadlineMs)
    if (isReplayed) reply.header('idempotent-replayed', 'true')
    return order
  })

  http.serve(tradingEndpoints.placeOrderList, async ({ body, identity, reply, deadlineMs }) => {
    const account = body.user_id === undefined ? await accounts.own(identity) : await accounts.of(body.user_id, identity)
    const { list, isReplayed } = await entry.placeList(account, body, deadlineMs)
    if (isReplayed) reply.header('idempotent-replayed', 'true')
    return list
  })

  http.serve(tradingEndpoints.setOrderStatus, async ({ params, body, identity, deadlineMs }) => {
    if (body.status !== 'CANCELLED') {
      await visible(params.id, identity)
      throw new Problem('status_not_settable')
    }
    return cancel(params.id, identity, deadlineMs)
  })

  http.serve(tradingEndpoints.cancelOrders, async ({ query, identity, deadlineMs }) => {
    const account = await accounts.own(identity)
    return { items: await entry.cancelAll(account, query.symbol, deadlineMs), next_cursor: null }
  })
}

interface ListQuery {
  status?: string
  symbol?: string
  limit?: number
  cursor?: string
  offset?: number
}
