import { pause, type Clock } from '../clock.ts'
import { FencedError, LogClosedError, LogOverloadedError, type LogObserver } from '../port.ts'
import { backoffMs, isTransientDatabaseError } from '../retry.ts'
import type { AppendRequest, LogSession } from './session.ts'

/** Bounds of what waits to be appended; beyond them an append is refused with LogOverloadedError. */
export const pendingRecordsMax = 1_024
export const pendingBytesMax = 64 * 1_024 * 1_024

/** At close, what waits has this long to become durable. */
const closePatienceMs = 2_000

interface Pending {
  request: AppendRequest
  resolve: (offset: number) => void
  reject: (error: Error) => void
}

/** Appends records one after another over one session, in the order of the calls; repeats what a lost connection left open. */
export class Appender {
  readonly #session: LogSession
  readonly #clock: Clock
  readonly #onAppended: (topic: string, offset: number) => void
  readonly #closing = new AbortController()
  readonly #pending: Pending[] = []
  #pendingBytes = 0
  #running: Promise<void> | undefined
  #closed = false

  readonly #observer: LogObserver | undefined

  constructor(session: LogSession, clock: Clock, onAppended: (topic: string, offset: number) => void, observer?: LogObserver) {
    this.#observer = observer
    this.#session = session
    this.#clock = clock
    this.#onAppended = onAppended
  }

  append(request: AppendRequest): Promise<number> {
    if (this.#closed) return Promise.reject(new LogClosedError('the log is closed'))
    const { body } = request
    if (this.#pending.length >= pendingRecordsMax || (this.#pendingBytes > 0 && this.#pendingBytes + body.byteLength > pendingBytesMax))
      return Promise.reject(new LogOverloadedError(`${this.#pending.length} records (${this.#pendingBytes} bytes) wait to be appended`))
    return new Promise((resolve, reject) => {
      this.#pending.push({ request, resolve, reject })
      this.#pendingBytes += body.byteLength
      this.#running ??= this.#run().finally(() => (this.#running = undefined))
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const inTime = this.#clock.after(closePatienceMs, () => {
      this.#closing.abort()
      this.#session.break()
    })
    await this.#running
    inTime()
    await this.#session.close()
  }

  async #run(): Promise<void> {
    let sinceMs = this.#clock.elapsedMs()
    for (let failures = 0; this.#pending.length > 0;) {
      const [next] = this.#pending
      if (!next) return
      if (failures === 0) sinceMs = this.#clock.elapsedMs()
      try {
        if (this.#closing.signal.aborted) throw new LogClosedError('the log was closed before the record was known to be durable')
        const offset = await this.#session.append(next.request)
        failures = 0
        this.#take()
        this.#observer?.appended(next.request.topic, next.request.body.byteLength, this.#clock.elapsedMs() - sinceMs)
        this.#onAppended(next.request.topic, offset)
        next.resolve(offset)
      } catch (error) {
        if (isTransientDatabaseError(error) && !this.#closing.signal.aborted) {
          failures += 1
          this.#observer?.appendRetried(next.request.topic)
          await pause(backoffMs(failures, this.#clock), this.#closing.signal, this.#clock)
          continue
        }
        this.#take()
        next.reject(refusalOf(error, this.#closing.signal.aborted))
      }
    }
  }

  #take(): void {
    const taken = this.#pending.shift()
    this.#pendingBytes -= taken?.request.body.byteLength ?? 0
  }
}

function refusalOf(error: unknown, isClosing: boolean): Error {
  if (isClosing && !(error instanceof LogClosedError || error instanceof FencedError))
    return new LogClosedError('the log was closed before the record was known to be durable', { cause: error })
  return error as Error
}
