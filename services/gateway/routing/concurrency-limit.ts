export interface LimitBounds {
  initial: number
  min: number
  max: number
  /** Answers that take no longer than this on average are quick enough, however much quicker they once were. */
  floorMs: number
}

/** The limit is thought over after this time, where this many answers came. */
const windowMs = 250
const samplesMin = 10
/** How much slower than usual answers may become before less is sent. */
const tolerance = 3
/** Of a change, what one window makes of it. */
const smoothing = 0.3
const dropFactor = 0.9

/**
 * How many requests may be under way to an instance, found from how long its answers take: a gradient limit, after "Gradient2" of Netflix's
 * concurrency-limits. A queue somewhere behind shows as answers that become slower the more are asked; then less is sent, in proportion. While
 * answers are as quick as usual, and the limit is made use of, it grows by its root. Requests that met their time limit make it a tenth smaller.
 *
 * Unlike the original it knows a `floorMs` under which nothing is too slow: an instance that commits in groups becomes slower and does more.
 */
export class ConcurrencyLimit {
  readonly #bounds: LimitBounds
  #limit: number
  /** What answers usually take. It learns quickly of shorter times, and slowly of longer ones: a queue that stands must not become usual soon. */
  #usualMs: number | undefined
  #sumMs = 0
  #samples = 0
  #peak = 0
  #dropped = false
  #windowSinceMs = 0

  constructor(bounds: LimitBounds) {
    this.#bounds = bounds
    this.#limit = bounds.initial
  }

  /** Requests at once. */
  get value(): number {
    return this.#limit
  }

  /** An answer came after `latencyMs`, and `inFlight` requests were under way with it. `nowMs` is monotonic. */
  answered(latencyMs: number, inFlight: number, nowMs: number): void {
    this.#sumMs += latencyMs
    this.#samples += 1
    if (inFlight > this.#peak) this.#peak = inFlight
    if (nowMs - this.#windowSinceMs >= windowMs) this.#endWindow(nowMs)
  }

  /** A request met its time limit. */
  timedOut(nowMs: number): void {
    this.#dropped = true
    if (nowMs - this.#windowSinceMs >= windowMs) this.#endWindow(nowMs)
  }

  #endWindow(nowMs: number): void {
    this.#windowSinceMs = nowMs
    const { min, max, floorMs } = this.#bounds
    if (this.#dropped) this.#limit = Math.max(min, this.#limit * dropFactor)
    else if (this.#samples >= samplesMin) {
      const meanMs = this.#sumMs / this.#samples
      const usualMs = (this.#usualMs ??= meanMs)
      const gradient = Math.max(0.5, Math.min(1, Math.max(floorMs, tolerance * usualMs) / meanMs))
      this.#usualMs = usualMs + (meanMs - usualMs) * (meanMs < usualMs ? 0.2 : 0.002)
      // Where the limit is not made use of, nothing is known of what lies beyond it.
      const isUsed = this.#peak * 2 >= this.#limit
      const next = gradient < 1 ? this.#limit * gradient : isUsed ? this.#limit + Math.sqrt(this.#limit) : this.#limit
      this.#limit = Math.max(min, Math.min(max, this.#limit + (next - this.#limit) * smoothing))
    }
    this.#sumMs = 0
    this.#samples = 0
    this.#peak = 0
    this.#dropped = false
  }
}
