import { intTable, roomFor } from './growth.ts'
import { none } from './no-slot.ts'
import { OlderOrders } from './older-orders.ts'

/** Places of the ring for each order that is open, at least: so an order is one of the newest until four times as many have come. */
const placesPerOrder = 4

/**
 * Finds the slot of an order by its id. Ids are given out one after another, so an order among the newest has the place of its low bits in a
 * ring: the next order writes beside the one before, and a look reads one integer. An order that is still open when a newer one needs its
 * place moves to a hash table. Whole ids are in the orders' records (8 doubles, the id first), which are handed in to compare with.
 */
export class OrderIndex {
  /** Slot + 1, or 0. */
  #ring = intTable(4_096)
  #mask = 4_095
  #count = 0
  readonly #older = new OlderOrders()

  /** The slot of an order, or -1. */
  find(id: number, records: Float64Array): number {
    const slot = this.#ring[id & this.#mask]! - 1
    if (slot !== none && records[slot << 3] === id) return slot
    return this.#older.find(id, records)
  }

  /** The slot of an order among the newest; else that of another, or the first. */
  likely(id: number): number {
    const slot = this.#ring[id & this.#mask]! - 1
    return slot & ~(slot >> 31)
  }

  /** Adds an order whose record has its id already. */
  add(id: number, slot: number, records: Float64Array): void {
    if (this.#count * placesPerOrder > this.#mask) this.#grow(records)
    const place = id & this.#mask
    const before = this.#ring[place]! - 1
    if (before !== none) this.#older.add(records[before << 3]!, before)
    this.#ring[place] = slot + 1
    this.#count += 1
  }

  /** Makes room for so many orders; before there is any. */
  reserve(orders: number): void {
    this.#ring = intTable(roomFor(orders * placesPerOrder + 1, this.#ring.length))
    this.#mask = this.#ring.length - 1
  }

  /** Removes an order that is in it. */
  remove(id: number, slot: number): void {
    const place = id & this.#mask
    if (this.#ring[place] === slot + 1) this.#ring[place] = 0
    else this.#older.remove(id, slot)
    this.#count -= 1
  }

  /** Doubles the ring. Orders that gave way to newer ones stay where they are. */
  #grow(records: Float64Array): void {
    const old = this.#ring
    this.#ring = intTable(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    for (const entry of old) {
      if (entry !== 0) this.#ring[records[(entry - 1) << 3]! & this.#mask] = entry
    }
  }
}
