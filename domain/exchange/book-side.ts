import { grownDoubles, grownInts } from './growth.ts'
import { blockBits as bits, type LevelBlocks } from './level-blocks.ts'
import type { LevelStore } from './levels.ts'
import { none as noSlot } from './no-slot.ts'
import type { OrderStore } from './orders.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const none: number = noSlot
const blockBits: number = bits
const blockSize = 1 << blockBits
/** Beyond this many a full block is split rather than only swept. */
const splitAbove = 24
/** Empty levels that are always let be. */
const emptyMin = 64

/**
 * One side of a book, or the waiting stops of one side: levels sorted by price, each a queue in order of time. The key of a price is the price
 * itself where the highest is best, its negative where the lowest is, so that the best has the greatest key.
 *
 * Levels lie in blocks of up to 32, sorted within, so that one that comes shifts a few neighbours and not half the book. One that loses its
 * last order stays, empty, so that a cancel searches nothing: it is taken again by the next order at its price, or swept when its block is
 * full, when it comes to be best, or when more levels are empty than not. A place is `rank of the block × 32 + index in it`, and is good until
 * levels change.
 */
export class BookSide {
  /** The best level, or -1 where the side is empty. */
  bestLevel: number = none
  readonly sign: 1 | -1 = 1
  // Declared only, since a private name would be `undefined` first: then the compiler would check at each use what it holds.
  declare private readonly orders: OrderStore
  declare private readonly store: LevelStore
  declare private readonly blocks: LevelBlocks
  /** By rank: a bound, that is, no key of the block is less and every key of the blocks before it is. */
  #bounds = new Float64Array(16)
  /** By rank: the block. */
  #blockAt = new Int32Array(16)
  #blockCount = 0
  #levelCount = 0
  #emptyCount = 0
  /** What `#seek` found: the rank, and the index into keys and levels. */
  #rank = 0
  #index = 0

  /** @param best which price comes first */
  constructor(best: 'highest' | 'lowest', orders: OrderStore, store: LevelStore, blocks: LevelBlocks) {
    this.sign = best === 'highest' ? 1 : -1
    this.orders = orders
    this.store = store
    this.blocks = blocks
  }

  /** Price of the best level; 0 where the side is empty. */
  get bestPrice(): number {
    return this.bestLevel === none ? 0 : this.store.price(this.bestLevel)
  }

  /** Place of the best level, or -1. */
  get bestPlace(): number {
    return this.#lastOf(this.#blockCount - 1)
  }

  /** Place of the next level, worse in price, or -1. */
  nextPlace(place: number): number {
    let next = this.#worse(place)
    while (next !== none && this.store.isEmpty(this.levelAt(next))) next = this.#worse(next)
    return next
  }

