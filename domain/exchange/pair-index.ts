/** Bits of the second number of a pair; the first has the other 22 of 32. */
export const secondBits = 10

/**
 * Finds a slot by a pair (account and asset, account and symbol): open addressing with linear probing, entries of `key, slot + 1`, where the
 * key holds both numbers whole. Nothing is ever removed. It grows at half full, so its size is bounded by what is put in.
 */
export class PairIndex {
  #entries = new Int32Array(1_024 * 2)
  #mask = 1_023
  #count = 0

  /** The slot of a pair, or -1. `a` below 2^22, `b` below 2^10. */
  find(a: number, b: number): number {
    const entries = this.#entries
    const mask = this.#mask
    const key = (a << secondBits) | b
    for (let place = hash(key) & mask; ; place = (place + 1) & mask) {
      const slot = entries[(place << 1) | 1]!
      if (slot === 0) return -1
      if (entries[place << 1] === key) return slot - 1
    }
  }

  /** Adds a pair that is not in it yet. */
  add(a: number, b: number, slot: number): void {
    if (this.#count * 2 > this.#mask) this.#grow()
    this.#put((a << secondBits) | b, slot + 1)
    this.#count += 1
  }

  #put(key: number, value: number): void {
    const entries = this.#entries
    let place = hash(key) & this.#mask
    while (entries[(place << 1) | 1] !== 0) place = (place + 1) & this.#mask
    entries[place << 1] = key
    entries[(place << 1) | 1] = value
  }

  #grow(): void {
    const old = this.#entries
    this.#entries = new Int32Array(old.length * 2)
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
