import { EventKind, OrderStatus, type Exchange, type OrderView } from '@maru/domain/exchange'
import { ClosedOrders } from './closed-orders.ts'

/** Of each account, so many are kept to be listed. */
const listedMax = 1_024

/** What is known of an account's orders that closed lately; kept for each account that had some, as the exchange keeps the account. */
interface Closed {
  /** Their numbers, in the order in which they closed; up to twice as many as are kept. */
  orders: number[]
  /** Number of the newest order of the account that was forgotten again. */
  forgotten: number
}

/**
 * Orders that closed lately, so that an answer does not have to wait for the history tables. The state machine itself
 * forgets an order when it closes. Bounded: the oldest go first; by then they are in the tables.
 */
export class RecentOrders {
  readonly #orders: ClosedOrders
  readonly #byAccount = new Map<number, Closed>()
  /** The last order, and how many accounts there were, before everything that closes was kept. */
  #from = { order: 0, accounts: 0 }

  constructor(max = 100_000) {
    this.#orders = new ClosedOrders(max, (account, order) => this.#forget(account, order))
  }

  get size(): number {
    return this.#orders.size
  }

  get(order: number): OrderView | undefined {
    return this.#orders.get(order)
  }

  /** The exchange has come to where it stands without its orders being captured. */
  skipTo(exchange: Exchange): void {
    this.#from = { order: exchange.lastOrder, accounts: exchange.accountCount }
  }

  /** Takes what the command just applied has closed; called before the next one is applied. */
  capture(exchange: Exchange): void {
    const { data, length } = exchange.outcome
    for (let at = 0; at < length; at += data[at + 1]!) {
      const kind = data[at]
      if (kind !== EventKind.orderUpdated && kind !== EventKind.orderRejected) continue
      if (kind === EventKind.orderUpdated && data[at + 5]! <= OrderStatus.partiallyFilled) continue
      const view = exchange.order(data[at + 4]!)
      if (view) this.#keep(view)
    }
  }

  /** Numbers of an account's orders that closed lately, in no order. */
  ofAccount(account: number): readonly number[] {
    return this.#byAccount.get(account)?.orders ?? []
  }

  /** Every order of the account with a greater number is open in the exchange or among `ofAccount`; 0: that is so of all it ever had. */
  completeAfter(account: number): number {
    const before = account < this.#from.accounts ? this.#from.order : 0
    return Math.max(before, this.#byAccount.get(account)?.forgotten ?? 0)
  }

  #keep(view: OrderView): void {
    this.#orders.set(view)
    let closed = this.#byAccount.get(view.account)
    if (!closed) this.#byAccount.set(view.account, (closed = { orders: [], forgotten: 0 }))
    closed.orders.push(view.order)
    if (closed.orders.length < listedMax * 2) return
    for (const order of closed.orders.splice(0, listedMax)) closed.forgotten = Math.max(closed.forgotten, order)
  }

  /** The oldest of all: so also the oldest of its account, unless that has forgotten it already. */
  #forget(account: number, order: number): void {
    const closed = this.#byAccount.get(account)
    if (!closed) return
    closed.forgotten = Math.max(closed.forgotten, order)
    if (closed.orders[0] === order) closed.orders.shift()
  }
}
