import type { OrderData, OrderListData } from '@maru/contracts'
import { tradingEndpoints } from '@maru/contracts/http/trading'
import { Problem, type HttpService } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import type { History } from '../history/history.ts'
import type { ListRow } from '../history/project.ts'
import type { Replica } from '../replica/replica.ts'
import { parseId } from '../wire/order-id.ts'
import { historyWaitMs, type Orders } from './orders.ts'

/** A list as it is shown. */
export interface OrderListAnswer extends Omit<OrderListData, 'order_ids'> {
  user_id: string
  status: 'OPEN' | 'CLOSED'
  created_at: string
  updated_at: string
  orders: OrderData[]
}

/** A list with its orders as they are now, in the order of its legs. */
export function orderListAnswer(list: Omit<ListRow, 'order_ids'>, orders: OrderData[]): OrderListAnswer {
  const isOpen = orders.some(({ status }) => status === 'PENDING' || status === 'PARTIALLY_FILLED')
  return {
    id: list.id,
    client_list_id: list.client_list_id,
    user_id: list.user_id,
    type: list.type,
    symbol: list.symbol,
    status: isOpen ? 'OPEN' : 'CLOSED',
    created_at: orders[0]!.created_at,
    updated_at: orders.reduce((newest, order) => (order.updated_at > newest ? order.updated_at : newest), ''),
    orders,
  }
}

interface Parts {
  http: HttpService
  replica: Replica
  accounts: Accounts
  orders: Orders
  history: History
}

/** Reads of order lists, open and closed, from the history tables. */
export function serveOrderLists({ http, replica, accounts, orders, history }: Parts): void {
  const { exchange } = replica

  /** With its orders as they are now, be the tables behind or not. */
  function shown(list: ListRow): Promise<OrderListAnswer> {
    const first = parseId(list.order_ids[0]!)!
    return orders.allOfUser(list.user_id, first, list.order_ids.length).then((all) => orderListAnswer(list, all))
  }

  http.serve(tradingEndpoints.orderList, async ({ params, identity }) => {
    const find = (): Promise<ListRow | undefined> => history.list(params.id)
    const list = parseId(params.id) === undefined ? undefined : ((await find()) ?? (await orders.onceCurrent(identity.userId, find)))
    if (!list || (list.user_id !== identity.userId && !identity.isOperator)) throw new Problem('order_list_not_found')
    return shown(list)
  })

  http.serve(tradingEndpoints.orderLists, async ({ query, identity }) => {
    const account = await accounts.own(identity)
    const { userId } = identity
    const { client_list_id: clientListId } = query
    if (clientListId !== undefined) {
      const find = (): Promise<ListRow | undefined> => history.listOfClientId(userId, clientListId)
      const list = (await find()) ?? (await orders.onceCurrent(userId, find))
      return { items: list ? [await shown(list)] : [], next_cursor: null }
    }
    await history.reached(userId, exchange.accountSequence(account), historyWaitMs)
    const limit = query.limit ?? 50
    const isOpen = query.status === undefined ? undefined : query.status === 'OPEN'
    const lists = await history.lists(userId, { isOpen, symbol: query.symbol, limit, cursor: query.cursor })
    const known = await history.ordersById(
      userId,
      lists.flatMap((list) => list.order_ids),
    )
    const items = lists.map((list) =>
      orderListAnswer(
        list,
        list.order_ids.map((id) => orders.asNow(known.get(id)!)),
      ),
    )
    return { items, next_cursor: items.length === limit ? items.at(-1)!.id : null }
  })
}
