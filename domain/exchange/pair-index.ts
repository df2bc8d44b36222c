import { intTable } from './growth.ts'
/** Bits of the second number of a pair; the first has the other 22 of 32. */
const secondBits = 10
/** Up to so many entries (64 MB) every pair has a place of its own; beyond, only those that are used have one. */
const plainMax = 1 << 24

/**
 * Finds a slot by a pair (account and asset, account and symbol). As long as accounts times symbols are not too many, it is a plain table, which
 * reads one number near those of the same account. Beyond that it is a hash table with linear probing, entries of `key, slot + 1`, where the
 * key holds both numbers whole. Nothing is ever removed.
 */
export class PairIndex {
  #isPlain = true
  /** Plain: slot + 1 at `a × 2^bits + b`. */
  #plain = intTable(1_024)
  #bits = 2
  #entries = intTable(0)
  #mask = 0
  #count = 0
  readonly #plainMax: number

  constructor(plainEntriesMax: number = plainMax) {
    this.#plainMax = plainEntriesMax
  }

  /** Makes room for pairs of so many; before there is any. */
  reserve(aCount: number, bCount: number): void {
    const [a, b] = [Math.max(0, aCount - 1), Math.max(0, bCount - 1)]
    if (!this.#fitsPlain(a, b)) this.#widen(a, b)
  }

  /** The slot of a pair, or -1. `a` below 2^22, `b` below 2^10. */
  find(a: number, b: number): number {
    if (!this.#isPlain) return this.#findHashed(a, b)
    const place = (a << this.#bits) | b
    return b >> this.#bits === 0 && place < this.#plain.length ? this.#plain[place]! - 1 : -1
  }

  /** Adds a pair that is not in it yet. */
  add(a: number, b: number, slot: number): void {
    if (this.#isPlain && !this.#fitsPlain(a, b)) this.#widen(a, b)
    if (this.#isPlain) this.#plain[(a << this.#bits) | b] = slot + 1
    else {
      if (this.#count * 2 > this.#mask) this.#growHash()
      this.#put((a << secondBits) | b, slot + 1)
    }
    this.#count += 1
  }

  #fitsPlain(a: number, b: number): boolean {
    return b >> this.#bits === 0 && ((a << this.#bits) | b) < this.#plain.length
  }

  /** Makes the table wide and long enough for a pair, or goes over to hashing. */
  #widen(a: number, b: number): void {
    let bits = this.#bits
    while (b >> bits !== 0) bits += 1
    let { length } = this.#plain
    if (bits > this.#bits) length <<= bits - this.#bits
    while (a >= length >> bits && length <= this.#plainMax) length *= 2
    const old = this.#plain
    const oldBits = this.#bits
    if (length > this.#plainMax) {
      this.#isPlain = false
      this.#plain = intTable(0)
      this.#entries = intTable(2_048)
      this.#mask = 1_023
      while (this.#count * 2 > this.#mask) this.#growHash()
    } else {
      this.#plain = intTable(length)
      this.#bits = bits
    }
    for (let place = 0; place < old.length; place++) {
      if (old[place] === 0) continue
      const first = place >> oldBits
      const second = place & ((1 << oldBits) - 1)
      if (this.#isPlain) this.#plain[(first << bits) | second] = old[place]!
      else this.#put((first << secondBits) | second, old[place]!)
    }
  }

  #findHashed(a: number, b: number): number {
    const entries = this.#entries
    const mask = this.#mask
    const key = (a << secondBits) | b
    for (let place = hash(key) & mask; ; place = (place + 1) & mask) {
      const slot = entries[(place << 1) | 1]!
      if (slot === 0) return -1
      if (entries[place << 1] === key) return slot - 1
    }
  }

  #put(key: number, value: number): void {
    const entries = this.#entries
    let place = hash(key) & this.#mask
    while (entries[(place << 1) | 1] !== 0) place = (place + 1) & this.#mask
    entries[place << 1] = key
    entries[(place << 1) | 1] = value
  }

  #growHash(): void {
    const old = this.#entries
    this.#entries = intTable(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    for (let at = 0; at < old.length; at += 2) {
      const value = old[at + 1]!
      if (value !== 0) this.#put(old[at]!, value)
    }
  }
}

/** Spreads pairs of which both run from 0 upwards. */
function hash(key: number): number {
  const mixed = Math.imul(key ^ (key >>> 15), 0x9e3779b1)
  return mixed ^ (mixed >>> 16)
}
