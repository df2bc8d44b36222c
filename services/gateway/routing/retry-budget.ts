export interface RetryBudgetBounds {
  /** Repeats that each request adds to the budget. */
  share: number
  /** What can be saved up. One instance that is killed breaks off all it had under way: that much must be there. */
  savedMax: number
}

/** Repeats are a share of the requests: where everything fails, they add that share to the load and no more. */
export class RetryBudget {
  readonly #bounds: RetryBudgetBounds
  #saved: number
  /** For whoever watches. */
  spent = 0
  refused = 0

  constructor(bounds: RetryBudgetBounds) {
    this.#bounds = bounds
    this.#saved = bounds.savedMax
  }

  get saved(): number {
    return this.#saved
  }

  /** Of each request, when it is sent the first time. */
  earn(): void {
    this.#saved = Math.min(this.#bounds.savedMax, this.#saved + this.#bounds.share)
  }

  /** Whether a request may be sent again. */
  spend(): boolean {
    if (this.#saved < 1) {
      this.refused += 1
      return false
    }
    this.#saved -= 1
    this.spent += 1
    return true
  }
}
