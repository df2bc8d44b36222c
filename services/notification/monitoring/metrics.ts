import { CountTally, exposeCounter, exposeGauge, exposeHistogram, HistogramTally, type MetricsRegistry } from '@maru/service-host'
import type pg from 'pg'

/** Upper bounds in seconds. */
const attemptBounds = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]
/** Counting the queue is an index scan; it is not done for every scrape of many. */
const queueFreshMs = 2_000
const lookMaxMs = 500

/** Shows attempts to send mails and what waits; gives what the mailer is to tell of each attempt. */
export function measureMails(metrics: MetricsRegistry, pool: pg.Pool): (outcome: string, elapsedMs: number) => void {
  const outcomes = new CountTally()
  const durations = new HistogramTally(attemptBounds)
  exposeCounter(
    metrics,
    { name: 'maru_mail_attempts_total', help: 'Attempts to send a mail, by outcome: sent, retried, failed, not_sent.' },
    ['outcome'],
    () => [...outcomes.entries()].map(([outcome, count]) => [{ outcome }, count] as const),
  )
  exposeHistogram(
    metrics,
    { name: 'maru_mail_attempt_duration_seconds', help: 'Time of an attempt to send a mail.' },
    [],
    attemptBounds,
    () => [[{}, durations]],
  )
  const queue = new MailQueue(pool)
  exposeGauge(metrics, { name: 'maru_mail_queue_waiting', help: 'Mails that wait to be sent, at all instances.' }, [], async () => {
    const found = await queue.look()
    return found ? [[{}, found.waiting]] : []
  })
  exposeGauge(
    metrics,
    { name: 'maru_mail_queue_oldest_age_seconds', help: 'Age of the oldest mail that waits; 0 where none does.' },
    [],
    async () => {
      const found = await queue.look()
      return found ? [[{}, found.oldestSeconds]] : []
    },
  )
  return (outcome, elapsedMs) => {
    outcomes.add(outcome)
    durations.observe(elapsedMs / 1_000)
  }
}

interface Queue {
  waiting: number
  oldestSeconds: number
}

/** What the table says of waiting mails, asked at most so often; nothing where the database does not answer in time, and the scrape goes on. */
class MailQueue {
  readonly #pool: pg.Pool
  #asking: Promise<Queue | undefined> | undefined
  #askedMs = -Infinity

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async look(): Promise<Queue | undefined> {
    if (performance.now() - this.#askedMs > queueFreshMs) {
      this.#askedMs = performance.now()
      this.#asking = this.#ask().catch(() => undefined)
    }
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, lookMaxMs)
    const found = (await Promise.race([this.#asking, late])) ?? undefined
    clearTimeout(timer)
    return found
  }

  async #ask(): Promise<Queue> {
    const { rows } = await this.#pool.query<Queue>(
      `select count(*)::int as waiting, coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as "oldestSeconds"
       from deliveries where status = 'queued'`,
    )
    return rows[0]!
  }
}
