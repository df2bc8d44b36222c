import type { BookRecords } from './book-records.ts'
import { grownDoubles, grownInts } from './growth.ts'
import { spanOfTree, type LevelTree } from './level-tree.ts'
import type { LevelStore } from './levels.ts'
import { none as noSlot } from './no-slot.ts'
import type { OrderStore } from './orders.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const none: number = noSlot
const span: number = spanOfTree

/** The tables that all sides have in common. */
export interface BookStores {
  readonly orders: OrderStore
  readonly levels: LevelStore
  readonly levelTree: LevelTree
}

/**
 * One side of a book, or the waiting stops of one side: levels by price, each a queue in order of time. The key of a price is the price
 * itself where the highest is best, its negative where the lowest is, so that the best has the greatest key.
 *
 * Levels lie in trees of 32,768 keys each (`LevelTree`); nearly always there are one or two of them, sorted by the keys they begin at.
 */
export class BookSide {
  readonly sign: 1 | -1 = 1
  /** Its record in `BookRecords`. */
  readonly book: number = 0
  // Declared only, since a private name would be `undefined` first: then the compiler would check at each use what it holds.
  declare private readonly records: BookRecords
  declare private readonly orders: OrderStore
  declare private readonly store: LevelStore
  declare private readonly tree: LevelTree
  /** By rank, ascending: the least key of a tree, in spans. */
  #spans = new Float64Array(4)
  /** By rank: its root. */
  #roots = new Int32Array(4)
  #treeCount = 0

  /** @param best which price comes first */
  constructor(best: 'highest' | 'lowest', { orders, levels, levelTree }: BookStores, records: BookRecords) {
    this.sign = best === 'highest' ? 1 : -1
    this.records = records
    this.book = records.take()
    this.orders = orders
    this.store = levels
    this.tree = levelTree
  }

  /** Gives up what it has in common tables; it must be empty. */
  release(): void {
    this.records.release(this.book)
  }

  /** The best level, or -1 where the side is empty. */
  get bestLevel(): number {
    return this.records.bestLevel(this.book)
  }

  /** Key of the best level; NaN where the side is empty. */
  get bestKey(): number {
    return this.records.bestKey(this.book)
  }

  /** Price of the best level; 0 where the side is empty. */
  get bestPrice(): number {
    return this.bestLevel === none ? 0 : this.bestKey * this.sign
  }

  /** The next level, worse in price, or -1. */
  levelAfter(level: number): number {
    const below = this.tree.below(this.store.place(level))
    return below === none ? this.#lastBefore(level) : below
  }

  /** Puts an order with `lots` open lots at the end of the queue at its price. */
  append(slot: number, price: number, lots: number): void {
    const key = price * this.sign
    const at = Math.floor(key / span)
    const near = this.records.nearRoot(this.book, at)
    const place = this.tree.placeFor(near === none ? this.#rootAt(at) : near, (key - at * span) | 0)
    let level = this.tree.levelAt(place)
    let previous = none
    if (level !== none) previous = this.store.join(level, slot, lots)
    else {
      level = this.store.create(price, slot, lots, place)
      this.tree.put(place, level)
      if (!(key <= this.bestKey)) this.records.setBest(this.book, level, key)
    }
    this.orders.enqueue(slot, level, previous)
  }

  /** A level has just lost its last order. */
  emptied(level: number): void {
    if (level === this.bestLevel) {
      const next = this.levelAfter(level)
      this.records.setBest(this.book, next, next === none ? Number.NaN : this.store.price(next) * this.sign)
    }
    if (this.tree.remove(this.store.place(level))) this.#dropTree(this.#rankOf(Math.floor((this.store.price(level) * this.sign) / span)))
    this.store.release(level)
  }

  /** Takes `lots` off the total of the level an order rests in: it was filled in part, or shrunk. */
  reduce(slot: number, lots: number): void {
    this.store.addQuantity(this.orders.level(slot), -lots)
  }

  /** The best level of the tree before that of a level, or -1. */
  #lastBefore(level: number): number {
    const rank = this.#rankOf(Math.floor((this.store.price(level) * this.sign) / span))
    return rank === 0 ? none : this.tree.greatest(this.#roots[rank - 1]!)
  }

  /** Rank of the last tree that begins at or below so many spans, or -1. */
  #rankOf(at: number): number {
    const spans = this.#spans
    let rank = -1
    for (let above = this.#treeCount; above - rank > 1;) {
      const middle = (rank + above) >> 1
      if (spans[middle]! <= at) rank = middle
      else above = middle
    }
    return rank
  }

  /** Root of the tree that begins at so many spans, made where there is none. */
  #rootAt(at: number): number {
    const rank = this.#rankOf(at)
    const root = rank >= 0 && this.#spans[rank] === at ? this.#roots[rank]! : this.#addTree(rank + 1, at)
    this.records.remember(this.book, at, root)
    return root
  }

  #addTree(rank: number, at: number): number {
    const root = this.tree.take()
    if (this.#treeCount === this.#spans.length) {
      this.#spans = grownDoubles(this.#spans, this.#treeCount * 2)
      this.#roots = grownInts(this.#roots, this.#treeCount * 2)
    }
    this.#spans.copyWithin(rank + 1, rank, this.#treeCount)
    this.#roots.copyWithin(rank + 1, rank, this.#treeCount)
    this.#spans[rank] = at
    this.#roots[rank] = root
    this.#treeCount += 1
    return root
  }

  #dropTree(rank: number): void {
    this.records.forget(this.book, this.#spans[rank]!)
    this.tree.release(this.#roots[rank]!)
    this.#spans.copyWithin(rank, rank + 1, this.#treeCount)
    this.#roots.copyWithin(rank, rank + 1, this.#treeCount)
    this.#treeCount -= 1
  }
}

/** The place of a key in a side, or another where it has none yet or lies far from others. For reading ahead only. */
export function likelyPlace(records: BookRecords, tree: LevelTree, book: number, key: number): number {
  const at = Math.floor(key / span)
  const root = records.nearRoot(book, at)
  return root === none ? 0 : tree.likelyPlace(root, (key - at * span) | 0)
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
