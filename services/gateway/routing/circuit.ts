export type CircuitState = 'closed' | 'half_open' | 'open'

export interface CircuitBounds {
  /** Failures in a row that open the circuit. */
  failuresMax: number
  /** Time until an open circuit lets one request try. */
  openMs: number
}

/**
 * Circuit breaker of one instance, fed by every request sent to it. Closed: all may pass. After `failuresMax` failures in a row it is
 * open: none may. After `openMs` it is half open: one request at a time tries, and its outcome closes or opens the circuit.
 */
export class Circuit {
  readonly #bounds: CircuitBounds
  readonly #now: () => number
  #failures = 0
  #openedAtMs: number | undefined
  #trying = false

  /** `now` gives monotonic milliseconds. */
  constructor(bounds: CircuitBounds, now: () => number = () => performance.now()) {
    this.#bounds = bounds
    this.#now = now
  }

  get state(): CircuitState {
    if (this.#openedAtMs === undefined) return 'closed'
    return this.#now() - this.#openedAtMs >= this.#bounds.openMs ? 'half_open' : 'open'
  }

  allows(): boolean {
    if (this.#openedAtMs === undefined) return true
    return this.state === 'half_open' && !this.#trying
  }

  /** To be called for every request sent, and followed by exactly one of the three below. */
  begin(): void {
    if (this.#openedAtMs !== undefined) this.#trying = true
  }

  succeeded(): void {
    this.#failures = 0
    this.#openedAtMs = undefined
    this.#trying = false
  }

  failed(): void {
    this.#failures += 1
    this.#trying = false
    if (this.#openedAtMs !== undefined || this.#failures >= this.#bounds.failuresMax) this.#openedAtMs = this.#now()
  }

  /** The request ended for a reason that says nothing about the instance: the client left. */
  abandoned(): void {
    this.#trying = false
  }
}
