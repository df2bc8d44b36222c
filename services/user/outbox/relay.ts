import { topics } from '@maru/contracts'
import type { EventLog } from '@maru/event-log'
import { inTransaction, type Logger } from '@maru/service-host'
import type pg from 'pg'

/** The same for every instance and every run: the identity of an append must outlive the process that first tried it. */
const producer = 'user-outbox'
const batchMax = 100
const pollMs = 1_000
const backoffMaxMs = 1_000

/** Told that a record was appended, and when that was begun. */
type OnAppended = (body: string, startMs: number) => void

/**
 * Carries the oldest events that are not on the log yet, one instance at a time. A process killed between append and mark
 * leaves the event unmarked; the next append has the same identity and adds nothing.
 * @returns how many were carried, at most `batchMax`
 */
export async function relayOutbox(pool: pg.Pool, log: EventLog, onAppended?: OnAppended): Promise<number> {
  return inTransaction(pool, async (client) => {
    await client.query(`set local lock_timeout = '5s'`)
    await client.query(`select pg_advisory_xact_lock(hashtextextended('user outbox relay', 0))`)
    const { rows } = await client.query<{ sequence: string; body: string }>(
      'select sequence, body from outbox where sent_at is null order by sequence limit $1',
      [batchMax],
    )
    const sent: { sequence: string; offset: number }[] = []
    for (const { sequence, body } of rows) {
      const startMs = Date.now()
      const offset = await log.append(topics.userEvents, Buffer.from(body, 'utf8'), { producer, sequence: Number(sequence) })
      onAppended?.(body, startMs)
      sent.push({ sequence, offset })
    }
    if (sent.length > 0)
      await client.query(
        `update outbox o set sent_at = now(), log_offset = s.log_offset
         from unnest($1::bigint[], $2::bigint[]) as s (sequence, log_offset) where o.sequence = s.sequence`,
        [sent.map((entry) => entry.sequence), sent.map((entry) => entry.offset)],
      )
    return sent.length
  })
}

/** Runs the relay: at once when woken, and every second for what an instance that died has left. */
export class OutboxRelay implements AsyncDisposable {
  readonly #pool: pg.Pool
  readonly #log: EventLog
  readonly #logger: Logger
  readonly #onAppended: OnAppended | undefined
  readonly #running: Promise<void>
  #stopped = false
  #woken = false
  #wake: () => void = () => undefined
  #carried: (() => void)[] = []

  constructor(parts: { pool: pg.Pool; log: EventLog; logger: Logger; onAppended?: OnAppended }) {
    this.#pool = parts.pool
    this.#log = parts.log
    this.#logger = parts.logger
    this.#onAppended = parts.onAppended
    this.#running = this.#run()
  }

  /** Resolves once every event committed before the call is on the log, or after `timeoutMs`; the event is safe either way. */
  async carryNow(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#carried.push(resolve)
    this.#woken = true
    this.#wake()
    const timer = setTimeout(resolve, timeoutMs)
    await promise
    clearTimeout(timer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#wake()
    await this.#running
  }

  async #run(): Promise<void> {
    let failures = 0
    while (!this.#stopped) {
      this.#woken = false
      // Those who came before this pass began: their events are seen by it.
      const waiting = this.#carried
      this.#carried = []
      let carried = 0
      try {
        carried = await relayOutbox(this.#pool, this.#log, this.#onAppended)
        failures = 0
        if (carried < batchMax) for (const resolve of waiting) resolve()
        else this.#carried.unshift(...waiting)
      } catch (error) {
        failures += 1
        this.#carried.unshift(...waiting)
        if (!this.#stopped) this.#logger.warn({ err: error }, 'events could not be carried to the log; trying again')
      }
      if (carried === batchMax) continue
      await this.#pause(failures === 0 ? pollMs : Math.min(50 * 2 ** failures, backoffMaxMs), failures === 0)
    }
    for (const resolve of this.#carried) resolve()
  }

  async #pause(delayMs: number, wakeable: boolean): Promise<void> {
    if (this.#stopped || (wakeable && this.#woken)) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = () => {
      if (wakeable || this.#stopped) resolve()
    }
    const timer = setTimeout(resolve, delayMs)
    await promise
    clearTimeout(timer)
  }
}
