import type { Logger } from '@maru/service-host'
import type pg from 'pg'
import { render } from '../templates/index.ts'
import { claimDeliveries, settleDelivery, type ClaimedDelivery, type Outcome } from './deliveries.ts'
import { isMailAddress, type MailServer } from './smtp.ts'

/** Mails under way at once, each on a connection of its own. */
export const mailsAtOnceMax = 5
const pollMs = 300
/** An attempt that takes longer counts as failed. */
const attemptMaxMs = 15_000
/** Longer than an attempt, so that a claim lapses only when its process is gone; short, since a mail of a killed process waits for it. */
const claimMs = 25_000
const backoffMaxMs = 600_000

export interface MailerParts {
  pool: pg.Pool
  server: MailServer
  logger: Logger
  attemptsMax: number
  retryMs: number
  mailsPerHourMax: number
  /** Told what became of each attempt. */
  onAttempt?: (outcome: 'sent' | 'retried' | 'failed' | 'not_sent', elapsedMs: number, eventKey: string) => void
}

/** Wait before attempt `attempt + 1`: doubles from `retryMs` up to ten minutes. */
export function backoffMs(attempt: number, retryMs: number): number {
  return Math.min(retryMs * 2 ** (attempt - 1), backoffMaxMs)
}

/**
 * Sends what is queued until disposed. A mail is claimed, taken to the server, and then marked; a process killed between the
 * two leaves a claim that lapses, and the mail goes out again under the same Message-ID.
 */
export class Mailer implements AsyncDisposable {
  readonly #parts: MailerParts
  readonly #running: Promise<void>
  #stopped = false
  #stopPause: () => void = () => undefined

  constructor(parts: MailerParts) {
    this.#parts = parts
    this.#running = this.#run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#stopPause()
    await this.#running
    this.#parts.server.close()
  }

  async #run(): Promise<void> {
    const { pool, logger } = this.#parts
    while (!this.#stopped) {
      let worked = 0
      try {
        const claimed = await claimDeliveries(pool, mailsAtOnceMax, claimMs)
        worked = claimed.length
        await Promise.all(claimed.map((delivery) => this.#deliver(delivery)))
      } catch (error) {
        if (!this.#stopped) logger.warn({ err: error }, 'mails could not be worked on; trying again')
        worked = 0
      }
      if (worked < mailsAtOnceMax) await this.#pause()
    }
  }

  async #deliver(delivery: ClaimedDelivery): Promise<void> {
    const sinceMs = performance.now()
    const outcome = await this.#attempt(delivery)
    this.#parts.onAttempt?.(outcome.status === 'queued' ? 'retried' : outcome.status, performance.now() - sinceMs, delivery.event_key)
    await settleDelivery(this.#parts.pool, delivery, outcome)
  }

  async #attempt(delivery: ClaimedDelivery): Promise<Outcome> {
    const { server, attemptsMax, retryMs, mailsPerHourMax, logger } = this.#parts
    if (delivery.email === null) {
      // The events of one topic may be read a little ahead of those that tell who the user is.
      return delivery.attempts < attemptsMax
        ? { status: 'queued', retryInMs: backoffMs(delivery.attempts, retryMs), error: 'the address is not known yet' }
        : { status: 'not_sent', reason: 'no_address' }
    }
    if (!isMailAddress(delivery.email)) return { status: 'not_sent', reason: 'no_address' }
    if (delivery.mails_before >= mailsPerHourMax) return { status: 'not_sent', reason: 'rate_limited' }
    const { title, body } = render(delivery.language, delivery.kind, delivery.data)
    try {
      const sending = server.send({
        to: { name: delivery.username ?? '', address: delivery.email },
        subject: title,
        text: `${body}\n`,
        messageId: delivery.message_id,
        date: delivery.created_at,
      })
      await within(attemptMaxMs, sending)
      return { status: 'sent' }
    } catch (error) {
      const fault = error as { code?: string; responseCode?: number; message?: string }
      const said = (fault.message ?? 'unknown').replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500)
      // 5xx is a final answer about this mail (RFC 5321, section 4.2.1), except where it is about our own login.
      const refused = (fault.responseCode ?? 0) >= 500 && fault.code !== 'EAUTH'
      const last = delivery.attempts >= attemptsMax
      logger.warn(
        { delivery_id: delivery.id, attempt: delivery.attempts, code: fault.code, response_code: fault.responseCode },
        'a mail was not taken',
      )
      if (refused || last) return { status: 'failed', reason: refused ? 'refused' : 'unreachable', error: said }
      return { status: 'queued', retryInMs: backoffMs(delivery.attempts, retryMs), error: said }
    }
  }

  async #pause(): Promise<void> {
    if (this.#stopped) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#stopPause = resolve
    const timer = setTimeout(resolve, pollMs)
    await promise
    clearTimeout(timer)
  }
}

/** Rejects after `limitMs`. What is under way is left to its own time-outs; should it succeed after all, the repeat has the same Message-ID. */
async function within(limitMs: number, work: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`the mail server took longer than ${limitMs} ms`)), limitMs)
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
