import { asInts, grownInts, intTable, recordDoubles } from './growth.ts'
import { none as noSlot } from './no-slot.ts'

/** A constant of this module is folded into the machine code; an imported one is looked up at each use. */
const none: number = noSlot

/** Record of a level, 32 bytes, two to a cache line: doubles first (`At` counts doubles), then integers (`IntAt` counts integers). */
const levelBytes = 32
const priceAt = 0
const quantityAt = 1
const firstIntAt = 4
const lastIntAt = 5
const countIntAt = 6
const placeIntAt = 7

/** Price levels of all books: price and total of open lots, first and last order, their number, and the place in `LevelTree`. */
export class LevelStore {
  #capacity = 1_024
  #doubles = recordDoubles(this.#capacity, levelBytes)
  #ints = asInts(this.#doubles)
  #used = 0
  /** Levels that were given back, the last to be taken first. */
  #free = intTable(1_024)
  #freeCount = 0

  /** A level of one order. */
  create(price: number, slot: number, lots: number, place: number): number {
    const level = this.#freeCount === 0 ? this.#nextUnused() : this.#free[(this.#freeCount -= 1)]!
    const doubles = this.#doubles
    doubles[(level << 2) | priceAt] = price
    doubles[(level << 2) | quantityAt] = lots
    const ints = this.#ints
    const at = level << 3
    ints[at | firstIntAt] = slot
    ints[at | lastIntAt] = slot
    ints[at | countIntAt] = 1
    ints[at | placeIntAt] = place
    return level
  }

  release(level: number): void {
    this.#free[this.#freeCount] = level
    this.#freeCount += 1
  }

  /** Puts an order behind the others, and returns the one before it. */
  join(level: number, slot: number, lots: number): number {
    const ints = this.#ints
    const at = level << 3
    const last = ints[at | lastIntAt]!
    ints[at | lastIntAt] = slot
    ints[at | countIntAt] = ints[at | countIntAt]! + 1
    this.addQuantity(level, lots)
    return last
  }

  /** Takes an order out that stands between these two (-1: nobody), and returns how many are left. */
  leave(level: number, lots: number, previous: number, next: number): number {
    const ints = this.#ints
    const at = level << 3
    const left = ints[at | countIntAt]! - 1
    ints[at | countIntAt] = left
    if (left === 0) return 0
    if (previous === none) ints[at | firstIntAt] = next
    if (next === none) ints[at | lastIntAt] = previous
    this.addQuantity(level, -lots)
    return left
  }

  price(level: number): number {
    return this.#doubles[(level << 2) | priceAt]!
  }
  /** Open lots of its orders, of which there is one at least. */
  quantity(level: number): number {
    return this.#doubles[(level << 2) | quantityAt]!
  }
  addQuantity(level: number, lots: number): void {
    const at = (level << 2) | quantityAt
    this.#doubles[at] = this.#doubles[at]! + lots
  }
  /** The oldest order, of a level that has one. */
  first(level: number): number {
    return this.#ints[(level << 3) | firstIntAt]!
  }
  /** Where it lies in `LevelTree`. */
  place(level: number): number {
    return this.#ints[(level << 3) | placeIntAt]!
  }
  /** Orders in it. */
  count(level: number): number {
    return this.#ints[(level << 3) | countIntAt]!
  }

  #nextUnused(): number {
    if (this.#used === this.#capacity) this.#grow()
    this.#used += 1
    return this.#used - 1
  }

  #grow(): void {
    this.#capacity *= 2
    this.#doubles = recordDoubles(this.#capacity, levelBytes, this.#doubles)
    this.#ints = asInts(this.#doubles)
    this.#free = grownInts(this.#free, this.#capacity)
  }
}
