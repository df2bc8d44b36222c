import type { OrderData } from '@maru/contracts'
import { OrderStatus } from '@maru/domain/exchange'
import { Problem } from '@maru/service-host'
import type { History } from '../history/history.ts'
import type { Replica } from '../replica/replica.ts'
import { formatId, parseId } from '../wire/order-id.ts'
import { orderData } from '../wire/wire.ts'

/** How long a read waits for the history tables to hold what this replica has already applied. */
export const historyWaitMs = 2_000
/** The same where there is no other answer: longer than it takes another instance to take over publishing. */
const unknownWaitMs = 5_000

/** An order wherever it is: open in the exchange, closed lately, or in the history tables. */
export class Orders {
  readonly #replica: Replica
  readonly #history: History

  constructor(options: { replica: Replica; history: History }) {
    this.#replica = options.replica
    this.#history = options.history
  }

  /** In the tables only among those of `userId`, where one is given: whoever may see the orders of others gives none. */
  async byNumber(order: number, userId?: string): Promise<OrderData | undefined> {
    const { exchange, recentOrders } = this.#replica
    const view = exchange.order(order) ?? recentOrders.get(order)
    return view ? orderData(exchange, view) : this.#history.order(formatId(order), userId)
  }

  /**
   * An order of a user, also where another instance has taken it a moment ago, or where it closed before this one began and the tables are not written yet
   * because who publishes has just changed. Undefined where the user has no such order; Problem `unavailable` where that cannot be told.
   */
  async ofUser(userId: string, order: number): Promise<OrderData | undefined> {
    const find = (): Promise<OrderData | undefined> => this.byNumber(order, userId)
    return (await find()) ?? this.onceCurrent(userId, find)
  }

  /** As `ofUser`, of whomever: for operators. */
  async ofAnyone(askedBy: string, order: number): Promise<OrderData | undefined> {
    const find = (): Promise<OrderData | undefined> => this.byNumber(order)
    return (await find()) ?? this.onceCurrent(askedBy, find)
  }

  /** Orders of a user that were placed together, in their order. Problem `unavailable` where one cannot be read yet. */
  async allOfUser(userId: string, first: number, count: number): Promise<OrderData[]> {
    const orders = await Promise.all(Array.from({ length: count }, (_, at) => this.ofUser(userId, first + at)))
    return orders.map((order) => {
      if (!order) throw new Problem('unavailable', 'The orders of this list cannot be read yet.')
      return order
    })
  }

  /** An order of the tables as it stands now: where a trailing stop has moved to is told by no event. */
  asNow(order: OrderData): OrderData {
    if (order.order_type !== 'TRAILING_STOP' || order.status !== 'PENDING') return order
    const { exchange } = this.#replica
    const view = exchange.order(parseId(order.id)!)
    return view?.status === OrderStatus.pending ? { ...order, stop_price: orderData(exchange, view).stop_price } : order
  }

  /** The same of an order that the user gave an id to. */
  async byClientOrderId(userId: string, account: number, clientOrderId: string): Promise<OrderData | undefined> {
    const find = async (): Promise<OrderData | undefined> => {
      const known = this.#replica.exchange.orderOfClientId(account, clientOrderId)
      if (known) return this.byNumber(known.order, userId)
      // Without an id of the client's the order's own id stands for it.
      const number = parseId(clientOrderId)
      const own = number === undefined ? undefined : await this.byNumber(number, userId)
      if (own?.user_id === userId && own.client_order_id === clientOrderId) return own
      return this.#history.orderOfClientId(userId, clientOrderId)
    }
    return (await find()) ?? this.onceCurrent(userId, find)
  }

  /** Looks once all is applied that was in the log when this was called, and the tables hold what that did to the user's account. */
  async onceCurrent<T>(userId: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    const replica = this.#replica
    await replica.becomeCurrent()
    const account = replica.exchange.accountOf(userId)
    const isCurrent = account < 0 || (await this.#history.reached(userId, replica.exchange.accountSequence(account), unknownWaitMs))
    const found = await find()
    if (!found && !isCurrent) throw new Problem('unavailable', 'The orders of this account cannot be read to the last at the moment.')
    return found
  }
}
