/** Numbers that follow from a seed alone (sfc32 by Chris Doty-Humphrey, seeded by splitmix32). */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    let state = seed | 0
    const split = (): number => {
      state = (state + 0x9e3779b9) | 0
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
      return mixed ^ (mixed >>> 15)
    }
    this.#a = split()
    this.#b = split()
    this.#c = split()
    for (let round = 0; round < 12; round++) this.next()
  }

  /** From 0 up to 1. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return (sum >>> 0) / 4_294_967_296
  }

  /** From 0 up to, without, `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  /** A whole number of both ends and what is between. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  /** Mostly near the least, seldom near the most: as waiting times are. */
  skewed(least: number, most: number): number {
    return least + (most - least) * this.next() ** 4
  }

  /** Other numbers, which follow from these: what draws from them does not disturb who draws from here. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 4_294_967_296))
  }
}
