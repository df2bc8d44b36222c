import { OrderType, TimeInForce, type OrderExtras, type PlaceOrder } from '@maru/contracts/commands'
import { lotsForValue } from './book-walk.ts'
import type { Core } from './core.ts'
import * as execution from './execution.ts'
import * as orderForm from './order-form.ts'
import * as orderChecks from './order-checks.ts'
import { detailsOf } from './order-details.ts'
import type { Market } from './markets.ts'
import { none } from './no-slot.ts'
import { EventKind, OrderStatus } from './outcome.ts'
import * as plainOrders from './plain-orders.ts'
import { Refusal } from './refusals.ts'
import * as restrictions from './restrictions.ts'
import { TimerKind } from './timers.ts'
import * as orderTraits from './traits.ts'
import { postOnlyTrait, reduceOnlyTrait } from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { enter } = execution
const { isWellFormed } = orderForm
const { orderRefusal, restPrice } = orderChecks
const { restPlain } = plainOrders
const { rateRefusal } = restrictions
const { packTraits, clientOrderIdTrait } = orderTraits
const { orderAccepted, orderDuplicate, orderRejected } = EventKind
const { rejected } = OrderStatus
const { limit, market: marketType } = OrderType
const { gtc } = TimeInForce

/** Takes an order: a repeat of a known client order id changes nothing; else it is recorded, as accepted or as rejected. */
export function placeOrder(core: Core, order: PlaceOrder): void {
  if (!isWellFormed(order, core.rules)) {
    core.emitRefused(Refusal.invalid_request)
    return
  }
  if (order.clientOrderId !== '' && repeats(core, order)) return
  if (order.orderType === limit && order.timeInForce === gtc && order.extras === null && restPlain(core, order)) {
    if (order.clientOrderId !== '') rememberOrder(core, order, 0)
    return
  }
  if (!core.accounts.has(order.account)) {
    core.emitRefused(Refusal.account_not_found)
    return
  }
  const market = core.market(order.symbol)
  if (!market) {
    core.emitRefused(Refusal.symbol_not_found)
    return
  }
  const position = core.positionOf(order.account, market)
  if (order.extras !== null && order.extras.quoteQuantity !== 0) {
    placeByValue(core, market, position, order)
    return
  }
  const refusal = rateRefusal(core, order.account) || orderRefusal(core, market, position, order)
  const slot = record(core, market, position, order, refusal)
  if (order.clientOrderId !== '') rememberOrder(core, order, refusal)
  if (refusal !== 0) reject(core, slot, order.account, refusal)
  else accept(core, market, slot, order.account)
}

/** A market order by value becomes one of as many lots as the book gives for it now. */
function placeByValue(core: Core, market: Market, position: number, order: PlaceOrder): void {
  const { quoteQuantity } = order.extras!
  const lots = lotsForValue(core, market, position, order.side, quoteQuantity)
  const { isExhausted } = core.walk
  const counted = { ...order, quantity: lots }
  // Without a lot there is nothing to take, or it is worth less than one: the checks for an order of the smallest quantity say which.
  const asked = lots === 0 ? { ...order, quantity: market.terms.quantityMinLots } : counted
  const refusal =
    rateRefusal(core, order.account) || orderRefusal(core, market, position, asked) || (lots === 0 ? Refusal.quantity_too_small : 0)
  const slot = record(core, market, position, counted, refusal)
  if (order.clientOrderId !== '') rememberOrder(core, order, refusal)
  core.orders.details(slot).isCutShort = isExhausted
  if (refusal !== 0) reject(core, slot, order.account, refusal)
  else accept(core, market, slot, order.account)
}

/** The order that was recorded last is in. */
export function accept(core: Core, market: Market, slot: number, account: number): void {
  core.emitOrder(orderAccepted, account, core.lastOrder, market.symbol)
  enter(core, market, slot)
}

/** The order that was recorded last is final at once. */
export function reject(core: Core, slot: number, account: number, refusal: number): void {
  core.orders.close(slot, rejected, refusal)
  core.emitOrder(orderRejected, account, core.lastOrder, refusal)
}

