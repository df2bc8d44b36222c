import { grownDoubles, grownInts } from './growth.ts'

/** Figures a remembered id carries: a result, and four terms by which a repeat is told from another use of the id. */
const figures = 6

/**
 * Remembers ids that clients chose (client order ids, references of movements), each unique to its account, with the first outcome.
 * At most `capacity` of them: then the oldest is forgotten for each new one, at the same command on every replica.
 */
export class IdWindow {
  readonly capacity: number
  #room = 1_024
  /** Entries ever added; entry n lies at n % room. */
  #added = 0
  #kept = 0
  #texts: string[] = []
  #accounts = new Int32Array(1_024)
  #hashes = new Int32Array(1_024)
  #figures = new Float64Array(1_024 * figures)
  #table = new Int32Array(2_048)
  #mask = 2_047

  constructor(capacity: number) {
    this.capacity = Math.max(1, Math.floor(capacity))
    if (this.capacity < this.#room) this.#room = this.capacity
  }

  get size(): number {
    return this.#kept
  }

  /** The place of an id, or -1. Places are only good until the next `add`. */
  find(account: number, text: string): number {
    const hash = hashOf(account, text)
    for (let at = hash & this.#mask; ; at = (at + 1) & this.#mask) {
      const place = this.#table[at]! - 1
      if (place < 0) return -1
      if (this.#hashes[place] === hash && this.#accounts[place] === account && this.#texts[place] === text) return place
    }
  }

  figure(place: number, index: number): number {
    return this.#figures[place * figures + index]!
  }

  hasTerms(place: number, a: number, b: number, c: number, d: number): boolean {
    const at = place * figures
    const kept = this.#figures
    return kept[at + 2] === a && kept[at + 3] === b && kept[at + 4] === c && kept[at + 5] === d
  }

  /** Adds an id that is not in it: two figures of its result, four of its terms. */
  add(account: number, text: string, result: number, refusal: number, a: number, b: number, c: number, d: number): void {
    if (this.#kept === this.#room && this.#room < this.capacity) this.#grow()
    const place = this.#added % this.#room
    if (this.#kept === this.#room) this.#forget(place)
    const hash = hashOf(account, text)
    this.#texts[place] = text
    this.#accounts[place] = account
    this.#hashes[place] = hash
    const at = place * figures
    const kept = this.#figures
    kept[at] = result
    kept[at + 1] = refusal
    kept[at + 2] = a
    kept[at + 3] = b
    kept[at + 4] = c
    kept[at + 5] = d
    this.#put(hash, place + 1)
    this.#added += 1
    this.#kept += 1
  }

  /** Everything remembered, oldest first. */
  forEach(visit: (account: number, text: string, figures: Float64Array) => void): void {
    for (let entry = this.#added - this.#kept; entry < this.#added; entry++) {
      const place = entry % this.#room
      visit(this.#accounts[place]!, this.#texts[place]!, this.#figures.subarray(place * figures, place * figures + figures))
    }
  }

  #put(hash: number, value: number): void {
    let at = hash & this.#mask
    while (this.#table[at] !== 0) at = (at + 1) & this.#mask
    this.#table[at] = value
  }

  #forget(place: number): void {
    const table = this.#table
    const mask = this.#mask
    let gap = this.#hashes[place]! & mask
    while (table[gap] !== place + 1) gap = (gap + 1) & mask
    for (let at = (gap + 1) & mask; table[at] !== 0; at = (at + 1) & mask) {
      const home = this.#hashes[table[at]! - 1]! & mask
      if (((at - home) & mask) < ((at - gap) & mask)) continue
      table[gap] = table[at]!
      gap = at
    }
    table[gap] = 0
    this.#kept -= 1
  }

  /** Only while nothing was forgotten yet, so entries lie in order from place 0. */
  #grow(): void {
    this.#room = Math.min(this.#room * 2, this.capacity)
    this.#accounts = grownInts(this.#accounts, this.#room)
    this.#hashes = grownInts(this.#hashes, this.#room)
    this.#figures = grownDoubles(this.#figures, this.#room * figures)
    this.#table = new Int32Array(this.#table.length * 2)
    this.#mask = this.#table.length - 1
    for (let place = 0; place < this.#kept; place++) this.#put(this.#hashes[place]!, place + 1)
  }
}

function hashOf(account: number, text: string): number {
  let hash = Math.imul(account + 1, 0x9e3779b1)
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x7feb352d)
  return hash ^ (hash >>> 15)
}
