import { asInts, intTable, grownInts, recordDoubles } from './growth.ts'
import { none as noSlot } from './no-slot.ts'

/** A constant of this module is folded into the machine code; an imported one is looked up at each use. */
const none: number = noSlot

/**
 * Record of a side of a book, 64 bytes, one cache line: what nearly every order asks of it. Doubles come first (`At` counts doubles), then integers (`IntAt` counts
 * integers).
 */
const recordBytes = 64
const bestKeyAt = 0
/** Two trees, by the low bit of where they begin: neighbours are never in each other's way. */
const nearSpanAt = 1
const bestLevelIntAt = 8
const nearRootIntAt = 10

/**
 * What is asked most of sides of books, side by side: the best level and its key, and two of the trees its levels lie in. The objects they belong to
 * are many lines each, and with many markets none of those is in the nearest cache when it is asked for.
 */
export class BookRecords {
  #capacity = 64
  #doubles = recordDoubles(this.#capacity, recordBytes)
  #ints = asInts(this.#doubles)
  #used = 0
  #free = intTable(64)
  #freeCount = 0

  /** A record of an empty side. */
  take(): number {
    if (this.#freeCount === 0 && this.#used === this.#capacity) this.#grow()
    const book = this.#freeCount === 0 ? (this.#used += 1) - 1 : this.#free[(this.#freeCount -= 1)]!
    this.#doubles[(book << 3) | nearSpanAt] = Number.NaN
    this.#doubles[((book << 3) | nearSpanAt) + 1] = Number.NaN
    this.setBest(book, none, Number.NaN)
    return book
  }

  /** Gives a record back whose side is gone. */
  release(book: number): void {
    this.#free[this.#freeCount] = book
    this.#freeCount += 1
  }

  /** The best level, or -1 where the side is empty. */
  bestLevel(book: number): number {
    return this.#ints[(book << 4) | bestLevelIntAt]!
  }
  /** Its key; NaN, which is neither more nor less than any, where the side is empty. */
  bestKey(book: number): number {
    return this.#doubles[(book << 3) | bestKeyAt]!
  }
  setBest(book: number, level: number, key: number): void {
    this.#ints[(book << 4) | bestLevelIntAt] = level
    this.#doubles[(book << 3) | bestKeyAt] = key
  }

  /** Root of the tree that begins at so many spans, or -1 where it is not one of the two that are remembered. */
  nearRoot(book: number, at: number): number {
    const nth = at & 1
    return this.#doubles[((book << 3) | nearSpanAt) + nth] === at ? this.#ints[((book << 4) | nearRootIntAt) + nth]! : none
  }
  remember(book: number, at: number, root: number): void {
    const nth = at & 1
    this.#doubles[((book << 3) | nearSpanAt) + nth] = at
    this.#ints[((book << 4) | nearRootIntAt) + nth] = root
  }
  /** The tree that begins at so many spans is gone. */
  forget(book: number, at: number): void {
    const place = ((book << 3) | nearSpanAt) + (at & 1)
    if (this.#doubles[place] === at) this.#doubles[place] = Number.NaN
  }

  #grow(): void {
    this.#capacity *= 2
    this.#doubles = recordDoubles(this.#capacity, recordBytes, this.#doubles)
    this.#ints = asInts(this.#doubles)
    this.#free = grownInts(this.#free, this.#capacity)
  }
}
