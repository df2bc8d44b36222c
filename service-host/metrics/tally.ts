/** Observations counted in plain numbers, so that one costs some nanoseconds; Prometheus reads them when it scrapes. */
export class HistogramTally {
  /** Upper bounds, ascending. */
  readonly bounds: readonly number[]
  /** Observations by bucket, not cumulative; the last is for what is beyond all bounds. */
  readonly byBucket: Float64Array
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.byBucket = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const { bounds, byBucket } = this
    let bucket = 0
    while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1
    byBucket[bucket] = byBucket[bucket]! + 1
    this.sum += value
  }
}

/** Counts by key, such as a code or a kind. Keys come from lists of our own, never from clients; beyond `keysMax` they are counted as `other`. */
export class CountTally<Key extends string | number = string> {
  readonly #counts = new Map<Key | 'other', number>()
  readonly #keysMax: number

  constructor(keysMax = 200) {
    this.#keysMax = keysMax
  }

  add(key: Key, count = 1): void {
    const known = this.#counts.get(key)
    const at = known !== undefined || this.#counts.size < this.#keysMax ? key : 'other'
    this.#counts.set(at, (at === key ? (known ?? 0) : (this.#counts.get('other') ?? 0)) + count)
  }

  entries(): IterableIterator<[Key | 'other', number]> {
    return this.#counts.entries()
  }
}
