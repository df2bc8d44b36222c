import { SnapshotError } from './bytes.ts'
import type { ForgottenIds } from './forgotten-ids.ts'
import { none } from './no-slot.ts'
import { asInts, intTable, recordDoubles, roomFor } from './growth.ts'
import { hashOf, Texts, type PackedTexts } from './texts.ts'

const recordBytes = 64
/** Doubles of a record: two of the result, four terms by which a repeat is told from another use of the id. */
const figureCount = 6
const roomAtFirst = 1_024

/**
 * Remembers ids that clients chose (client order ids, references of movements), each unique to its account, with the first outcome.
 * At most `capacity` of them: then the oldest is forgotten for each new one, at the same command on every replica.
 */
export class IdWindow {
  readonly capacity: number
  #room = roomAtFirst
  /** Where the next one goes, which is where the oldest lies once the room is full. */
  #next = 0
  #kept = 0
  /** By place. */
  readonly texts = new Texts()
  #doubles = recordDoubles(roomAtFirst, recordBytes)
  #ints = asInts(this.#doubles)
  /** Entries of hash and place + 1: most misses are told without a look at a record. */
  #table = intTable(roomAtFirst * 4)
  #mask = roomAtFirst * 2 - 1
  #lastHash = 0
  readonly #forgotten: ForgottenIds | undefined

  /** @param forgotten told of every id that is forgotten */
  constructor(capacity: number, forgotten?: ForgottenIds) {
    this.#forgotten = forgotten
    this.capacity = Math.max(1, Math.floor(capacity))
    this.#room = Math.min(this.capacity, roomAtFirst)
  }

  get size(): number {
    return this.#kept
  }

  /** The place of an id, or -1. Places are only good until the next `add`. */
  find(account: number, text: string): number {
    const hash = hashOf(account, text)
    this.#lastHash = hash
    const table = this.#table
    const ints = this.#ints
    for (let at = hash & this.#mask; ; at = (at + 1) & this.#mask) {
      const place = table[(at << 1) | 1]! - 1
      if (place < 0) return none
      if (table[at << 1] === hash && ints[(place << 4) | 12] === account && this.texts.get(place) === text) return place
    }
  }

