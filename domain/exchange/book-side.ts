import { grownDoubles, grownInts, recordBuffer } from './growth.ts'
import { none, type OrderStore } from './orders.ts'

const levelBytes = 32

/** Price levels of all books: price and total of open lots, first and last order, and their number. */
export class LevelStore {
  doubles: Float64Array
  ints: Int32Array
  #capacity = 1_024
  #used = 0
  #firstFree = none

  constructor() {
    const { doubles, ints } = recordBuffer(this.#capacity, levelBytes)
    this.doubles = doubles
    this.ints = ints
  }

  create(price: number): number {
    let level = this.#firstFree
    if (level === none) {
      if (this.#used === this.#capacity) this.#grow()
      level = this.#used
      this.#used += 1
    } else {
      this.#firstFree = this.ints[level * 8 + 4]!
    }
    this.doubles[level * 4] = price
    this.doubles[level * 4 + 1] = 0
    this.ints[level * 8 + 4] = none
    this.ints[level * 8 + 5] = none
    this.ints[level * 8 + 6] = 0
    return level
  }

  release(level: number): void {
    this.ints[level * 8 + 4] = this.#firstFree
    this.#firstFree = level
  }

  price(level: number): number {
    return this.doubles[level * 4]!
  }
  quantity(level: number): number {
    return this.doubles[level * 4 + 1]!
  }
  setQuantity(level: number, lots: number): void {
    this.doubles[level * 4 + 1] = lots
  }
  first(level: number): number {
    return this.ints[level * 8 + 4]!
  }
  setFirst(level: number, slot: number): void {
    this.ints[level * 8 + 4] = slot
  }
  last(level: number): number {
    return this.ints[level * 8 + 5]!
  }
  setLast(level: number, slot: number): void {
    this.ints[level * 8 + 5] = slot
  }
  count(level: number): number {
    return this.ints[level * 8 + 6]!
  }
  setCount(level: number, orders: number): void {
    this.ints[level * 8 + 6] = orders
  }

  #grow(): void {
    this.#capacity *= 2
    const { doubles, ints } = recordBuffer(this.#capacity, levelBytes, this.doubles)
    this.doubles = doubles
    this.ints = ints
  }
}

/**
 * One side of a book, or the waiting stops of one side: levels sorted so that the best is at the end, where nearly all changes are,
 * each a queue in order of time. The key of a price is the price itself where the highest is best, its negative where the lowest is.
 */
export class BookSide {
  keys: Float64Array = new Float64Array(64)
  levels: Int32Array = new Int32Array(64)
  count = 0
  readonly sign: 1 | -1
  readonly #orders: OrderStore
  readonly #store: LevelStore

  /** @param best which price comes first */
  constructor(best: 'highest' | 'lowest', orders: OrderStore, levels: LevelStore) {
    this.sign = best === 'highest' ? 1 : -1
    this.#orders = orders
    this.#store = levels
  }

  /** Price of the best level; 0 where the side is empty. */
  get bestPrice(): number {
    return this.count === 0 ? 0 : this.keys[this.count - 1]! * this.sign
  }

  /** Level at a distance from the best (0: the best), or -1. */
  levelAt(depth: number): number {
    return depth < this.count ? this.levels[this.count - 1 - depth]! : none
  }

  /** Puts an order with `lots` open lots at the end of the queue at its price. */
  append(slot: number, price: number, lots: number): void {
    const level = this.#levelOf(price)
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
    const previous = orders.previous(slot)
    const next = orders.next(slot)
    orders.setLevel(slot, none)
    if (previous === none) levels.setFirst(level, next)
    else orders.setNext(previous, next)
    if (next === none) levels.setLast(level, previous)
    else orders.setPrevious(next, previous)
    const count = levels.count(level) - 1
    if (count === 0) {
      this.#removeLevel(level)
      return
    }
    levels.setCount(level, count)
    levels.setQuantity(level, levels.quantity(level) - lots)
  }

  /** Takes `lots` off the total of the level an order rests in: it was filled in part, or shrunk. */
  reduce(slot: number, lots: number): void {
    const level = this.#orders.level(slot)
    this.#store.setQuantity(level, this.#store.quantity(level) - lots)
  }

  /** Index of the first level whose key is at least `key`. */
  #search(key: number): number {
    const keys = this.keys
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (keys[middle]! < key) low = middle + 1
      else high = middle
    }
    return low
  }

  #levelOf(price: number): number {
    const key = price * this.sign
    const index = this.#search(key)
    if (index < this.count && this.keys[index] === key) return this.levels[index]!
    if (this.count === this.keys.length) {
      this.keys = grownDoubles(this.keys, this.count * 2)
      this.levels = grownInts(this.levels, this.count * 2)
    }
    const { keys, levels } = this
    if (this.count - index > 48) {
      keys.copyWithin(index + 1, index, this.count)
      levels.copyWithin(index + 1, index, this.count)
    } else {
      for (let at = this.count; at > index; at--) {
        keys[at] = keys[at - 1]!
        levels[at] = levels[at - 1]!
      }
    }
    const level = this.#store.create(price)
    keys[index] = key
    levels[index] = level
    this.count += 1
    return level
  }

  #removeLevel(level: number): void {
    const index = this.#search(this.#store.price(level) * this.sign)
    const { keys, levels } = this
    const last = this.count - 1
    if (last - index > 48) {
      keys.copyWithin(index, index + 1, this.count)
      levels.copyWithin(index, index + 1, this.count)
    } else {
      for (let at = index; at < last; at++) {
        keys[at] = keys[at + 1]!
        levels[at] = levels[at + 1]!
      }
    }
    this.count = last
    this.#store.release(level)
  }
}
