/**
 * Finds a slot by a pair of small whole numbers: open addressing with linear probing, entries of `a, b, slot + 1` in one array.
 * Nothing is ever removed. It grows at half full, so its size is bounded by what is put in.
 */
export class PairIndex {
  #entries = new Int32Array(1_024 * 4)
  #mask = 1_023
  #count = 0

  /** The slot of (a, b), or -1. */
  find(a: number, b: number): number {
    const entries = this.#entries
    const mask = this.#mask
    for (let place = hash(a, b) & mask; ; place = (place + 1) & mask) {
      const at = place * 4
      const slot = entries[at + 2]!
      if (slot === 0) return -1
      if (entries[at] === a && entries[at + 1] === b) return slot - 1
    }
  }

  /** Adds a pair that is not in it yet. */
  add(a: number, b: number, slot: number): void {
    if (this.#count * 2 > this.#mask) this.#grow()
    this.#put(a, b, slot + 1)
    this.#count += 1
  }

  #put(a: number, b: number, value: number): void {
    const entries = this.#entries
    let place = hash(a, b) & this.#mask
    while (entries[place * 4 + 2] !== 0) place = (place + 1) & this.#mask
    entries[place * 4] = a
    entries[place * 4 + 1] = b
    entries[place * 4 + 2] = value
  }

  #grow(): void {
    const old = this.#entries
    this.#entries = new Int32Array(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    for (let at = 0; at < old.length; at += 4) {
      const value = old[at + 2]!
      if (value !== 0) this.#put(old[at]!, old[at + 1]!, value)
    }
  }
}

/** Spreads pairs of which both run from 0 upwards. */
function hash(a: number, b: number): number {
  const mixed = Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 1, 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}
