import type { ByteReader, ByteWriter } from './bytes.ts'
import { SnapshotError } from './bytes.ts'
import type { Core } from './core.ts'
import { rest } from './open-orders.ts'
import { none } from './no-slot.ts'
import { detailsOf, type OrderDetails } from './order-details.ts'
import { TimerKind } from './timers.ts'
import { firstRulesTraits, fromFirstRulesTraits, isDetailed, isQuote, sideOf } from './traits.ts'

/** Figures of an order's details that are part of the state. */
const detailFigures = [
  'selfTrade',
  'trigger',
  'displayQuantity',
  'shown',
  'expiresAtMs',
  'trailingOffset',
  'trailingUnit',
  'stopPrice',
  'prevented',
  'list',
  'updatedAtMs',
] as const satisfies readonly (keyof OrderDetails)[]

/** Writes one resting order as releases did that knew only rules 1. What it holds, and its place in lists, follow from it. */
export function writeFirstOrder(core: Core, slot: number, out: ByteWriter): void {
  const { orders, positions } = core
  const position = orders.position(slot)
  out.f64(orders.id(slot))
  out.i32(positions.account(position))
  out.i32(positions.symbol(position))
  out.i32(firstRulesTraits(orders.traits(slot)))
  out.f64(orders.quantity(slot))
  out.f64(orders.limitPrice(slot))
  out.f64(orders.stopPrice(slot))
  writeProgress(orders, slot, out)
}

export function writeDetails(details: OrderDetails, out: ByteWriter): void {
  for (const figure of detailFigures) out.f64(details[figure])
  out.f64(details.trail?.best ?? 0)
  out.f64(details.isShared ? 1 : 0)
}

/** Gives an order that was just read its details. */
export function readDetails(core: Core, slot: number, from: ByteReader): void {
  const details = detailsOf(null)
  for (const figure of detailFigures) details[figure] = from.f64() as never
  details.best = from.f64()
  details.isShared = from.f64() === 1
  core.orders.setDetails(slot, details)
  if (details.expiresAtMs > 0) core.timers.add({ dueMs: details.expiresAtMs, kind: TimerKind.orderExpiry, subject: core.orders.id(slot) })
}

/** Reads the orders of a snapshot of version 2, and rests them; those that wait in lists come last. */
export function readOrders(core: Core, from: ByteReader): void {
  const count = from.i32()
  const pending = from.i32()
  restAll(core, count, pending, () => readOrder(core, from))
}

/** Rests orders again as they were written, by book, price and place in the queue; the last ones, `pending`, wait in lists. @param next reads one and returns its slot */
export function restAll(core: Core, count: number, pending: number, next: () => number): void {
  const { orders, positions, markets } = core
  const quotes: number[] = []
  for (let nth = 0; nth < count; nth++) {
    const slot = next()
    const traits = orders.traits(slot)
    rest(core, markets[positions.symbol(orders.position(slot))]!, slot)
    if (isQuote(traits)) quotes.push(slot)
    // From here on a trailing stop follows its group.
    if (isDetailed(traits) && nth < count - pending) orders.details(slot).best = 0
  }
  linkQuotes(core, quotes)
}

function readOrder(core: Core, from: ByteReader): number {
  const id = from.f64()
  const position = positionFor(core, from.i32(), from.i32())
  const traits = from.i32()
  const { orders } = core
  const [quantity, price, createdAtMs] = [from.f64(), from.f64(), from.f64()]
  const slot = orders.create(id, position, traits, quantity, price, createdAtMs)
  readProgress(core, slot, from)
  if (isDetailed(traits)) readDetails(core, slot, from)
  return slot
}

/** The position of an account in a market, for what a snapshot has of it. */
export function positionFor(core: Core, account: number, symbol: number): number {
  const market = core.market(symbol)
  if (!market || !core.accounts.has(account)) throw new SnapshotError('the snapshot has an order or a position of nobody or in no market')
  return core.positionOf(account, market)
}

function readProgress(core: Core, slot: number, from: ByteReader): void {
  const { orders } = core
  const [filled, filledNotional, fee, updatedAtMs] = [from.f64(), from.f64(), from.f64(), from.f64()]
  if (filled > 0) orders.addFill(slot, filled, filledNotional, fee, updatedAtMs)
  orders.setClientOrderId(slot, from.text())
}

/**
 * Reads the orders of a snapshot of rules 1. They were written by book and price; in order of their ids they fall into the queues just as they came, since
 * under those rules an order that loses its place in a queue always gets a new id.
 */
export function readFirstOrders(core: Core, from: ByteReader): void {
  const { orders, positions } = core
  const slots: number[] = []
  const quotes: number[] = []
  for (let left = from.i32(); left > 0; left--) {
    const id = from.f64()
    const position = positionFor(core, from.i32(), from.i32())
    const traits = fromFirstRulesTraits(from.i32())
    const [quantity, limitPrice, stopPrice, createdAtMs] = [from.f64(), from.f64(), from.f64(), from.f64()]
    const slot = orders.create(id, position, traits, quantity, limitPrice || stopPrice, createdAtMs)
    readProgress(core, slot, from)
    if (isQuote(traits)) quotes.push(slot)
    slots.push(slot)
  }
  // Sorted as plain numbers and looked up again: to compare them slot by slot would take as long as all else.
  for (const id of Float64Array.from(slots, (slot) => orders.id(slot)).sort()) {
    const slot = orders.find(id)
    rest(core, core.markets[positions.symbol(orders.position(slot))]!, slot)
  }
  linkQuotes(core, quotes)
}

/** Quotes are listed by price, best first, which is how they were written. */
function linkQuotes(core: Core, quotes: readonly number[]): void {
  const { orders, positions } = core
  if (quotes.length === 0) return
  const last = new Int32Array(positions.count * 2).fill(none)
  for (const slot of quotes) {
    const position = orders.position(slot)
    const side = sideOf(orders.traits(slot))
    const before = last[position * 2 + side]!
    orders.setPreviousQuote(slot, before)
    orders.setNextQuote(slot, none)
    if (before === none) positions.setFirstQuote(position, side, slot)
    else orders.setNextQuote(before, slot)
    last[position * 2 + side] = slot
  }
}

/** Writes one open order, to be hashed. What it holds follows from it. */
export function writeOrder(core: Core, slot: number, out: ByteWriter): void {
  const { orders, positions } = core
  const traits = orders.traits(slot)
  out.f64(orders.id(slot))
  out.i32(positions.account(orders.position(slot)))
  out.i32(positions.symbol(orders.position(slot)))
  // With the status in its upper bits.
  out.i32(traits)
  out.f64(orders.quantity(slot))
  out.f64(orders.price(slot))
  writeProgress(orders, slot, out)
  if (isDetailed(traits)) writeDetails(orders.details(slot), out)
}

function writeProgress(orders: Core['orders'], slot: number, out: ByteWriter): void {
  out.f64(orders.createdAtMs(slot))
  out.f64(orders.filled(slot))
  out.f64(orders.filledNotional(slot))
  out.f64(orders.fee(slot))
  out.f64(orders.updatedAtMs(slot))
  out.text(orders.clientOrderId(slot))
}
