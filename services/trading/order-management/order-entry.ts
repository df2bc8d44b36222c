import { CommandKind, ListKind, OrderType, type BodyOf, type ErrorCode, type FillData, type OrderData } from '@maru/contracts'
import type { tradingEndpoints } from '@maru/contracts/http/trading'
import { EventKind, OrderStatus, Refusal, refusals, type Exchange, type MarketView, type OrderView } from '@maru/domain/exchange'
import { Problem } from '@maru/service-host'
import type { History } from '../history/history.ts'
import type { Intake } from '../intake/intake.ts'
import { refusalOf } from '../replica/outcome-reader.ts'
import type { Replica } from '../replica/replica.ts'
import { formatId, parseId } from '../wire/order-id.ts'
import { orderData } from '../wire/wire.ts'
import { amendmentOf, amendsMore, notAmendable, type Amendment } from './amendment.ts'
import { EarlierOrders, isSameOrder } from './earlier-orders.ts'
import { orderListAnswer, type OrderListAnswer } from './order-lists.ts'
import { historyWaitMs, type Orders } from './orders.ts'
import { badField, marketOf, placementOf, type OrderRequest } from './order-request.ts'
import { listOutcome, placementOutcome, refusalProblem, type PlacementOutcome } from './placing.ts'

export interface Placed {
  order: OrderData & { fills: FillData[] }
  /** Whether this is the first outcome of a client order id that was used before. */
  isReplayed: boolean
}

export interface PlacedList {
  list: OrderListAnswer
  isReplayed: boolean
}

type ListRequest = Omit<BodyOf<typeof tradingEndpoints.placeOrderList>, 'user_id'>

const listKinds = { OCO: ListKind.oco, OTO: ListKind.oto, BRACKET: ListKind.bracket } as const

/**
 * Placing and cancelling, for whoever asks: HTTP and the socket. Refusals are thrown as Problems. What is not on its way to the log by `deadlineMs`, in
 * milliseconds since 1970, is not done: `deadline_exceeded`.
 */
export class OrderEntry {
  readonly #replica: Replica
  readonly #intake: Intake
  readonly #orders: Orders
  readonly #history: History
  readonly #earlier: EarlierOrders

  constructor(options: { replica: Replica; intake: Intake; orders: Orders; history: History }) {
    this.#replica = options.replica
    this.#intake = options.intake
    this.#orders = options.orders
    this.#history = options.history
    this.#earlier = new EarlierOrders(options)
  }

  /** Takes its place in the log in the order of the calls. */
  async place(account: number, request: OrderRequest & { symbol: string }, deadlineMs?: number): Promise<Placed> {
    const { exchange } = this.#replica
    const command = placementOf(exchange, account, marketOf(exchange, request.symbol), request)
    expectRules(exchange, command.extras !== null || command.orderType > OrderType.stop)
    if (this.#earlier.mayHold(command)) {
      const earlier = await this.#earlier.find(account, command.clientOrderId)
      if (earlier) return this.#repeated(earlier, isSameOrder(exchange, earlier, command))
    }
    let outcome: PlacementOutcome
    try {
      outcome = await this.#intake.submit(command, placementOutcome, deadlineMs)
    } catch (error) {
      throw withClientOrderId(error, request.client_order_id)
    }
    return outcome.kind === 'placed' ? { order: outcome.order, isReplayed: false } : this.#placed(account, outcome)
  }

