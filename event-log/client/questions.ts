import { boundsOf, checkOffset } from '../bounds.ts'
import { pause, type Clock } from '../clock.ts'
import { LogClosedError, type LogRecord, type ReadBounds } from '../port.ts'
import { backoffMs, isTransientDatabaseError } from '../retry.ts'
import type { LogSession } from './session.ts'

/** A question is repeated this long over lost connections; then its error is thrown. */
const patienceMs = 10_000
const trimStepMax = 500

/** What is asked of the log, over one session, one question at a time. */
export class Questions {
  readonly #session: LogSession
  readonly #clock: Clock
  readonly #closing = new AbortController()

  constructor(session: LogSession, clock: Clock) {
    this.#session = session
    this.#clock = clock
  }

  /** `forMs`: how long a lost connection is tried again. Rejects when `signal` aborts. */
  async read(
    topic: string,
    after: number,
    bounds: ReadBounds,
    retry: { forMs: number; signal?: AbortSignal } = { forMs: patienceMs },
  ): Promise<LogRecord[]> {
    checkOffset(after)
    return this.#ask((session) => session.read(topic, after, boundsOf(bounds)), retry)
  }

  head(topic: string): Promise<number> {
    return this.#ask((session) => session.head(topic))
  }

  last(topic: string): Promise<LogRecord | undefined> {
    return this.#ask((session) => session.last(topic))
  }

  firstKept(topic: string): Promise<number> {
    return this.#ask((session) => session.firstKept(topic))
  }

  /** In steps, so that no transaction is long. */
  async trim(topic: string, before: number): Promise<void> {
    checkOffset(before)
    for (let dropped = trimStepMax; dropped === trimStepMax;)
      dropped = await this.#ask((session) => session.trim(topic, before, trimStepMax))
  }

  openWriter(topic: string, name: string): Promise<number> {
    return this.#ask((session) => session.openWriter(topic, name))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#session.close()
  }

  async #ask<Answer>(
    question: (session: LogSession) => Promise<Answer>,
    retry: { forMs: number; signal?: AbortSignal } = { forMs: patienceMs },
  ): Promise<Answer> {
    const end = this.#clock.nowMs() + retry.forMs
    for (let failures = 1; ; failures++) {
      if (this.#closing.signal.aborted) throw new LogClosedError('the log is closed')
      retry.signal?.throwIfAborted()
      try {
        return await orAbort(question(this.#session), retry.signal)
      } catch (error) {
        if (this.#closing.signal.aborted) throw new LogClosedError('the log was closed', { cause: error })
        retry.signal?.throwIfAborted()
        if (!isTransientDatabaseError(error) || this.#clock.nowMs() > end) throw error
        const signal = retry.signal ? AbortSignal.any([retry.signal, this.#closing.signal]) : this.#closing.signal
        await pause(backoffMs(failures, this.#clock), signal, this.#clock)
      }
    }
  }
}

/** The answer, or a rejection as soon as the signal aborts: who stops must not wait for a database that hangs. */
async function orAbort<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return answer
  let onAbort: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([answer, aborted])
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort)
  }
}
