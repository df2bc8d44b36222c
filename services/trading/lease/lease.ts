import { pause, systemClock, type Clock } from '@maru/event-log'
import type { Logger } from '@maru/service-host'

const leaseMs = 2_000
const renewMs = 500
/** How often it is asked for where another holds it. */
const waitMs = 100

/** Who holds which duty, by one clock for all who ask. */
export interface LeaseStore {
  /** Gives the duty to `holder` for so long where it is free, has expired, or is the holder's already; whether it did. */
  take(name: string, holder: string, forMs: number): Promise<boolean>
  /** Frees the duty where it is the holder's. */
  release(name: string, holder: string): Promise<void>
}

/**
 * One holder at a time of a named duty, with an expiry on the clock of the store. It says who should act; that an old holder
 * cannot act is the log's fencing (`exclusiveWriter`).
 */
export class Lease {
  readonly #store: LeaseStore
  readonly #name: string
  readonly #holder: string
  readonly #logger: Logger
  readonly #clock: Clock

  constructor(options: { store: LeaseStore; name: string; holder: string; logger: Logger; clock?: Clock }) {
    this.#store = options.store
    this.#name = options.name
    this.#holder = options.holder
    this.#logger = options.logger
    this.#clock = options.clock ?? systemClock
  }

  /** Waits for the lease, then runs `duty` with a signal that aborts when it is lost; again and again until `signal` aborts. */
  async hold(signal: AbortSignal, duty: (held: AbortSignal) => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      if (!(await this.#take())) {
        await pause(waitMs, signal, this.#clock)
        continue
      }
      const lost = new AbortController()
      const held = AbortSignal.any([signal, lost.signal])
      const renewing = this.#renew(held, lost)
      try {
        await duty(held)
      } catch (error) {
        if (!held.aborted) this.#logger.error({ err: error, lease: this.#name }, 'the duty of a lease failed; it is taken up again')
      }
      lost.abort()
      await renewing
      if (!signal.aborted) await pause(renewMs, signal, this.#clock)
    }
    await this.#release()
  }

  async #renew(held: AbortSignal, lost: AbortController): Promise<void> {
    let renewedMs = this.#clock.elapsedMs()
    let isRenewed = true
    while (!held.aborted) {
      // Where the store did not answer it is asked again soon: as long as it does not, others may find this holder gone.
      await pause(isRenewed ? renewMs : waitMs, held, this.#clock)
      if (held.aborted) return
      const answer = await this.#ask()
      isRenewed = answer === true
      if (isRenewed) renewedMs = this.#clock.elapsedMs()
      else if (answer === false || this.#clock.elapsedMs() - renewedMs > leaseMs) lost.abort()
    }
  }

  async #take(): Promise<boolean> {
    return (await this.#ask()) === true
  }

  /** Whether it is this holder's now; undefined where the store does not answer. */
  async #ask(): Promise<boolean | undefined> {
    try {
      return await this.#store.take(this.#name, this.#holder, leaseMs)
    } catch (error) {
      this.#logger.warn({ err: error, lease: this.#name }, 'the lease cannot be renewed now')
      return undefined
    }
  }

  async #release(): Promise<void> {
    // At worst it expires by itself.
    await this.#store.release(this.#name, this.#holder).catch(() => undefined)
  }
}
