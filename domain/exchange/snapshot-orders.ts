import type { ByteReader, ByteWriter } from './bytes.ts'
import { SnapshotError } from './bytes.ts'
import type { Core } from './core.ts'
import { rest } from './open-orders.ts'
import { none } from './no-slot.ts'
import { isQuote, sideOf } from './traits.ts'

/** Writes one resting order. What it holds, and its place in lists, follow from it. */
export function writeOrder(core: Core, slot: number, out: ByteWriter): void {
  const { orders, positions } = core
  out.f64(orders.id(slot))
  out.i32(positions.account(orders.position(slot)))
  out.i32(positions.symbol(orders.position(slot)))
  // With the status in its upper bits.
  out.i32(orders.traits(slot))
  out.f64(orders.quantity(slot))
  out.f64(orders.limitPrice(slot))
  out.f64(orders.stopPrice(slot))
  out.f64(orders.createdAtMs(slot))
  out.f64(orders.filled(slot))
  out.f64(orders.filledNotional(slot))
  out.f64(orders.fee(slot))
  out.f64(orders.updatedAtMs(slot))
  out.text(orders.clientOrderId(slot))
}

/**
 * Reads the orders and rests them again. They were written by book and price; in order of their ids they fall into the queues and the
 * lists of their accounts just as they came, since an order that loses its place in a queue always gets a new id.
 */
export function readOrders(core: Core, from: ByteReader): void {
  const slots: number[] = []
  for (let left = from.i32(); left > 0; left--) slots.push(readOrder(core, from))
  const { orders, positions } = core
  // Sorted as plain numbers and looked up again: to compare them slot by slot would take as long as all else.
  for (const id of Float64Array.from(slots, (slot) => orders.id(slot)).sort()) {
    const slot = orders.find(id)
    rest(core, core.markets[positions.symbol(orders.position(slot))]!, slot)
  }
  linkQuotes(core, slots)
}

function readOrder(core: Core, from: ByteReader): number {
  const id = from.f64()
  const account = from.i32()
  const market = core.market(from.i32())
  if (!market || !core.accounts.has(account)) throw new SnapshotError('the snapshot has an order of nobody or in no market')
  const position = core.positionOf(account, market)
  const traits = from.i32()
  const { orders } = core
  const [quantity, limitPrice, stopPrice, createdAtMs] = [from.f64(), from.f64(), from.f64(), from.f64()]
  const slot = orders.create(id, position, traits, quantity, limitPrice || stopPrice, createdAtMs)
  const [filled, filledNotional, fee, updatedAtMs] = [from.f64(), from.f64(), from.f64(), from.f64()]
  if (filled > 0) orders.addFill(slot, filled, filledNotional, fee, updatedAtMs)
  orders.setClientOrderId(slot, from.text())
  return slot
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
