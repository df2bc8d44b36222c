/** One request of the load, its retry included. Times in ms by the clock of `performance.now`. */
export interface Sample {
  service: string
  /** When it was due; what it then waited to be sent counts. */
  atMs: number
  durationMs: number
  /** Why the first try failed; undefined where it did not. */
  firstFailure: string | undefined
  /** Whether the first try or the one after it succeeded. */
  isGood: boolean
}

export class Samples {
  readonly #all: Sample[] = []
  readonly #byService = new Map<string, Sample[]>()

  add(sample: Sample): void {
    this.#all.push(sample)
    const known = this.#byService.get(sample.service)
    if (known) known.push(sample)
    else this.#byService.set(sample.service, [sample])
  }

  get count(): number {
    return this.#all.length
  }

  get services(): string[] {
    return [...this.#byService.keys()].sort()
  }

  of(service: string, includes: (atMs: number) => boolean): Sample[] {
    return (this.#byService.get(service) ?? []).filter(({ atMs }) => includes(atMs))
  }

  where(includes: (atMs: number) => boolean): Sample[] {
    return this.#all.filter(({ atMs }) => includes(atMs))
  }
}

export interface Figures {
  requests: number
  /** Share of requests that succeeded, with at most one retry; 1 where there were none. */
  availability: number
  /** The same without the retry. */
  firstTryAvailability: number
  failed: number
  retried: number
  p50Ms: number
  p95Ms: number
  p99Ms: number
  p999Ms: number
}

export function figuresOf(samples: readonly Sample[]): Figures {
  const sorted = Float64Array.from(samples, ({ durationMs }) => durationMs).sort()
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  const failed = samples.filter(({ isGood }) => !isGood).length
  const retried = samples.filter(({ firstFailure }) => firstFailure !== undefined).length
  const share = (bad: number): number => (samples.length === 0 ? 1 : 1 - bad / samples.length)
  return {
    requests: samples.length,
    availability: share(failed),
    firstTryAvailability: share(retried),
    failed,
    retried,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
  }
}
