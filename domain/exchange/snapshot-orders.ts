import type { ByteReader, ByteWriter } from './bytes.ts'
import { SnapshotError } from './bytes.ts'
import type { Core } from './core.ts'
import { rest } from './open-orders.ts'
import { none } from './no-slot.ts'
import { detailsOf, type OrderDetails } from './order-details.ts'
import { TimerKind } from './timers.ts'
import { firstRulesTraits, fromFirstRulesTraits, isDetailed, isQuote, sideOf } from './traits.ts'

/** Writes one open order, for a snapshot or to be hashed. What it holds, and its place in lists, follow from it. */
export function writeOrder(core: Core, slot: number, out: ByteWriter): void {
  const { orders } = core
  const traits = orders.traits(slot)
  writeOwner(core, slot, out)
  // With the status in its upper bits.
  out.i32(traits)
  out.f64(orders.quantity(slot))
  out.f64(orders.price(slot))
  writeProgress(core, slot, out)
  if (!isDetailed(traits)) return
  const details = orders.details(slot)
  for (const figure of detailFigures) out.f64(details[figure])
  out.f64(details.trail?.best ?? 0)
  out.f64(details.isShared ? 1 : 0)
}

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

/** The same as releases wrote it that knew only rules 1. */
export function writeFirstOrder(core: Core, slot: number, out: ByteWriter): void {
  const { orders } = core
  writeOwner(core, slot, out)
  out.i32(firstRulesTraits(orders.traits(slot)))
  out.f64(orders.quantity(slot))
  out.f64(orders.limitPrice(slot))
  out.f64(orders.stopPrice(slot))
  writeProgress(core, slot, out)
}

function writeOwner(core: Core, slot: number, out: ByteWriter): void {
  const { orders, positions } = core
  out.f64(orders.id(slot))
  out.i32(positions.account(orders.position(slot)))
  out.i32(positions.symbol(orders.position(slot)))
}

function writeProgress(core: Core, slot: number, out: ByteWriter): void {
  const { orders } = core
  out.f64(orders.createdAtMs(slot))
  out.f64(orders.filled(slot))
  out.f64(orders.filledNotional(slot))
  out.f64(orders.fee(slot))
  out.f64(orders.updatedAtMs(slot))
  out.text(orders.clientOrderId(slot))
}

/** Reads the orders and rests them again as they were written, by book, price and place in the queue; those that wait in lists come after them. @returns how many */
export function readOrders(core: Core, from: ByteReader): number {
  const slots: number[] = []
  const count = from.i32()
  const pending = from.i32()
  for (let left = count - pending; left > 0; left--) {
    const slot = readOrder(core, from)
    slots.push(slot)
    rest(core, core.markets[core.positions.symbol(core.orders.position(slot))]!, slot)
    forgetBest(core, slot)
  }
  linkQuotes(core, slots)
  return pending
}

/** From here on a trailing stop follows its group. */
function forgetBest(core: Core, slot: number): void {
  if (isDetailed(core.orders.traits(slot))) core.orders.details(slot).best = 0
}

/** Reads one order, which is not rested yet. */
export function readOrder(core: Core, from: ByteReader): number {
  const id = from.f64()
  const position = readPosition(core, from)
  const traits = from.i32()
  const { orders } = core
  const [quantity, price, createdAtMs] = [from.f64(), from.f64(), from.f64()]
  const slot = orders.create(id, position, traits, quantity, price, createdAtMs)
  readProgress(core, slot, from)
  if (!isDetailed(traits)) return slot
  const details = detailsOf(null)
  for (const figure of detailFigures) details[figure] = from.f64() as never
  details.best = from.f64()
  details.isShared = from.f64() === 1
  orders.setDetails(slot, details)
  if (details.expiresAtMs > 0) core.timers.add({ dueMs: details.expiresAtMs, kind: TimerKind.orderExpiry, subject: id })
  return slot
}

function readPosition(core: Core, from: ByteReader): number {
  const account = from.i32()
  const market = core.market(from.i32())
  if (!market || !core.accounts.has(account)) throw new SnapshotError('the snapshot has an order of nobody or in no market')
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
  for (let left = from.i32(); left > 0; left--) {
    const id = from.f64()
    const position = readPosition(core, from)
    const traits = fromFirstRulesTraits(from.i32())
    const [quantity, limitPrice, stopPrice, createdAtMs] = [from.f64(), from.f64(), from.f64(), from.f64()]
    const slot = orders.create(id, position, traits, quantity, limitPrice || stopPrice, createdAtMs)
    readProgress(core, slot, from)
    slots.push(slot)
  }
  // Sorted as plain numbers and looked up again: to compare them slot by slot would take as long as all else.
  for (const id of Float64Array.from(slots, (slot) => orders.id(slot)).sort()) {
    const slot = orders.find(id)
    rest(core, core.markets[positions.symbol(orders.position(slot))]!, slot)
  }
  linkQuotes(core, slots)
}

/** Quotes are listed by price, best first, which is how they were written. */
function linkQuotes(core: Core, slots: readonly number[]): void {
  const { orders, positions } = core
  const last = new Int32Array(positions.count * 2).fill(none)
  for (const slot of slots) {
    const traits = orders.traits(slot)
    if (!isQuote(traits)) continue
    const position = orders.position(slot)
    const side = sideOf(traits)
    const before = last[position * 2 + side]!
    orders.setPreviousQuote(slot, before)
    orders.setNextQuote(slot, none)
    if (before === none) positions.setFirstQuote(position, side, slot)
    else orders.setNextQuote(before, slot)
    last[position * 2 + side] = slot
  }
}
