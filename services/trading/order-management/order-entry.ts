import { CommandKind, type FillData, type OrderData } from '@maru/contracts'
import { EventKind, OrderStatus, refusals, type Exchange, type OrderView } from '@maru/domain/exchange'
import { Problem } from '@maru/service-host'
import type { History } from '../history/history.ts'
import type { Intake } from '../intake/intake.ts'
import { refusalOf } from '../replica/outcome-reader.ts'
import type { Replica } from '../replica/replica.ts'
import { parseId } from '../wire/order-id.ts'
import { orderData } from '../wire/wire.ts'
import { historyWaitMs, type Orders } from './orders.ts'
import { placementOutcome, placeOrderCommand, refusalProblem, type PlaceOrderBody } from './placing.ts'

export interface Placed {
  order: OrderData & { fills: FillData[] }
  /** Whether this is the first outcome of a client order id that was used before. */
  isReplayed: boolean
}

/** Placing and cancelling, for whoever asks: HTTP and the socket. Refusals are thrown as Problems. */
export class OrderEntry {
  readonly #replica: Replica
  readonly #intake: Intake
  readonly #orders: Orders
  readonly #history: History

  constructor(options: { replica: Replica; intake: Intake; orders: Orders; history: History }) {
    this.#replica = options.replica
    this.#intake = options.intake
    this.#orders = options.orders
    this.#history = options.history
  }

  /** Takes its place in the log in the order of the calls. */
  async place(account: number, body: PlaceOrderBody): Promise<Placed> {
    const command = placeOrderCommand(this.#replica.exchange, account, body)
    const outcome = await this.#intake.submit(command, placementOutcome).catch((error: unknown) => {
      throw withClientOrderId(error, body.client_order_id)
    })
    switch (outcome.kind) {
      case 'placed':
        return { order: outcome.order, isReplayed: false }
      case 'rejected':
        throw refusalProblem(outcome.code, outcome.order)
      case 'duplicate': {
        if (outcome.conflict) throw new Problem('client_order_id_reused')
        const order = await this.#orders.ofUser(this.#replica.exchange.userIdOf(account), outcome.order)
        if (!order) throw new Problem('unavailable', 'The order of this client order id cannot be read yet.')
        if (outcome.code !== 0 && order.status === 'REJECTED') throw refusalProblem(outcome.code, order)
        return { order: { ...order, fills: await this.#fillsOf(order) }, isReplayed: true }
      }
      default:
        return outcome satisfies never
    }
  }

  /** Cancels an order of `account`; Problem `order_not_open` where it is final, `order_not_found` where it is not the account's. */
  async cancel(account: number, id: string): Promise<OrderData> {
    const number = parseId(id)
    if (number === undefined) throw new Problem('order_not_found')
    const outcome = await this.#intake.submit({ kind: CommandKind.cancelOrder, account, order: number }, (applied) => {
      const refusal = refusalOf(applied.outcome)
      const view = applied.order(number)
      return refusal === 0 && view ? orderData(applied, view) : refusal
    })
    if (typeof outcome !== 'number') return outcome
    const code = refusals[outcome]!
    if (code !== 'order_not_open') throw new Problem(code)
    // A number that was given out may be another's order, of which nothing is said.
    const order = await this.#orders.ofUser(this.#replica.exchange.userIdOf(account), number)
    if (!order || this.#replica.exchange.accountOf(order.user_id) !== account) throw new Problem('order_not_found')
    throw new Problem(code, `The order is ${order.status}.`)
  }

  /** Cancels what is open, in one market or in all; gives what was cancelled. */
  async cancelAll(account: number, symbolName: string | undefined): Promise<OrderData[]> {
    const symbol = symbolName === undefined ? -1 : this.#replica.exchange.symbolOf(symbolName)
    if (symbolName !== undefined && symbol < 0) throw new Problem('symbol_not_found', `There is no market ${symbolName}.`)
    return this.#intake.submit({ kind: CommandKind.cancelAll, account, symbol }, cancelled)
  }

  /** The fills of an order, once the tables hold all that its filled quantity speaks of; empty where it has none. */
  async #fillsOf(order: OrderData): Promise<FillData[]> {
    if (Number(order.filled_quantity) === 0) return []
    const { exchange } = this.#replica
    await this.#history.reached(order.user_id, exchange.accountSequence(exchange.accountOf(order.user_id)), historyWaitMs)
    return this.#history.fillsOf(order)
  }
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
