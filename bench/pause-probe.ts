import { openSync, readSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/** What the probe says when it is asked. */
export interface Pauses {
  type: 'pause'
  /** The longest that the loop of the main thread stood still, by the clock. */
  maxMs: number
  /** The longest, less what the thread spent ready to run while other threads had the cores (the scheduler's own figure; Linux only, else as `maxMs`). */
  withoutWaitMs: number
}

/** How often the loop is looked at. */
const everyMs = 1

/**
 * Loaded into a service beside its own code (`--import`): asked `pause`, it says for how many milliseconds the loop of the main thread stood still at the longest since it
 * was asked last.
 */
if (isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: everyMs })
  delay.enable()
  const waitedMs = coreWait()
  let longestMs = 0
  let last = { nowMs: performance.now(), waitedMs: waitedMs() }
  setInterval(() => {
    const turn = { nowMs: performance.now(), waitedMs: waitedMs() }
    longestMs = Math.max(longestMs, turn.nowMs - last.nowMs - everyMs - (turn.waitedMs - last.waitedMs))
    last = turn
  }, everyMs).unref()
  process.on('message', (message) => {
    if (message !== 'pause') return
    const pauses: Pauses = { type: 'pause', maxMs: delay.max / 1e6, withoutWaitMs: longestMs }
    process.send?.(pauses)
    delay.reset()
    longestMs = 0
  })
}

/** Reads for how long this thread has waited for a core so far: the second figure of its schedstat, in nanoseconds. */
function coreWait(): () => number {
  let file: number
  try {
    file = openSync('/proc/thread-self/schedstat', 'r')
  } catch {
    return () => 0
  }
  const bytes = Buffer.alloc(100)
  return () => Number(bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0)).split(' ')[1]) / 1e6
}
