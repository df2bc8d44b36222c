import type { OrderData } from '@maru/contracts'
import { OrderType } from '@maru/contracts/commands'
import type { Exchange } from '@maru/domain/exchange'
import { Problem } from '@maru/service-host'
import type { History } from '../history/history.ts'
import type { Replica } from '../replica/replica.ts'
import { orderTypes, priceText, quantityText, sideName, timesInForce } from '../wire/wire.ts'
import type { Placement } from './order-request.ts'

/** The tables must not be further behind than this many orders, or an id could be in neither them nor the state machine. */
const historyLagMax = 500_000

/**
 * Orders whose client order id the state machine does not remember any more. Ids are for good: whoever sends one again after a million others gets the
 * first outcome all the same, from the tables.
 */
export class EarlierOrders {
  readonly #replica: Replica
  readonly #history: History

  constructor(options: { replica: Replica; history: History }) {
    this.#replica = options.replica
    this.#history = options.history
  }

  /** Whether an order's id must be looked up before it may become a command. Almost always it need not. */
  mayHold(placement: Placement): boolean {
    return placement.clientOrderId !== '' && this.#replica.exchange.mayHaveForgotten(placement.account, placement.clientOrderId)
  }

  /**
   * The order of the account that used the id; undefined where none did. Problem `unavailable` where the tables cannot say yet.
   */
  async find(account: number, clientOrderId: string): Promise<OrderData | undefined> {
    const { exchange } = this.#replica
    const order = await this.#history.orderOfClientId(exchange.userIdOf(account), clientOrderId)
    if (order) return order
    const newest = await this.#history.newestOrder()
    if (exchange.lastOrder - newest > historyLagMax)
      throw new Problem('unavailable', 'Earlier orders cannot be looked up yet; nothing was done.')
    return undefined
  }
}

/** Whether an order is what is asked for again. */
export function isSameOrder(exchange: Exchange, order: OrderData, placement: Placement): boolean {
  const market = exchange.markets[placement.symbol]!
  const isByValue = placement.extras !== null && placement.extras.quoteQuantity > 0
  // Where a trailing stop stands has changed since it was asked for.
  const isTrailing = placement.orderType === OrderType.trailingStop
  return (
    order.symbol === market.name &&
    order.side === sideName(placement.side) &&
    order.order_type === orderTypes[placement.orderType] &&
    order.time_in_force === timesInForce[placement.timeInForce] &&
    (isByValue || order.quantity === quantityText(market, placement.quantity)) &&
    (order.price ?? '') === (placement.price === 0 ? '' : priceText(market, placement.price)) &&
    (isTrailing || (order.stop_price ?? '') === (placement.stopPrice === 0 ? '' : priceText(market, placement.stopPrice)))
  )
}
