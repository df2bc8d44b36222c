import { OrderType, Side, TriggerPrice } from '@maru/contracts/commands'
import * as bookSide from './book-side.ts'
import type { BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import * as fees from './fees.ts'
import type { Market } from './markets.ts'
import { none as noSlot } from './no-slot.ts'
import type { OrderStatus } from './outcome.ts'
import { addTrailing, removeTrailing, trailingStopPrice } from './trailing.ts'
import * as orderTraits from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { leaveQueue } = bookSide
const { holdFor } = fees
const { isDetailed, isPending, isQuote, isReduceOnly, isWaiting, orderTypeOf, sideOf } = orderTraits
const { trailingStop } = OrderType
const { buy } = Side
const { lastOrMark } = TriggerPrice
const none: number = noSlot

/** Where a plain order of these traits rests: in the book, or among the waiting stops. */
function sideOfBook(market: Market, traits: number): BookSide {
  const side = sideOf(traits)
  if (isWaiting(traits)) return market.stops[lastOrMark * 2 + side]!
  return side === buy ? market.bids : market.asks
}

/** What a resting order holds. */
export function holdOf(core: Core, market: Market, slot: number): number {
  const { orders } = core
  const traits = orders.traits(slot)
  if (isDetailed(traits) && !isBacked(core, slot)) return 0
  return holdFor(market, sideOf(traits), orders.price(slot), orders.remaining(slot))
}

/** Whether an order that has details holds and exposes for itself. */
function isBacked(core: Core, slot: number): boolean {
  return !isPending(core.orders.traits(slot)) && !core.orders.details(slot).isShared
}

/** Rests what is open of an order: its hold, its place in the queue, its owner's list. A quote is listed by `quotes.ts`. */
export function rest(core: Core, market: Market, slot: number): void {
  const { orders, positions, balances } = core
  const traits = orders.traits(slot)
  const side = sideOf(traits)
  const position = orders.position(slot)
  const lots = orders.remaining(slot)
  const price = orders.price(slot)
  if (isWaiting(traits) && !isPending(traits)) market.waitingCount += 1
  if (isDetailed(traits)) enterDetailed(core, market, slot, lots)
  else {
    balances.addHeld(positions.heldBalance(position, side), holdFor(market, side, price, lots))
    positions.addOpen(position, side, lots)
    sideOfBook(market, traits).append(slot, price, lots)
    if (isQuote(traits)) return
  }
  positions.countOpen(position, 1, isReduceOnly(traits))
  orders.setCell(slot, core.accountOrders.add(positions.account(position), slot))
}

function enterDetailed(core: Core, market: Market, slot: number, lots: number): void {
  back(core, market, slot, 1, lots)
  const { orders } = core
  const traits = orders.traits(slot)
  if (isPending(traits)) return
  const details = orders.details(slot)
  const side = sideOf(traits)
  if (!isWaiting(traits)) {
    // Of a snapshot, what was shown when it was made.
    if (details.shown === 0) details.shown = details.displayQuantity === 0 ? lots : Math.min(details.displayQuantity, lots)
    ;(side === buy ? market.bids : market.asks).append(slot, orders.price(slot), details.shown)
  } else if (orderTypeOf(traits) === trailingStop) addTrailing(core, market, slot, details.best)
  else market.stops[details.trigger * 2 + side]!.append(slot, details.stopPrice, lots)
}

/** Holds and exposes (sign 1), or no longer (sign -1), so many lots of an order that has details, unless another does for it. */
export function back(core: Core, market: Market, slot: number, sign: 1 | -1, lots: number): void {
  if (!isBacked(core, slot)) return
  const { orders, positions, balances } = core
  const side = sideOf(orders.traits(slot))
  const position = orders.position(slot)
  balances.addHeld(positions.heldBalance(position, side), sign * holdFor(market, side, orders.price(slot), lots))
  positions.addOpen(position, side, sign * lots)
}

/** Takes a resting order out of everything `rest` put it in. Its status is the caller's to set. */
export function withdraw(core: Core, market: Market, slot: number): void {
  const { orders, positions, balances } = core
  const traits = orders.traits(slot)
  const side = sideOf(traits)
  const position = orders.position(slot)
  const lots = orders.remaining(slot)
  if (isWaiting(traits) && !isPending(traits)) market.waitingCount -= 1
  if (isDetailed(traits)) leaveDetailed(core, market, slot, lots)
  else {
    leaveQueue(orders, core.levels, sideOfBook(market, traits), slot, lots)
    positions.addOpen(position, side, -lots)
    balances.addHeld(positions.heldBalance(position, side), -holdFor(market, side, orders.price(slot), lots))
  }
  unlist(core, slot)
}

function leaveDetailed(core: Core, market: Market, slot: number, lots: number): void {
  back(core, market, slot, -1, lots)
  const { orders, levels } = core
  const traits = orders.traits(slot)
  if (isPending(traits)) return
  const details = orders.details(slot)
  const side = sideOf(traits)
  if (!isWaiting(traits)) {
    leaveQueue(orders, levels, side === buy ? market.bids : market.asks, slot, details.shown)
    details.shown = 0
  } else if (orderTypeOf(traits) === trailingStop) {
    // What it would be triggered at now, for whoever looks at it after it is closed.
    details.stopPrice = trailingStopPrice(core, slot, details)
    removeTrailing(core, market, slot)
  } else leaveQueue(orders, levels, market.stops[details.trigger * 2 + side]!, slot, lots)
}

/** Takes lots off what is open of a resting order; some must be left. It keeps its place. */
export function shrink(core: Core, market: Market, slot: number, lots: number): void {
  const { orders, positions, balances } = core
  const traits = orders.traits(slot)
  if (isDetailed(traits)) shrinkDetailed(core, market, slot, lots)
  else {
    const side = sideOf(traits)
    const position = orders.position(slot)
    const price = orders.price(slot)
    const remaining = orders.remaining(slot)
    const hold = holdFor(market, side, price, remaining - lots) - holdFor(market, side, price, remaining)
    balances.addHeld(positions.heldBalance(position, side), hold)
    positions.addOpen(position, side, -lots)
    core.levels.addQuantity(orders.level(slot), -lots)
  }
  orders.setQuantity(slot, orders.quantity(slot) - lots)
}

function shrinkDetailed(core: Core, market: Market, slot: number, lots: number): void {
  const { orders } = core
  const traits = orders.traits(slot)
  const remaining = orders.remaining(slot)
  back(core, market, slot, -1, remaining)
  back(core, market, slot, 1, remaining - lots)
  if (isPending(traits)) return
  const details = orders.details(slot)
  const isInBook = !isWaiting(traits)
  const shownLess = isInBook ? details.shown - Math.min(details.shown, remaining - lots) : lots
  core.levels.addQuantity(orders.level(slot), -shownLess)
  if (isInBook) details.shown -= shownLess
}

/** Withdraws a resting order for good and says so in its owner's stream. */
export function closeResting(core: Core, market: Market, slot: number, status: OrderStatus, refusal: number): void {
  withdraw(core, market, slot)
  closeOrder(core, slot, status, refusal)
}

/** Makes an order that rests nowhere final, says so in its owner's stream, and lets its list know. */
export function closeOrder(core: Core, slot: number, status: OrderStatus, refusal: number): void {
  core.orders.close(slot, status, refusal)
  core.emitOrderUpdated(slot)
  if (isDetailed(core.orders.traits(slot))) core.noteClosed(slot)
}

/** Open orders of an account, quotes left out, newest first. */
export function openOrdersOf(core: Core, account: number): number[] {
  const { orders } = core
  return core.accountOrders.slots(account).sort((a, b) => orders.id(b) - orders.id(a))
}

/** Takes an order out of its account's list, or a quote out of its position's. */
export function unlist(core: Core, slot: number): void {
  const { orders, positions } = core
  const position = orders.position(slot)
  if (isQuote(orders.traits(slot))) {
    unlistQuote(core, position, slot)
    return
  }
  core.accountOrders.remove(positions.account(position), orders.cell(slot))
  positions.countOpen(position, -1, isReduceOnly(orders.traits(slot)))
}

function unlistQuote(core: Core, position: number, slot: number): void {
  const { orders, positions } = core
  const previous = orders.previousQuote(slot)
  const next = orders.nextQuote(slot)
  if (next !== none) orders.setPreviousQuote(next, previous)
  if (previous !== none) orders.setNextQuote(previous, next)
  else positions.setFirstQuote(position, sideOf(orders.traits(slot)), next)
}
