import type { ByteReader, ByteWriter } from './bytes.ts'
import { SnapshotError } from './bytes.ts'
import type { Core } from './core.ts'
import { rest } from './open-orders.ts'
import { none } from './orders.ts'
import type { OrderStatus } from './outcome.ts'
import { isQuote, sideOf } from './traits.ts'

/** Writes one resting order. What it holds, and its place in lists, follow from it. */
export function writeOrder(core: Core, slot: number, out: ByteWriter): void {
  const { orders } = core
  out.f64(orders.id(slot))
  out.i32(orders.account(slot))
  out.i32(orders.symbol(slot))
  out.i32(orders.traits(slot))
  out.i32(orders.status(slot))
  out.f64(orders.quantity(slot))
  out.f64(orders.filled(slot))
  out.f64(orders.price(slot))
  out.f64(orders.stopPrice(slot))
  out.f64(orders.filledNotional(slot))
  out.f64(orders.fee(slot))
  out.f64(orders.createdAtMs(slot))
  out.f64(orders.updatedAtMs(slot))
  out.text(orders.clientOrderIds[slot]!)
}

/**
 * Reads the orders and rests them again. They were written by book and price; in order of their ids they fall into the queues and the
 * lists of their accounts just as they came, since an order that loses its place in a queue always gets a new id.
 */
export function readOrders(core: Core, from: ByteReader): void {
  const slots: number[] = []
  for (let left = from.i32(); left > 0; left--) slots.push(readOrder(core, from))
  const { orders } = core
  const byId = slots.toSorted((a, b) => orders.id(a) - orders.id(b))
  for (const slot of byId) rest(core, core.markets[orders.symbol(slot)]!, slot)
  linkQuotes(core, slots)
}

function readOrder(core: Core, from: ByteReader): number {
  const { orders } = core
  const id = from.f64()
  const account = from.i32()
  const market = core.market(from.i32())
  if (!market || !core.accounts.has(account)) throw new SnapshotError('the snapshot has an order of nobody or in no market')
  const slot = orders.create(id, account, core.positionOf(account, market), market.symbol, from.i32())
  orders.setStatus(slot, from.i32() as OrderStatus)
  orders.setQuantity(slot, from.f64())
  orders.setFilled(slot, from.f64())
  orders.setPrice(slot, from.f64())
  orders.setStopPrice(slot, from.f64())
  orders.setFilledNotional(slot, from.f64())
  orders.setFee(slot, from.f64())
  orders.setCreatedAtMs(slot, from.f64())
  orders.setUpdatedAtMs(slot, from.f64())
  orders.clientOrderIds[slot] = from.text()
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
    orders.setOwnerPrevious(slot, before)
    orders.setOwnerNext(slot, none)
    if (before === none) positions.setFirstQuote(position, side, slot)
    else orders.setOwnerNext(before, slot)
    last[position * 2 + side] = slot
  }
}