/** Tells the first outcome of a known client order id; false where it is not known. */
export function repeats(core: Core, order: PlaceOrder): boolean {
  const { clientOrders } = core
  const known = clientOrders.find(order.account, order.clientOrderId)
  if (known < 0) return false
  const isSame = clientOrders.hasTerms(known, kindOf(order), order.quantity, order.price, order.stopPrice)
  const at = core.outcome.begin(orderDuplicate, 4)
  const { data } = core.outcome
  data[at] = order.account
  data[at + 1] = clientOrders.figure(known, 0)
  data[at + 2] = clientOrders.figure(known, 1)
  data[at + 3] = isSame ? 0 : 1
  return true
}

/** Remembers the client order id of the order that was recorded last. `find` must just have been asked for it in vain. */
export function rememberOrder(core: Core, order: PlaceOrder, refusal: number): void {
  core.clientOrders.addMissing(
    order.account,
    order.clientOrderId,
    core.lastOrder,
    refusal,
    kindOf(order),
    order.quantity,
    order.price,
    order.stopPrice,
  )
}

const kindBits = 2 ** 17

/** In an order of their own: that of the fields of an object depends on who made it. */
const extraNames = [
  'isPostOnly',
  'isReduceOnly',
  'selfTrade',
  'trigger',
  'displayQuantity',
  'expiresAtMs',
  'trailingOffset',
  'trailingUnit',
  'quoteQuantity',
] as const satisfies readonly (keyof OrderExtras)[]

/** Market, kind and extras of an order as one number. */
function kindOf(order: PlaceOrder): number {
  const { symbol, side, orderType, timeInForce, extras } = order
  const plain = symbol * 64 + (packTraits(side, orderType, timeInForce, false) & 63)
  if (extras === null) return plain
  let digest: number = orderType
  for (const name of extraNames) {
    const term = Number(extras[name])
    digest = Math.imul(digest ^ term ^ (term / 2 ** 32), 0x01000193) ^ (digest >>> 15)
  }
  return plain + (1 + (digest >>> 0)) * kindBits
}

/** Gives an order its number and its record. */
export function record(core: Core, market: Market, position: number, order: PlaceOrder, refusal: number): number {
  const { orders } = core
  const { clientOrderId, extras } = order
  core.lastOrder += 1
  const traits = packTraits(order.side, order.orderType, order.timeInForce, false) | (clientOrderId === '' ? 0 : clientOrderIdTrait)
  const price = order.orderType === marketType ? 0 : restPrice(market, order)
  const isTaken = refusal === 0
  const quantity = isTaken ? order.quantity : kept(order.quantity)
  const slot = orders.create(core.lastOrder, position, traits, quantity, isTaken ? price : kept(price), core.timeMs)
  if (clientOrderId !== '') orders.setClientOrderId(slot, clientOrderId)
  if (extras !== null || order.orderType > OrderType.stop) recordDetails(core, slot, order)
  return slot
}

/** Keeps of an order what a plain one does not have. */
export function recordDetails(core: Core, slot: number, order: PlaceOrder): void {
  const { orders } = core
  const { extras } = order
  const details = detailsOf(extras)
  details.stopPrice = order.orderType === OrderType.trailingStop ? orders.price(slot) : kept(order.stopPrice)
  orders.setDetails(slot, details)
  if (extras === null) return
  const flags = (extras.isPostOnly ? postOnlyTrait : 0) | (extras.isReduceOnly ? reduceOnlyTrait : 0)
  orders.setTraits(slot, orders.traits(slot) | flags)
  if (extras.expiresAtMs > 0) expireLater(core, orders.id(slot), extras.expiresAtMs)
}

/** Timers of orders that were closed, or amended, before they are due would otherwise stay for as long as their orders asked for, which may be years. */
const staleTimersMin = 1_024

/** Lets an order expire at the moment its details have. */
export function expireLater(core: Core, order: number, dueMs: number): void {
  const { orders, timers } = core
  timers.add({ dueMs, kind: TimerKind.orderExpiry, subject: order })
  if (timers.size < core.pruneTimersAt) return
  timers.prune(({ kind, subject, dueMs: oldMs }) => {
    if (kind !== TimerKind.orderExpiry) return true
    const slot = orders.find(subject)
    return slot !== none && orders.details(slot).expiresAtMs === oldMs
  })
  core.pruneTimersAt = timers.size * 2 + staleTimersMin
}

/** A figure fit to be kept: what is no whole number of at least 0 (only rejected orders have it) is kept as 0. */
function kept(figure: number): number {
  return Number.isSafeInteger(figure) && figure > 0 ? figure : 0
}
