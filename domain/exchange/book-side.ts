import { grownDoubles, grownInts } from './growth.ts'
import type { LevelStore } from './levels.ts'
import { none, type OrderStore } from './orders.ts'

const blockBits = 5
/** Levels in one block. Larger blocks shift more, smaller ones make the list of blocks longer. */
const blockSize = 1 << blockBits
/** A block with fewer is joined with its neighbour if both fit well into one. */
const joinBelow = 8

/**
 * One side of a book, or the waiting stops of one side: levels sorted by price, each a queue in order of time. The key of a price is the price
 * itself where the highest is best, its negative where the lowest is, so that the best has the greatest key.
 *
 * Levels lie in blocks of up to 32, sorted within, so that one that comes or goes shifts a few neighbours and not half the book. A place is
 * `rank of the block × 32 + index in it`, and is good until levels change.
 */
export class BookSide {
  /** The best level, or -1 where the side is empty. */
  bestLevel: number = none
  readonly sign: 1 | -1
  readonly #orders: OrderStore
  readonly #store: LevelStore
  /** By rank: the block, and a bound: no key in it is less, and every key of the blocks before it is. */
  #blocks = new Int32Array(4)
  #bounds = new Float64Array(4)
  #blockCount = 0
  /** By block: how many levels; then 32 places each of keys and levels. */
  #counts = new Int32Array(4)
  #keys = new Float64Array(4 * blockSize)
  #levels = new Int32Array(4 * blockSize)
  #usedBlocks = 0
  readonly #freeBlocks: number[] = []
  /** What `#seek` found: the rank, and the index into keys and levels. */
  #rank = 0
  #index = 0

  /** @param best which price comes first */
  constructor(best: 'highest' | 'lowest', orders: OrderStore, store: LevelStore) {
    this.sign = best === 'highest' ? 1 : -1
    this.#orders = orders
    this.#store = store
  }

  /** Price of the best level; 0 where the side is empty. */
  get bestPrice(): number {
    return this.bestLevel === none ? 0 : this.#store.price(this.bestLevel)
  }

  /** Place of the best level, or -1. */
  get bestPlace(): number {
    return this.#lastOf(this.#blockCount - 1)
  }

  /** Place of the next level, worse in price, or -1. */
  nextPlace(place: number): number {
    return (place & (blockSize - 1)) === 0 ? this.#lastOf((place >> blockBits) - 1) : place - 1
  }

  levelAt(place: number): number {
    return this.#levels[(this.#blocks[place >> blockBits]! << blockBits) | (place & (blockSize - 1))]!
  }

  /** Puts an order with `lots` open lots at the end of the queue at its price. */
  append(slot: number, price: number, lots: number): void {
    const key = price * this.sign
    if (!this.#seek(key)) this.#insert(key, this.#store.create(price))
    const level = this.#levels[this.#index]!
    const levels = this.#store
    const orders = this.#orders
    const last = levels.last(level)
    orders.setLevel(slot, level)
    orders.setPrevious(slot, last)
    orders.setNext(slot, none)
    if (last === none) levels.setFirst(level, slot)
    else orders.setNext(last, slot)
    levels.setLast(level, slot)
    levels.setQuantity(level, levels.quantity(level) + lots)
    levels.setCount(level, levels.count(level) + 1)
  }

  /** Takes an order with `lots` open lots out of its queue, and the level away with its last order. */
  remove(slot: number, lots: number): void {
    const levels = this.#store
    const orders = this.#orders
    const level = orders.level(slot)
    const count = levels.count(level) - 1
    orders.setLevel(slot, none)
    if (count === 0) {
      this.#removeLevel(level)
      return
    }
    const previous = orders.previous(slot)
    const next = orders.next(slot)
    if (previous === none) levels.setFirst(level, next)
    else orders.setNext(previous, next)
    if (next === none) levels.setLast(level, previous)
    else orders.setPrevious(next, previous)
    levels.setCount(level, count)
    levels.setQuantity(level, levels.quantity(level) - lots)
  }

  /** Takes `lots` off the total of the level an order rests in: it was filled in part, or shrunk. */
  reduce(slot: number, lots: number): void {
    const level = this.#orders.level(slot)
    this.#store.setQuantity(level, this.#store.quantity(level) - lots)
  }

  #lastOf(rank: number): number {
    return rank < 0 ? none : (rank << blockBits) + this.#counts[this.#blocks[rank]!]! - 1
  }

