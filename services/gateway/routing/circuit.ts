export type CircuitState = 'closed' | 'half_open' | 'open'

export interface CircuitBounds {
  /** Failures in a row that open the circuit. */
  failuresMax: number
  /** Time until an open circuit lets one request try; the longest, where it grows. */
  openMs: number
  /** Where set, the first wait; it doubles with each trial that fails, up to `openMs`. */
  firstOpenMs?: number
}

/**
 * Circuit breaker, of an instance or of a service, fed by every request sent. Closed: all may pass. After `failuresMax` failures in a row it
 * is open: none may. After `openMs` it is half open: one request at a time tries, and its outcome closes or opens the circuit.
 *
 * `begin` gives a ticket that goes with the outcome. What was on its way when the circuit opened says nothing of how things stand now: hundreds of
 * connections that break at once are one failure of an instance, not hundreds of failed trials.
 */
export class Circuit {
  readonly #bounds: CircuitBounds
  readonly #now: () => number
  #failures = 0
  #openedAtMs: number | undefined
  #waitMs: number
  #trying = false
  #ticket = 0
  /** How often it has opened from closed, for whoever watches. */
  opened = 0

  /** `now` gives monotonic milliseconds. */
  constructor(bounds: CircuitBounds, now: () => number = () => performance.now()) {
    this.#bounds = bounds
    this.#now = now
    this.#waitMs = this.#firstWaitMs
  }

  get state(): CircuitState {
    if (this.#openedAtMs === undefined) return 'closed'
    return this.#now() - this.#openedAtMs >= this.#waitMs ? 'half_open' : 'open'
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures
  }

  get #firstWaitMs(): number {
    return Math.min(this.#bounds.firstOpenMs ?? this.#bounds.openMs, this.#bounds.openMs)
  }

  allows(): boolean {
    return this.#openedAtMs === undefined || (!this.#trying && this.state === 'half_open')
  }

  /** To be called for every request sent, and followed by exactly one of the three below with the ticket it gave. */
  begin(): number {
    if (this.#openedAtMs !== undefined) {
      this.#trying = true
      this.#ticket += 1
    }
    return this.#ticket
  }

  succeeded(ticket: number): void {
    if (ticket === this.#ticket) this.reset()
  }

  /** `mayOpen`: whether a failure now opens a circuit that is closed, once there were enough of them. */
  failed(ticket: number, mayOpen = true): void {
    if (ticket !== this.#ticket) return
    this.#failures += 1
    if (this.#openedAtMs !== undefined) {
      this.#trying = false
      this.#waitMs = Math.min(this.#waitMs * 2, this.#bounds.openMs)
      this.#openedAtMs = this.#now()
    } else if (mayOpen && this.#failures >= this.#bounds.failuresMax) this.trip()
  }

  /** The request ended for a reason that says nothing about who was asked: the client left. */
  abandoned(ticket: number): void {
    if (ticket === this.#ticket) this.#trying = false
  }

  /** Opens it, where it is closed. */
  trip(): void {
    if (this.#openedAtMs !== undefined) return
    this.#openedAtMs = this.#now()
    this.#ticket += 1
    this.opened += 1
  }

  /** As if it had never failed: who is behind it is another than before. */
  reset(): void {
    this.#failures = 0
    if (this.#openedAtMs === undefined) return
    this.#openedAtMs = undefined
    this.#waitMs = this.#firstWaitMs
    this.#trying = false
    this.#ticket += 1
  }
}
