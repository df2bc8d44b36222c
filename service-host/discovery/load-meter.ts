import { performance } from 'node:perf_hooks'
import { onEventLoopDelay } from '../event-loop-delay.ts'
import type { Load } from './port.ts'

/** Work under way in this process, as its servers count it. */
export interface WorkUnderWay {
  inFlight: number
  streams: number
}

/** Figures of the event loop are of so long at least, however many ask. */
const windowMs = 250

/** Measures how busy this process is. Stops measuring when disposed of. */
export class LoadMeter implements Disposable {
  #longestMs = 0
  readonly #delays = onEventLoopDelay((delayMs) => (this.#longestMs = Math.max(this.#longestMs, delayMs)))
  #before = performance.eventLoopUtilization()
  #measuredMs = -Infinity
  #eventLoop = { eventLoopUtilization: 0, eventLoopDelayMs: 0 }

  measure(work: WorkUnderWay): Load {
    const nowMs = performance.now()
    if (nowMs - this.#measuredMs >= windowMs) {
      this.#measuredMs = nowMs
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, this.#before)
      this.#before = now
      this.#eventLoop = { eventLoopUtilization: Math.min(1, Math.max(0, utilization || 0)), eventLoopDelayMs: this.#longestMs }
      this.#longestMs = 0
    }
    return { ...work, ...this.#eventLoop }
  }

  [Symbol.dispose](): void {
    this.#delays[Symbol.dispose]()
  }
}
