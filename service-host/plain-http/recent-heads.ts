import type { RequestHead } from './request-head.ts'

/** Of one connection. */
const headsMax = 2
const headMaxBytes = 2_048
/** After so many heads in a row that were not known, none are kept any more: this client says something new each time. */
const missesMax = 16

/** How many connections of a server may keep heads; others do without. */
export interface HeadPlaces {
  left: number
}

/**
 * The heads of a connection that came last. A program that asks again and again mostly says the same to the byte, but for the body; what such bytes mean was found
 * out the first time. Nothing but speed depends on it: a head that is not known is read.
 */
export class RecentHeads {
  readonly #places: HeadPlaces
  readonly #known: { bytes: Buffer; head: RequestHead }[] = []
  #misses = 0
  #isOver = false

  constructor(places: HeadPlaces) {
    this.#places = places
  }

  /** The head with which `bytes` begin; undefined where it is not known. The same object each time. */
  find(bytes: Buffer): RequestHead | undefined {
    for (const { bytes: known, head } of this.#known) {
      if (bytes.length < known.length || bytes.compare(known, 0, known.length, 0, known.length) !== 0) continue
      this.#misses = 0
      return head
    }
    return undefined
  }

  /** Keeps what was read from the beginning of `bytes`, in the place of the oldest; false where it is not kept. */
  keep(bytes: Buffer, head: RequestHead): boolean {
    if (this.#isOver || head.bytes > headMaxBytes) return false
    if (this.#known.length === 0 && this.#misses === 0) {
      if (this.#places.left === 0) return false
      this.#places.left -= 1
    }
    this.#misses += 1
    if (this.#misses > missesMax) {
      this.clear()
      return false
    }
    if (this.#known.length === headsMax) this.#known.shift()
    this.#known.push({ bytes: Buffer.from(bytes.subarray(0, head.bytes)), head })
    return true
  }

  /** Keeps none any more. */
  clear(): void {
    if (!this.#isOver && this.#misses + this.#known.length > 0) this.#places.left += 1
    this.#isOver = true
    this.#known.length = 0
  }
}
