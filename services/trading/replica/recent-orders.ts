import { BoundedMap } from '@maru/service-host'
import { EventKind, OrderStatus, type Exchange, type OrderView } from '@maru/domain/exchange'

/**
 * Orders that closed lately, so that an answer does not have to wait for the history tables. The state machine itself
 * forgets an order when it closes. Bounded: the oldest go first; by then they are in the tables.
 */
export class RecentOrders {
  readonly #orders: BoundedMap<number, OrderView>

  constructor(max = 100_000) {
    this.#orders = new BoundedMap(max)
  }

  get size(): number {
    return this.#orders.size
  }

  get(order: number): OrderView | undefined {
    return this.#orders.get(order)
  }

  /** Takes what the command just applied has closed; called before the next one is applied. */
  capture(exchange: Exchange): void {
    const { data, length } = exchange.outcome
    for (let at = 0; at < length; at += data[at + 1]!) {
      const kind = data[at]
      if (kind !== EventKind.orderUpdated && kind !== EventKind.orderRejected) continue
      if (kind === EventKind.orderUpdated && data[at + 5]! <= OrderStatus.partiallyFilled) continue
      const view = exchange.order(data[at + 4]!)
      if (view) this.#orders.set(view.order, view)
    }
  }
}
