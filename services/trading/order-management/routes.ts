import { CommandKind, type FillData, type OrderData } from '@maru/contracts'
import { tradingEndpoints } from '@maru/contracts/http/trading'
import { EventKind, OrderStatus, refusals, type Exchange, type OrderView } from '@maru/domain/exchange'
import { Problem, type HttpService, type Identity } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import type { History } from '../history/history.ts'
import type { Intake } from '../intake/intake.ts'
import { refusalOf } from '../replica/outcome-reader.ts'
import type { Replica } from '../replica/replica.ts'
import { parseId } from '../wire/order-id.ts'
import { orderData } from '../wire/wire.ts'
import type { Orders } from './orders.ts'
import { placementOutcome, placeOrderCommand, refusalProblem } from './placing.ts'

interface Parts {
  http: HttpService
  replica: Replica
  intake: Intake
  accounts: Accounts
  orders: Orders
  history: History
}

/** How long a list waits for the history tables to hold what this replica has already applied. */
const historyWaitMs = 2_000

export function serveOrderManagement({ http, replica, intake, accounts, orders, history }: Parts): void {
  const { exchange } = replica

  http.serve(tradingEndpoints.placeOrder, async ({ body, identity, reply }) => {
    const account = body.user_id === undefined ? await accounts.own(identity) : await accounts.of(body.user_id, identity)
    const outcome = await intake.submit(placeOrderCommand(exchange, account, body), placementOutcome).catch((error: unknown) => {
      throw withClientOrderId(error, body.client_order_id)
    })
    switch (outcome.kind) {
      case 'placed':
        return outcome.order
      case 'rejected':
        throw refusalProblem(outcome.code, outcome.order)
      case 'duplicate': {
        if (outcome.conflict) throw new Problem('client_order_id_reused')
        const order = await orders.byNumber(outcome.order)
        if (!order) throw new Problem('unavailable', 'The order of this client order id cannot be read yet.')
        if (outcome.code !== 0 && order.status === 'REJECTED') throw refusalProblem(outcome.code, order)
        reply.header('idempotent-replayed', 'true')
        return { ...order, fills: await fillsOf(order) }
      }
      default:
        return outcome satisfies never
    }
  })

  /** The fills of an order, once the tables hold all that its filled quantity speaks of; empty where it has none. */
  async function fillsOf(order: OrderData): Promise<FillData[]> {
    if (Number(order.filled_quantity) === 0) return []
    await history.reached(order.user_id, exchange.accountSequence(exchange.accountOf(order.user_id)), historyWaitMs)
    return history.fillsOf(order)
  }

  /** The caller's order, or anyone's for an operator; others see that it does not exist. */
  async function visible(id: string, identity: Identity): Promise<OrderData> {
    const order = await orders.byId(id)
    if (!order || (order.user_id !== identity.userId && !identity.isOperator)) throw new Problem('order_not_found')
    return order
  }

  http.serve(tradingEndpoints.order, ({ params, identity }) => visible(params.id, identity))

  async function list(userId: string, query: ListQuery): Promise<{ items: OrderData[]; next_cursor: string | null }> {
    const account = exchange.accountOf(userId)
    if (account >= 0) await history.reached(userId, exchange.accountSequence(account), historyWaitMs)
    const limit = query.limit ?? 50
    const items = await history.orders(userId, {
      status: query.status,
      symbol: query.symbol,
      limit,
      cursor: query.cursor,
      offset: query.offset,
    })
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

  async function cancel(id: string, identity: Identity): Promise<OrderData> {
    const order = await visible(id, identity)
    const account = exchange.accountOf(order.user_id)
    const number = parseId(id)!
    const outcome = await intake.submit({ kind: CommandKind.cancelOrder, account, order: number }, (applied) => {
      const refusal = refusalOf(applied.outcome)
      const view = applied.order(number)
      return refusal === 0 && view ? orderData(applied, view) : refusal
    })
    if (typeof outcome !== 'number') return outcome
    throw new Problem(
      refusals[outcome]!,
      refusals[outcome] === 'order_not_open' ? `The order is ${(await orders.byId(id))?.status ?? 'final'}.` : undefined,
    )
  }

  http.serve(tradingEndpoints.cancelOrder, ({ params, identity }) => cancel(params.id, identity))

  http.serve(tradingEndpoints.setOrderStatus, async ({ params, body, identity }) => {
    if (body.status !== 'CANCELLED') {
      await visible(params.id, identity)
      throw new Problem('status_not_settable')
    }
    return cancel(params.id, identity)
  })

  http.serve(tradingEndpoints.cancelOrders, async ({ query, identity }) => {
    const account = await accounts.own(identity)
    const symbol = query.symbol === undefined ? -1 : exchange.symbolOf(query.symbol)
    if (query.symbol !== undefined && symbol < 0) throw new Problem('symbol_not_found', `There is no market ${query.symbol}.`)
    const items = await intake.submit({ kind: CommandKind.cancelAll, account, symbol }, cancelled)
    return { items, next_cursor: null }
  })
}

interface ListQuery {
  status?: string
  symbol?: string
  limit?: number
  cursor?: string
  offset?: number
}

function cancelled(exchange: Exchange): OrderData[] {
  const { data, length } = exchange.outcome
  const views: OrderView[] = []
  for (let at = 0; at < length; at += data[at + 1]!) {
    if (data[at] !== EventKind.orderUpdated || data[at + 5] !== OrderStatus.cancelled) continue
    const view = exchange.order(data[at + 4]!)
    if (view) views.push(view)
  }
  return views.map((view) => orderData(exchange, view))
}

/** Lets the client ask for the fate of what may have been done. */
function withClientOrderId(error: unknown, clientOrderId: string | undefined): unknown {
  if (!(error instanceof Problem) || error.code !== 'outcome_pending' || clientOrderId === undefined) return error
  return new Problem('outcome_pending', undefined, { extensions: { client_order_id: clientOrderId } })
}
