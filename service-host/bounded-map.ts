/**
 * A Map of at most `max` keys: one more and the key set first is forgotten. It keeps the order by itself, since to ask a Map for its oldest key
 * means stepping over all keys that were ever deleted, thousands of them once it is full.
 */
export class BoundedMap<Key, Value> {
  readonly #values = new Map<Key, Value>()
  /** Keys in the order in which they were set first, as a ring of at most `max` places. */
  readonly #keys: Key[] = []
  readonly #max: number
  readonly #onForgotten: ((key: Key, value: Value) => void) | undefined
  #next = 0

  /** @param onForgotten told of each key that gives way to another */
  constructor(max: number, onForgotten?: (key: Key, value: Value) => void) {
    if (!Number.isSafeInteger(max) || max < 1) throw new RangeError(`a map of at most ${max} keys`)
    this.#max = max
    this.#onForgotten = onForgotten
  }

  get size(): number {
    return this.#values.size
  }

  get(key: Key): Value | undefined {
    return this.#values.get(key)
  }

  /** A key that is there keeps its place. */
  set(key: Key, value: Value): void {
    if (!this.#values.has(key)) this.#take(key)
    this.#values.set(key, value)
  }

  #take(key: Key): void {
    if (this.#keys.length < this.#max) {
      this.#keys.push(key)
      return
    }
    const oldest = this.#keys[this.#next]!
    const value = this.#values.get(oldest)!
    this.#values.delete(oldest)
    this.#keys[this.#next] = key
    this.#next = (this.#next + 1) % this.#max
    this.#onForgotten?.(oldest, value)
  }
}
