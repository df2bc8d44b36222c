import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { Load } from './port.ts'

/** Work under way in this process, as its servers count it. */
export interface WorkUnderWay {
  inFlight: number
  streams: number
}

const resolutionMs = 20
/** Figures of the event loop are of so long at least, however many ask. */
const windowMs = 250

/** Measures how busy this process is. Stops measuring when disposed of. */
export class LoadMeter implements Disposable {
  readonly #delays = monitorEventLoopDelay({ resolution: resolutionMs })
  #before = performance.eventLoopUtilization()
  #measuredMs = -Infinity
  #eventLoop = { eventLoopUtilization: 0, eventLoopDelayMs: 0 }

  constructor() {
    this.#delays.enable()
  }

  measure(work: WorkUnderWay): Load {
    const nowMs = performance.now()
    if (nowMs - this.#measuredMs >= windowMs) {
      this.#measuredMs = nowMs
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, this.#before)
      this.#before = now
      // What is recorded is the time between two ticks of a timer, so that its own period is in it.
      const delayMs = Math.max(0, this.#delays.max / 1e6 - resolutionMs)
      this.#delays.reset()
      this.#eventLoop = { eventLoopUtilization: Math.min(1, Math.max(0, utilization || 0)), eventLoopDelayMs: delayMs }
    }
    return { ...work, ...this.#eventLoop }
  }

  [Symbol.dispose](): void {
    this.#delays.disable()
  }
}