  async #placed(account: number, outcome: PlacementOutcome): Promise<Placed> {
    switch (outcome.kind) {
      case 'placed':
        return { order: outcome.order, isReplayed: false }
      case 'rejected':
        throw refusalProblem(outcome.code, outcome.order)
      case 'duplicate': {
        const order = await this.#orders.ofUser(this.#replica.exchange.userIdOf(account), outcome.order)
        if (!order && !outcome.conflict) throw new Problem('unavailable', 'The order of this client order id cannot be read yet.')
        return this.#repeated(order, !outcome.conflict)
      }
      default:
        return outcome satisfies never
    }
  }

  /** The first outcome of an order that is asked for again. */
  async #repeated(order: OrderData | undefined, isSame: boolean): Promise<Placed> {
    if (!order || !isSame) throw new Problem('client_order_id_reused')
    if (order.status === 'REJECTED') throw refusalProblem(refusals.indexOf(order.reject_code as ErrorCode), order)
    return { order: { ...order, fills: await this.#fillsOf(order) }, isReplayed: true }
  }

  /** Changes an open order of `account`; gives it as it then is. */
  async amend(account: number, id: string, changes: Amendment, deadlineMs?: number): Promise<OrderData> {
    const { exchange } = this.#replica
    expectRules(exchange, true)
    expectRules(exchange, amendsMore(changes), 3)
    const number = parseId(id)
    const order = number === undefined ? undefined : exchange.order(number)
    if (number === undefined || order?.account !== account)
      return this.#notDone(account, id, number === undefined ? Refusal.order_not_found : Refusal.order_not_open)
    const market = exchange.markets[order.symbol]!
    const outcome = await this.#intake.submit(
      amendmentOf(market, order, changes),
      (applied) => {
        const refusal = refusalOf(applied.outcome)
        const view = applied.order(number)
        return refusal === 0 && view ? orderData(applied, view) : refusal
      },
      deadlineMs,
    )
    if (outcome === Refusal.order_not_amendable) throw notAmendable(exchange.order(number) ?? order, changes)
    return typeof outcome === 'number' ? this.#notDone(account, id, outcome) : outcome
  }

  /** Cancels an open order of `account` and places another in its market, both or neither. */
  async replace(account: number, id: string, request: OrderRequest, deadlineMs?: number): Promise<Placed> {
    const { exchange } = this.#replica
    expectRules(exchange, true)
    if (request.quote_quantity !== undefined) throw badField('quote_quantity', 'an order that replaces another has a quantity')
    const number = parseId(id)
    if (number === undefined) throw new Problem('order_not_found')
    const open = exchange.order(number)
    const market = open?.account === account ? exchange.markets[open.symbol]! : await this.#marketOfClosed(account, number)
    const placement = { ...placementOf(exchange, account, market, request), time: 0 }
    if (this.#earlier.mayHold(placement)) {
      const earlier = await this.#earlier.find(account, placement.clientOrderId)
      if (earlier) return this.#repeated(earlier, isSameOrder(exchange, earlier, placement))
    }
    const outcome = await this.#intake
      .submit({ kind: CommandKind.replaceOrder, order: number, placement }, placementOutcome, deadlineMs)
      .catch((error: unknown) => {
        throw withClientOrderId(error, request.client_order_id)
      })
    if (outcome.kind === 'rejected' && outcome.order === undefined) return this.#notDone(account, id, outcome.code)
    return this.#placed(account, outcome)
  }

  /** Places orders that depend on each other, all or none. */
  async placeList(account: number, request: ListRequest, deadlineMs?: number): Promise<PlacedList> {
    const { exchange } = this.#replica
    expectRules(exchange, true)
    const market = marketOf(exchange, request.symbol)
    const kind = listKinds[request.type]
    const legs = request.orders.map((order, at) => {
      if (order.quote_quantity !== undefined) throw badField(`orders.${at}.quote_quantity`, 'an order of a list has a quantity')
      return { ...placementOf(exchange, account, market, order, `orders.${at}.`), time: 0 }
    })
    checkList(request)
    for (const leg of legs) {
      if (this.#earlier.mayHold(leg) && (await this.#earlier.find(account, leg.clientOrderId))) throw new Problem('client_order_id_reused')
    }
    const outcome = await this.#intake.submit(
      { kind: CommandKind.placeList, listKind: kind, account, clientListId: request.client_list_id ?? '', legs },
      listOutcome,
      deadlineMs,
    )
    // Of which of its orders is not told.
    if (outcome.kind === 'refused') throw new Problem(refusals[outcome.code]!)
    if (outcome.kind === 'duplicate' && outcome.conflict) throw new Problem('client_order_id_reused')
    const userId = exchange.userIdOf(account)
    const orders = outcome.kind === 'placed' ? outcome.orders : await this.#orders.allOfUser(userId, outcome.firstOrder, legs.length)
    const list = orderListAnswer(
      {
        id: formatId(outcome.list),
        user_id: userId,
        client_list_id: request.client_list_id ?? null,
        symbol: request.symbol,
        type: request.type,
      },
      orders,
    )
    return { list, isReplayed: outcome.kind === 'duplicate' }
  }

  /** An order that is final may have been replaced by the very request that is sent again. */
  async #marketOfClosed(account: number, number: number): Promise<MarketView> {
    const { exchange } = this.#replica
    const order = await this.#orders.byNumber(number, exchange.userIdOf(account))
    if (!order || exchange.accountOf(order.user_id) !== account) throw new Problem('order_not_found')
    return marketOf(exchange, order.symbol)
  }

  /** Says why nothing could be done with an order. A number that was given out may be another's order, of which nothing is said. */
  async #notDone(account: number, id: string, refusal: number): Promise<never> {
    const code = refusals[refusal]!
    if (code !== 'order_not_open') throw refusalProblem(refusal)
    const order = await this.#orders.ofUser(this.#replica.exchange.userIdOf(account), parseId(id) ?? 0)
    if (!order || this.#replica.exchange.accountOf(order.user_id) !== account) throw new Problem('order_not_found')
    throw new Problem(code, `The order is ${order.status}.`)
  }

  /** Cancels an order of `account`; Problem `order_not_open` where it is final, `order_not_found` where it is not the account's. */
  async cancel(account: number, id: string, deadlineMs?: number): Promise<OrderData> {
    const number = parseId(id)
    if (number === undefined) throw new Problem('order_not_found')
    const outcome = await this.#intake.submit(
      { kind: CommandKind.cancelOrder, account, order: number },
      (applied) => {
        const refusal = refusalOf(applied.outcome)
        const view = applied.order(number)
        return refusal === 0 && view ? orderData(applied, view) : refusal
      },
      deadlineMs,
    )
    return typeof outcome === 'number' ? this.#notDone(account, id, outcome) : outcome
  }

  /** Cancels what is open, in one market or in all; gives what was cancelled. */
  async cancelAll(account: number, symbolName: string | undefined, deadlineMs?: number): Promise<OrderData[]> {
    const symbol = symbolName === undefined ? -1 : this.#replica.exchange.symbolOf(symbolName)
    if (symbolName !== undefined && symbol < 0) throw new Problem('symbol_not_found', `There is no market ${symbolName}.`)
    return this.#intake.submit({ kind: CommandKind.cancelAll, account, symbol }, cancelled, deadlineMs)
  }

  /** The fills of an order, once the tables hold all that its filled quantity speaks of; empty where it has none. */
  async #fillsOf(order: OrderData): Promise<FillData[]> {
    if (Number(order.filled_quantity) === 0) return []
    const { exchange } = this.#replica
    await this.#history.reached(order.user_id, exchange.accountSequence(exchange.accountOf(order.user_id)), historyWaitMs)
    return this.#history.fillsOf(order)
  }
}

