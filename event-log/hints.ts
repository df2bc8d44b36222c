import { systemClock, type Clock } from './clock.ts'

/**
 * Wakes readers that wait at the end of a topic. A hint says that records up to an offset may be there; it may be lost, late or
 * wrong, so whoever waits also looks again after a while.
 */
export class Hints {
  readonly #clock: Clock
  readonly #waiters = new Map<string, Set<(offset: number) => void>>()

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /** Starts to listen for hints beyond `after()`; dispose of it to stop. */
  listen(topic: string, after: () => number): HintListener {
    const listener = new HintListener(this.#clock, after, () => {
      waiters.delete(hear)
      if (waiters.size === 0) this.#waiters.delete(topic)
    })
    const hear = (offset: number) => listener.hear(offset)
    const waiters = this.#waiters.get(topic) ?? new Set()
    this.#waiters.set(topic, waiters.add(hear))
    return listener
  }

  give(topic: string, offset: number): void {
    for (const hear of this.#waiters.get(topic) ?? []) hear(offset)
  }

  /** After hints may have been lost. */
  giveAll(): void {
    for (const topic of this.#waiters.keys()) this.give(topic, Number.MAX_SAFE_INTEGER)
  }
}

export class HintListener implements Disposable {
  readonly #clock: Clock
  readonly #after: () => number
  readonly #stop: () => void
  /** A hint that came while nobody waited. */
  #heard = false
  #wake: (() => void) | undefined

  constructor(clock: Clock, after: () => number, stop: () => void) {
    this.#clock = clock
    this.#after = after
    this.#stop = stop
  }

  hear(offset: number): void {
    if (offset <= this.#after()) return
    this.#heard = true
    this.#wake?.()
  }

  /** Forgets hints so far; called before the topic is read, which answers them. */
  reset(): void {
    this.#heard = false
  }

  /** Until a hint, the time, or the abort of the signal; at once where a hint came since `reset`. */
  async wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#heard || signal.aborted) return
    await new Promise<void>((resolve) => {
      const finish = () => {
        cancel()
        signal.removeEventListener('abort', finish)
        this.#wake = undefined
        resolve()
      }
      const cancel = this.#clock.after(timeoutMs, finish)
      signal.addEventListener('abort', finish, { once: true })
      this.#wake = finish
    })
  }

  [Symbol.dispose](): void {
    this.#stop()
  }
}
