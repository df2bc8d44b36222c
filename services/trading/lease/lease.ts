import type pg from 'pg'
import type { Logger } from '@maru/service-host'
import { pause } from '../replica/replica.ts'

const leaseMs = 2_000
const renewMs = 500

/**
 * One holder at a time of a named duty, by a row with an expiry on the database's clock. It says who should act; that an old holder
 * cannot act is the log's fencing (`exclusiveWriter`).
 */
export class Lease {
  readonly #pool: pg.Pool
  readonly #name: string
  readonly #holder: string
  readonly #logger: Logger

  constructor(options: { pool: pg.Pool; name: string; holder: string; logger: Logger }) {
    this.#pool = options.pool
    this.#name = options.name
    this.#holder = options.holder
    this.#logger = options.logger
  }

  /** Waits for the lease, then runs `duty` with a signal that aborts when it is lost; again and again until `signal` aborts. */
  async hold(signal: AbortSignal, duty: (held: AbortSignal) => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      if (!(await this.#take())) {
        await pause(renewMs, signal)
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
      if (!signal.aborted) await pause(renewMs, signal)
    }
    await this.#release()
  }

  async #renew(held: AbortSignal, lost: AbortController): Promise<void> {
    let renewedMs = performance.now()
    while (!held.aborted) {
      await pause(renewMs, held)
      if (held.aborted) return
      if (await this.#take()) renewedMs = performance.now()
      else if (performance.now() - renewedMs > leaseMs) lost.abort()
    }
  }

  async #take(): Promise<boolean> {
    try {
      const { rowCount } = await this.#pool.query(
        `insert into trading.leases as l (name, holder, expires_at) values ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
         on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at
         where l.holder = excluded.holder or l.expires_at < clock_timestamp()`,
        [this.#name, this.#holder, leaseMs],
      )
      return rowCount === 1
    } catch (error) {
      this.#logger.warn({ err: error, lease: this.#name }, 'the lease cannot be renewed now')
      return false
    }
  }

  async #release(): Promise<void> {
    // At worst it expires by itself.
    await this.#pool.query('delete from trading.leases where name = $1 and holder = $2', [this.#name, this.#holder]).catch(() => undefined)
  }
}