  /** Looks for a key; true if it is there, else `#rank` and `#index` are where it belongs. */
  #seek(key: number): boolean {
    const bounds = this.#bounds
    let rank = 0
    for (let above = this.#blockCount; above - rank > 1;) {
      const middle = (rank + above) >> 1
      if (bounds[middle]! <= key) rank = middle
      else above = middle
    }
    this.#rank = rank
    if (this.#blockCount === 0) return false
    const block = this.#blocks[rank]!
    const keys = this.#keys
    let low = block << blockBits
    const end = low + this.#counts[block]!
    for (let high = end; low < high;) {
      const middle = (low + high) >> 1
      if (keys[middle]! < key) low = middle + 1
      else high = middle
    }
    this.#index = low
    return low < end && keys[low] === key
  }

  /** Inserts where `#seek` has just looked in vain. */
  #insert(key: number, level: number): void {
    if (this.#blockCount === 0) this.#addBlock(0, key)
    else if (this.#counts[this.#blocks[this.#rank]!] === blockSize) this.#split(key)
    const keys = this.#keys
    const levels = this.#levels
    const rank = this.#rank
    const block = this.#blocks[rank]!
    const count = this.#counts[block]!
    const index = this.#index
    for (let at = (block << blockBits) + count; at > index; at--) {
      keys[at] = keys[at - 1]!
      levels[at] = levels[at - 1]!
    }
    keys[index] = key
    levels[index] = level
    this.#counts[block] = count + 1
    if (key < this.#bounds[rank]!) this.#bounds[rank] = key
    this.#findBest()
  }

  #removeLevel(level: number): void {
    this.#seek(this.#store.price(level) * this.sign)
    const keys = this.#keys
    const levels = this.#levels
    const block = this.#blocks[this.#rank]!
    const count = this.#counts[block]! - 1
    const end = (block << blockBits) + count
    for (let at = this.#index; at < end; at++) {
      keys[at] = keys[at + 1]!
      levels[at] = levels[at + 1]!
    }
    this.#counts[block] = count
    this.#store.release(level)
    if (count < joinBelow) this.#join(this.#rank)
    this.#findBest()
  }

  #findBest(): void {
    const place = this.#lastOf(this.#blockCount - 1)
    this.bestLevel = place === none ? none : this.levelAt(place)
  }

  /** Moves the upper half of the full block at `#rank` into a new one, and points `#rank` and `#index` to where the key belongs now. */
  #split(key: number): void {
    const rank = this.#rank
    const block = this.#blocks[rank]!
    const middle = (block << blockBits) + blockSize / 2
    this.#addBlock(rank + 1, this.#keys[middle]!)
    const to = this.#blocks[rank + 1]!
    this.#move(middle, to << blockBits, blockSize / 2)
    this.#counts[block] = blockSize / 2
    this.#counts[to] = blockSize / 2
    this.#seek(key)
  }

  /** Removes an empty block, or joins a small one with the one before or after it. */
  #join(rank: number): void {
    const count = this.#counts[this.#blocks[rank]!]!
    if (count === 0) this.#dropBlock(rank)
    else if (rank > 0) this.#joinWithNext(rank - 1)
    else if (this.#blockCount > 1) this.#joinWithNext(rank)
  }

  #joinWithNext(rank: number): void {
    const into = this.#blocks[rank]!
    const from = this.#blocks[rank + 1]!
    const count = this.#counts[into]!
    const moved = this.#counts[from]!
    if (count + moved > blockSize / 2) return
    this.#move(from << blockBits, (into << blockBits) + count, moved)
    this.#counts[into] = count + moved
    this.#dropBlock(rank + 1)
  }

  #move(from: number, to: number, count: number): void {
    this.#keys.copyWithin(to, from, from + count)
    this.#levels.copyWithin(to, from, from + count)
  }

  #addBlock(rank: number, bound: number): void {
    const block = this.#freeBlocks.pop() ?? this.#usedBlocks++
    if (block === this.#counts.length) {
      this.#counts = grownInts(this.#counts, block * 2)
      this.#keys = grownDoubles(this.#keys, block * 2 * blockSize)
      this.#levels = grownInts(this.#levels, block * 2 * blockSize)
      this.#blocks = grownInts(this.#blocks, block * 2)
      this.#bounds = grownDoubles(this.#bounds, block * 2)
    }
    this.#blocks.copyWithin(rank + 1, rank, this.#blockCount)
    this.#bounds.copyWithin(rank + 1, rank, this.#blockCount)
    this.#blocks[rank] = block
    this.#bounds[rank] = bound
    this.#counts[block] = 0
    this.#blockCount += 1
    this.#rank = rank
    this.#index = block << blockBits
  }

  #dropBlock(rank: number): void {
    this.#freeBlocks.push(this.#blocks[rank]!)
    this.#blocks.copyWithin(rank, rank + 1, this.#blockCount)
    this.#bounds.copyWithin(rank, rank + 1, this.#blockCount)
    this.#blockCount -= 1
  }
}
