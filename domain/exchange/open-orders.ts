import { OrderType, Side } from '@maru/contracts/commands'
import { leaveQueue, type BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import { holdFor } from './fees.ts'
import type { Market } from './markets.ts'
import { none as noSlot } from './no-slot.ts'
import type { OrderStatus } from './outcome.ts'
import { isQuote, orderTypeOf, sideOf } from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { stop } = OrderType
const { buy } = Side
const none: number = noSlot

/** Where an order of these traits rests: in the book, or among the waiting stops. */
export function sideOfBook(market: Market, traits: number): BookSide {
  const isBuy = sideOf(traits) === buy
  if (orderTypeOf(traits) === stop) return isBuy ? market.buyStops : market.sellStops
  return isBuy ? market.bids : market.asks
}

/** What a resting order holds. */
export function holdOf(core: Core, market: Market, slot: number): number {
  const { orders } = core
  return holdFor(market, sideOf(orders.traits(slot)), orders.price(slot), orders.remaining(slot))
}

/** Rests what is open of an order: its hold, its place in the queue, its owner's list. A quote is listed by `quotes.ts`. */
export function rest(core: Core, market: Market, slot: number): void {
  const { orders, positions, balances } = core
  const traits = orders.traits(slot)
  const side = sideOf(traits)
  const position = orders.position(slot)
  const lots = orders.remaining(slot)
  const price = orders.price(slot)
  balances.addHeld(positions.heldBalance(position, side), holdFor(market, side, price, lots))
  positions.addOpen(position, side, lots)
  sideOfBook(market, traits).append(slot, price, lots)
  if (isQuote(traits)) return
  positions.addOpenCount(position, 1)
  orders.setCell(slot, core.accountOrders.add(positions.account(position), slot))
}

/** Takes a resting order out of everything `rest` put it in. Its status is the caller's to set. */
export function withdraw(core: Core, market: Market, slot: number): void {
  const { orders, positions, balances } = core
  const traits = orders.traits(slot)
  const side = sideOf(traits)
  const position = orders.position(slot)
  const lots = orders.remaining(slot)
  leaveQueue(orders, core.levels, sideOfBook(market, traits), slot, lots)
  positions.addOpen(position, side, -lots)
  balances.addHeld(positions.heldBalance(position, side), -holdFor(market, side, orders.price(slot), lots))
  unlist(core, slot)
}

/** Withdraws a resting order for good and says so in its owner's stream. */
export function closeResting(core: Core, market: Market, slot: number, status: OrderStatus, refusal: number): void {
  withdraw(core, market, slot)
  core.orders.close(slot, status, refusal)
  core.emitOrderUpdated(slot)
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
  positions.addOpenCount(position, -1)
}

function unlistQuote(core: Core, position: number, slot: number): void {
  const { orders, positions } = core
  const previous = orders.previousQuote(slot)
  const next = orders.nextQuote(slot)
  if (next !== none) orders.setPreviousQuote(next, previous)
  if (previous !== none) orders.setNextQuote(previous, next)
  else positions.setFirstQuote(position, sideOf(orders.traits(slot)), next)
}
