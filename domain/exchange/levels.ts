import { recordBuffer } from './growth.ts'
import { none } from './no-slot.ts'

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
      this.#firstFree = this.ints[(level << 3) | 4]!
    }
    this.doubles[level << 2] = price
    this.doubles[(level << 2) | 1] = 0
    this.ints[(level << 3) | 4] = none
    this.ints[(level << 3) | 5] = none
    this.ints[(level << 3) | 6] = 0
    return level
  }

  release(level: number): void {
    this.ints[(level << 3) | 4] = this.#firstFree
    this.#firstFree = level
  }

  price(level: number): number {
    return this.doubles[level << 2]!
  }
  quantity(level: number): number {
    return this.doubles[(level << 2) | 1]!
  }
  setQuantity(level: number, lots: number): void {
    this.doubles[(level << 2) | 1] = lots
  }
  first(level: number): number {
    return this.ints[(level << 3) | 4]!
  }
  setFirst(level: number, slot: number): void {
    this.ints[(level << 3) | 4] = slot
  }
  last(level: number): number {
    return this.ints[(level << 3) | 5]!
  }
  setLast(level: number, slot: number): void {
    this.ints[(level << 3) | 5] = slot
  }
  count(level: number): number {
    return this.ints[(level << 3) | 6]!
  }
  setCount(level: number, orders: number): void {
    this.ints[(level << 3) | 6] = orders
  }

  #grow(): void {
    this.#capacity *= 2
    const { doubles, ints } = recordBuffer(this.#capacity, levelBytes, this.doubles)
    this.doubles = doubles
    this.ints = ints
  }
}
