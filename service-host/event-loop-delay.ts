import { performance } from 'node:perf_hooks'

/**
 * Ten times a second says as much of a process that is held up as a hundred times, and an idle one stays asleep: with a histogram of our own and that of
 * `prom-client`, which wake 50 and 100 times a second, the twelve processes of an idle platform took a twentieth of a core for nothing else.
 */
const everyMs = 100

const listeners = new Set<(delayMs: number) => void>()
let timer: NodeJS.Timeout | undefined
let dueMs = 0

/** Tells ten times a second how much later than it was due a timer of this process fired, in ms; until disposed of. */
export function onEventLoopDelay(listener: (delayMs: number) => void): Disposable {
  listeners.add(listener)
  if (!timer) {
    dueMs = performance.now() + everyMs
    timer = setInterval(sample, everyMs).unref()
  }
  return {
    [Symbol.dispose]: () => {
      listeners.delete(listener)
      if (listeners.size > 0) return
      clearInterval(timer)
      timer = undefined
    },
  }
}

function sample(): void {
  const nowMs = performance.now()
  const delayMs = Math.max(0, nowMs - dueMs)
  dueMs = nowMs + everyMs
  for (const listener of listeners) listener(delayMs)
}
