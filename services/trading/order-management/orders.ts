import type { OrderData } from '@maru/contracts'
import type { History } from '../history/history.ts'
import type { Replica } from '../replica/replica.ts'
import { formatId, parseId } from '../wire/order-id.ts'
import { orderData } from '../wire/wire.ts'

/** An order wherever it is: open in the exchange, closed lately, or in the history tables. */
export class Orders {
  readonly #replica: Replica
  readonly #history: History

  constructor(options: { replica: Replica; history: History }) {
    this.#replica = options.replica
    this.#history = options.history
  }

  async byNumber(order: number): Promise<OrderData | undefined> {
    const { exchange, recentOrders } = this.#replica
    const view = exchange.order(order) ?? recentOrders.get(order)
    return view ? orderData(exchange, view) : this.#history.order(formatId(order))
  }

  async byId(id: string): Promise<OrderData | undefined> {
    const order = parseId(id)
    return order === undefined ? undefined : this.byNumber(order)
  }

  async byClientOrderId(userId: string, account: number, clientOrderId: string): Promise<OrderData | undefined> {
    const known = this.#replica.exchange.orderOfClientId(account, clientOrderId)
    if (known) return this.byNumber(known.order)
    // Without an id of the client's the order's own id stands for it.
    const own = await this.byId(clientOrderId)
    if (own?.user_id === userId && own.client_order_id === clientOrderId) return own
    return this.#history.orderOfClientId(userId, clientOrderId)
  }
}
