/** Time, turns and jitter as waiting code takes them: from the system, or from a simulation that repeats a run to the letter. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number
  /** Milliseconds since some start; never runs back. */
  elapsedMs(): number
  /** Calls back once after the time; gives what prevents it. */
  after(timeMs: number, callback: () => void): () => void
  /** Calls back again and again, and keeps no process alive for it; gives what ends it. */
  every(timeMs: number, callback: () => void): () => void
  /** Calls back after what is under way now. */
  soon(callback: () => void): void
  /** From 0 up to 1, so that many who wait do not return together. */
  jitter(): number
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  after(timeMs, callback) {
    const timer = setTimeout(callback, timeMs)
    return () => clearTimeout(timer)
  },
  every(timeMs, callback) {
    const timer = setInterval(callback, timeMs).unref()
    return () => clearInterval(timer)
  },
  soon: (callback) => void setImmediate(callback),
  jitter: () => Math.random(),
}

/** Resolves after the time, or at once when the signal aborts; never rejects. */
export function pause(timeMs: number, signal: AbortSignal, clock: Clock = systemClock): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = (): void => {
      cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const cancel = clock.after(timeMs, end)
    signal.addEventListener('abort', end, { once: true })
  })
}