/** Requests that need rules which are not switched on yet would be refused by the state machine: say so in a way that a client can act on. */
function expectRules(exchange: Exchange, isNeeded: boolean, rules = 2): void {
  if (isNeeded && exchange.rules < rules) throw new Problem('rules_not_switched_on')
}

/** What the state machine would refuse as malformed, with the field that is at fault. */
function checkList({ type, orders }: ListRequest): void {
  const expected = type === 'BRACKET' ? 3 : 2
  if (orders.length !== expected) throw badField('orders', `a list of type ${type} has ${expected} orders`)
  const ids = orders.map((order) => order.client_order_id)
  const repeated = ids.findIndex((id, at) => id !== undefined && ids.indexOf(id) !== at)
  if (repeated >= 0) throw badField(`orders.${repeated}.client_order_id`, 'is that of another order of the list')
  if (type === 'OTO') return
  const at = type === 'OCO' ? 0 : 1
  const [limitLeg, stopLeg] = [orders[at]!, orders[at + 1]!]
  if (limitLeg.order_type !== 'LIMIT') throw badField(`orders.${at}.order_type`, 'must be LIMIT')
  if (!stopTypes.has(stopLeg.order_type)) throw badField(`orders.${at + 1}.order_type`, 'must be STOP, STOP_LIMIT or TRAILING_STOP')
  if (stopLeg.side !== limitLeg.side) throw badField(`orders.${at + 1}.side`, `must be that of orders.${at}`)
  if (Number(stopLeg.quantity) !== Number(limitLeg.quantity)) throw badField(`orders.${at + 1}.quantity`, `must be that of orders.${at}`)
  for (const [leg, { time_in_force: time }] of [limitLeg, stopLeg].entries())
    if (time === 'IOC' || time === 'FOK') throw badField(`orders.${at + leg}.time_in_force`, 'must be GTC or GTD')
  if (type !== 'BRACKET') return
  if (orders[0]!.side === limitLeg.side) throw badField('orders.1.side', 'must be the other side than that of the entry')
  if (Number(orders[0]!.quantity) !== Number(limitLeg.quantity)) throw badField('orders.1.quantity', 'must be that of the entry')
}

const stopTypes = new Set<OrderRequest['order_type']>(['STOP', 'STOP_LIMIT', 'TRAILING_STOP'])

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
