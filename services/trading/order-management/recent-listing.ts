import type { OrderData } from '@maru/contracts'
import { OrderStatus, type OrderView } from '@maru/domain/exchange'
import type { Replica } from '../replica/replica.ts'
import { parseId } from '../wire/order-id.ts'
import { orderData, orderStatuses } from '../wire/wire.ts'

export interface ListFilter {
  status?: string | undefined
  symbol?: string | undefined
  limit: number
  /** Id of the order before the first. */
  cursor?: string | undefined
  offset?: number | undefined
}

/**
 * The newest orders of an account as this replica holds them, newest first: those that are open, and those that closed lately. Undefined where the
 * list goes on beyond what it holds, so that only the history tables can tell.
 */
export function listRecent({ exchange, recentOrders }: Replica, account: number, filter: ListFilter): OrderData[] | undefined {
  const { limit, offset = 0, cursor } = filter
  const before = cursor === undefined ? Infinity : parseId(cursor)
  const symbol = filter.symbol === undefined ? undefined : exchange.symbolOf(filter.symbol)
  const status = filter.status === undefined ? undefined : orderStatuses.indexOf(filter.status as OrderData['status'])
  if (before === undefined || status === -1 || symbol === -1) return undefined
  // Every open order is in memory, whenever it came.
  const isOpen = status === OrderStatus.pending || status === OrderStatus.partiallyFilled
  const complete = isOpen ? 0 : recentOrders.completeAfter(account)
  const isListed = (view: OrderView): boolean =>
    view.order > complete &&
    view.order < before &&
    (symbol === undefined || view.symbol === symbol) &&
    (status === undefined || view.status === status)
  const listed = exchange.openOrders(account).filter(isListed)
  if (!isOpen) {
    for (const order of recentOrders.ofAccount(account)) {
      const view = recentOrders.get(order)
      if (view && isListed(view)) listed.push(view)
    }
  }
  if (complete > 0 && listed.length < offset + limit) return undefined
  listed.sort((a, b) => b.order - a.order)
  return listed.slice(offset, offset + limit).map((view) => orderData(exchange, view))
}