  levelAt(place: number): number {
    return this.blocks.levels[(this.#blockOf(place >> blockBits) << blockBits) | (place & (blockSize - 1))]!
  }

  /** Reads the block of levels a price belongs to, for reading ahead only. */
  glance(price: number): number {
    const block = this.#blockAt[this.#rankOf(price * this.sign)]!
    const at = block << blockBits
    const { counts, keys, levels } = this.blocks
    return (keys[at]! + keys[at | 8]! + keys[at | 16]! + keys[at | 24]! + levels[at]! + levels[at | 16]! + counts[block]!) | 0
  }

  /** Puts an order with `lots` open lots at the end of the queue at its price. */
  append(slot: number, price: number, lots: number): void {
    const key = price * this.sign
    let level = none
    let previous = none
    if (this.#seek(key)) {
      level = this.blocks.levels[this.#index]!
      previous = this.store.join(level, slot, lots)
      if (previous === none) {
        this.store.fill(level, slot, lots)
        this.#emptyCount -= 1
      }
    } else {
      level = this.store.create(price, slot, lots)
      this.#insert(key, level)
    }
    this.orders.enqueue(slot, level, previous)
  }

  /** A level has just lost its last order. */
  emptied(level: number): void {
    this.#emptyCount += 1
    if (level === this.bestLevel) this.#dropBest()
    else if (this.#emptyCount * 2 > this.#levelCount + emptyMin) this.#sweep()
  }

  /** Takes `lots` off the total of the level an order rests in: it was filled in part, or shrunk. */
  reduce(slot: number, lots: number): void {
    this.store.addQuantity(this.orders.level(slot), -lots)
  }

  #worse(place: number): number {
    return (place & (blockSize - 1)) === 0 ? this.#lastOf((place >> blockBits) - 1) : place - 1
  }

  #lastOf(rank: number): number {
    return rank < 0 ? none : (rank << blockBits) + this.blocks.counts[this.#blockOf(rank)]! - 1
  }

  /** Rank of the block that a key belongs to, if there is one. */
  #rankOf(key: number): number {
    const bounds = this.#bounds
    let rank = 0
    for (let above = this.#blockCount; above - rank > 1;) {
      const middle = (rank + above) >> 1
      if (bounds[middle]! <= key) rank = middle
      else above = middle
    }
    return rank
  }

  /** Looks for a key; true if it is there, else `#rank` and `#index` are where it belongs. */
  #seek(key: number): boolean {
    const rank = this.#rankOf(key)
    this.#rank = rank
    if (this.#blockCount === 0) return false
    const block = this.#blockOf(rank)
    const { counts, keys } = this.blocks
    let low = block << blockBits
    const end = low + counts[block]!
    for (let high = end; low < high;) {
      const middle = (low + high) >> 1
      if (keys[middle]! < key) low = middle + 1
      else high = middle
    }
    this.#index = low
    return low < end && keys[low] === key
  }

  /** Inserts a level of one order where `#seek` has just looked in vain. */
  #insert(key: number, level: number): void {
    if (this.#blockCount === 0) this.#addBlock(0, key)
    else if (this.blocks.counts[this.#blockOf(this.#rank)] === blockSize) this.#makeRoom(key)
    const { counts, keys, levels } = this.blocks
    const rank = this.#rank
    const block = this.#blockOf(rank)
    const count = counts[block]!
    const index = this.#index
    const end = (block << blockBits) + count
    for (let at = end; at > index; at--) {
      keys[at] = keys[at - 1]!
      levels[at] = levels[at - 1]!
    }
    keys[index] = key
    levels[index] = level
    counts[block] = count + 1
    if (key < this.#bounds[rank]!) this.#bounds[rank] = key
    if (index === end && rank === this.#blockCount - 1) this.bestLevel = level
    this.#levelCount += 1
  }

  /** Takes the best level away, and the empty ones behind it. */
  #dropBest(): void {
    let rank = this.#blockCount - 1
    for (; rank >= 0; rank--) {
      const block = this.#blockOf(rank)
      let count = this.blocks.counts[block]!
      for (; count > 0; count--) {
        const level = this.blocks.levels[(block << blockBits) + count - 1]!
        if (!this.store.isEmpty(level)) {
          this.blocks.counts[block] = count
          this.bestLevel = level
          return
        }
        this.#forget(level)
      }
      this.#dropBlock(rank)
    }
    this.bestLevel = none
  }

  #forget(level: number): void {
    this.store.release(level)
    this.#levelCount -= 1
    this.#emptyCount -= 1
  }

  /** Makes room in the full block at `#rank`, by sweeping or splitting it, and points `#rank` and `#index` to where the key belongs now. */
  #makeRoom(key: number): void {
    const rank = this.#rank
    const block = this.#blockOf(rank)
    this.#sweepBlock(block)
    if (this.blocks.counts[block]! > splitAbove) this.#split(rank)
    this.#seek(key)
  }

  #split(rank: number): void {
    const block = this.#blockOf(rank)
    const kept = this.blocks.counts[block]! >> 1
    const moved = this.blocks.counts[block]! - kept
    const middle = (block << blockBits) + kept
    this.#addBlock(rank + 1, this.blocks.keys[middle]!)
    const to = this.#blockOf(rank + 1)
    this.blocks.move(middle, to << blockBits, moved)
    this.blocks.counts[block] = kept
    this.blocks.counts[to] = moved
  }

  /** Sweeps all blocks, and joins small neighbours, so that what is left is dense. */
  #sweep(): void {
    for (let rank = this.#blockCount - 1; rank >= 0; rank--) {
      this.#sweepBlock(this.#blockOf(rank))
      this.#joinWithNext(rank)
    }
  }

  /** Takes the empty levels out of a block. */
  #sweepBlock(block: number): void {
    const keys = this.blocks.keys
    const levels = this.blocks.levels
    let to = block << blockBits
    const start = to
    const end = to + this.blocks.counts[block]!
    for (let at = start; at < end; at++) {
      const level = levels[at]!
      if (this.store.isEmpty(level)) {
        this.#forget(level)
        continue
      }
      keys[to] = keys[at]!
      levels[to] = level
      to += 1
    }
    this.blocks.counts[block] = to - start
  }

  /** Takes the next block into this one if both together are small, an empty one in any case. */
  #joinWithNext(rank: number): void {
    if (rank + 1 >= this.#blockCount) return
    const into = this.#blockOf(rank)
    const from = this.#blockOf(rank + 1)
    const count = this.blocks.counts[into]!
    const moved = this.blocks.counts[from]!
    if (count + moved > splitAbove) return
    this.blocks.move(from << blockBits, (into << blockBits) + count, moved)
    this.blocks.counts[into] = count + moved
    this.#dropBlock(rank + 1)
  }

  #blockOf(rank: number): number {
    return this.#blockAt[rank]!
  }

  #addBlock(rank: number, bound: number): void {
    const block = this.blocks.take()
    if (this.#blockCount === this.#bounds.length) {
      this.#bounds = grownDoubles(this.#bounds, this.#blockCount * 2)
      this.#blockAt = grownInts(this.#blockAt, this.#blockCount * 2)
    }
    this.#bounds.copyWithin(rank + 1, rank, this.#blockCount)
    this.#blockAt.copyWithin(rank + 1, rank, this.#blockCount)
    this.#bounds[rank] = bound
    this.#blockAt[rank] = block
    this.#blockCount += 1
    this.#rank = rank
    this.#index = block << blockBits
  }

  #dropBlock(rank: number): void {
    this.blocks.release(this.#blockOf(rank))
    this.#bounds.copyWithin(rank, rank + 1, this.#blockCount)
    this.#blockAt.copyWithin(rank, rank + 1, this.#blockCount)
    this.#blockCount -= 1
  }
}

/**
 * Takes an order with `lots` open lots out of its queue in a side. The tables are handed in rather than read by way of the side, so that the
 * level is fetched from memory while it is still being found out which side that is.
 */
export function leaveQueue(orders: OrderStore, levels: LevelStore, side: BookSide, slot: number, lots: number): void {
  const level = orders.level(slot)
  const left = levels.leave(level, lots, orders.previous(slot), orders.next(slot))
  if (left === 0) side.emptied(level)
  else orders.dequeue(slot)
}
