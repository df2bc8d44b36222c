import type { Clock } from '../clock.ts'
import { LogClosedError, LogOverloadedError } from '../port.ts'

const waitersMax = 10_000

/** How far a reader is, and who waits for it to be further. */
export class Progress {
  readonly #clock: Clock
  readonly #waiters = new Set<{ offset: number; resolve: () => void; reject: (error: Error) => void }>()
  #ended = false
  #onAwaited: (() => void) | undefined
  position = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Somebody waits for an offset that is not reached. */
  get isAwaited(): boolean {
    return this.#waiters.size > 0
  }

  waitUntil(offset: number): Promise<void> {
    if (this.position >= offset) return Promise.resolve()
    if (this.#ended) return Promise.reject(new LogClosedError('the reader has ended'))
    if (this.#waiters.size >= waitersMax) return Promise.reject(new LogOverloadedError(`${waitersMax} wait for this reader already`))
    const reached = new Promise<void>((resolve, reject) => this.#waiters.add({ offset, resolve, reject }))
    this.#onAwaited?.()
    return reached
  }

  moveTo(position: number): void {
    this.position = position
    for (const waiter of this.#waiters) {
      if (waiter.offset > position) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  end(): void {
    this.#ended = true
    for (const waiter of this.#waiters) waiter.reject(new LogClosedError('the reader has ended'))
    this.#waiters.clear()
  }

  /** Resolves after the time, when the signal aborts, or as soon as somebody waits; never rejects. One at a time. */
  pauseUnlessAwaited(timeMs: number, signal: AbortSignal): Promise<void> {
    if (timeMs <= 0 || this.isAwaited || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const finish = (): void => {
        cancel()
        signal.removeEventListener('abort', finish)
        this.#onAwaited = undefined
        resolve()
      }
      const cancel = this.#clock.after(timeMs, finish)
      signal.addEventListener('abort', finish, { once: true })
      this.#onAwaited = finish
    })
  }
}