  /** Whether an id was perhaps remembered once and is not any more; false is certain. */
  mayHaveForgotten(account: number, text: string): boolean {
    const forgotten = this.#forgotten
    if (!forgotten || forgotten.isEmpty || this.find(account, text) !== none) return false
    return forgotten.mayHold(this.#lastHash)
  }

  figure(place: number, index: number): number {
    return this.#doubles[place * 8 + index]!
  }

  hasTerms(place: number, a: number, b: number, c: number, d: number): boolean {
    const at = place * 8
    const doubles = this.#doubles
    return doubles[at + 2] === a && doubles[at + 3] === b && doubles[at + 4] === c && doubles[at + 5] === d
  }

  /** Adds the id that `find` was just asked for and did not find: two figures of its result, four of its terms. */
  addMissing(account: number, text: string, result: number, refusal: number, a: number, b: number, c: number, d: number): void {
    if (this.#kept === this.#room) {
      if (this.#room < this.capacity) this.#grow()
      else this.#forget(this.#next)
    }
    const place = this.#next
    const hash = this.#lastHash
    this.texts.set(place, text)
    this.#ints[(place << 4) | 12] = account
    this.#ints[(place << 4) | 13] = hash
    const at = place * 8
    const doubles = this.#doubles
    doubles[at] = result
    doubles[at + 1] = refusal
    doubles[at + 2] = a
    doubles[at + 3] = b
    doubles[at + 4] = c
    doubles[at + 5] = d
    this.#put(hash, place + 1)
    this.#next = place + 1 === this.#room && this.#room === this.capacity ? 0 : place + 1
    this.#kept += 1
  }

  /** Everything remembered, oldest first; or of that the part from one place in the order up to another. */
  forEach(visit: (account: number, text: string, figures: Float64Array) => void, from = 0, to = this.#kept): void {
    const isFull = this.#kept === this.capacity
    for (let index = from; index < to; index++) {
      const place = isFull ? (this.#next + index) % this.#room : index
      visit(this.#ints[(place << 4) | 12]!, this.texts.get(place), this.#doubles.subarray(place << 3, place * 8 + figureCount))
    }
  }

  /** Places of all that is remembered, oldest first. */
  places(): Int32Array {
    const isFull = this.#kept === this.capacity
    const places = new Int32Array(this.#kept)
    for (let index = 0; index < places.length; index++) places[index] = isFull ? (this.#next + index) % this.#room : index
    return places
  }

  account(place: number): number {
    return this.#ints[(place << 4) | 12]!
  }

  /**
   * Takes what a snapshot remembered, oldest first, and nothing before.
   * @param accounts of each id its account
   * @param figures six columns
   */
  restore(texts: PackedTexts, accounts: Float64Array, figures: readonly Float64Array[]): void {
    const { count } = texts
    if (count > this.capacity) throw new SnapshotError('the snapshot remembers more ids than it can')
    this.#room = Math.min(this.capacity, roomFor(count, roomAtFirst))
    const doubles = recordDoubles(this.#room, recordBytes)
    const ints = asInts(doubles)
    this.#doubles = doubles
    this.#ints = ints
    this.#table = intTable(roomFor(count, roomAtFirst) * 4)
    this.#mask = this.#table.length / 2 - 1
    this.texts.restore(texts)
    for (let place = 0; place < count; place++) {
      const account = accounts[place]!
      const hash = texts.hash(account, place)
      this.#ints[(place << 4) | 12] = account
      this.#ints[(place << 4) | 13] = hash
      for (let figure = 0; figure < figureCount; figure++) doubles[place * 8 + figure] = figures[figure]![place]!
      this.#putNew(hash, place, texts)
    }
    this.#kept = count
    this.#next = count === this.capacity ? 0 : count
  }

  #putNew(hash: number, place: number, texts: PackedTexts): void {
    const table = this.#table
    let at = hash & this.#mask
    for (; table[(at << 1) | 1] !== 0; at = (at + 1) & this.#mask) {
      const other = table[(at << 1) | 1]! - 1
      if (table[at << 1] === hash && this.account(other) === this.account(place) && texts.areAlike(other, place))
        throw new SnapshotError('the snapshot has an id twice')
    }
    table[at << 1] = hash
    table[(at << 1) | 1] = place + 1
  }

  #put(hash: number, value: number): void {
    const table = this.#table
    let at = hash & this.#mask
    while (table[(at << 1) | 1] !== 0) at = (at + 1) & this.#mask
    table[at << 1] = hash
    table[(at << 1) | 1] = value
  }

  #forget(place: number): void {
    this.#forgotten?.add(this.#ints[(place << 4) | 13]!)
    const table = this.#table
    const mask = this.#mask
    let gap = this.#ints[(place << 4) | 13]! & mask
    while (table[(gap << 1) | 1] !== place + 1) gap = (gap + 1) & mask
    for (let at = (gap + 1) & mask; table[(at << 1) | 1] !== 0; at = (at + 1) & mask) {
      const home = table[at << 1]! & mask
      if (((at - home) & mask) < ((at - gap) & mask)) continue
      table[gap << 1] = table[at << 1]!
      table[(gap << 1) | 1] = table[(at << 1) | 1]!
      gap = at
    }
    table[(gap << 1) | 1] = 0
    this.#kept -= 1
  }

  /** Only while nothing was forgotten yet, so records lie in order from place 0. */
  #grow(): void {
    this.#room = Math.min(this.#room * 2, this.capacity)
    this.#doubles = recordDoubles(this.#room, recordBytes, this.#doubles)
    this.#ints = asInts(this.#doubles)
    const old = this.#table
    this.#table = intTable(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    for (let at = 0; at < old.length; at += 2) if (old[at + 1] !== 0) this.#put(old[at]!, old[at + 1]!)
  }
}
