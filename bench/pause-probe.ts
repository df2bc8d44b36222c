import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/**
 * Loaded into a service beside its own code (`--import`): asked `pause`, it says for how many milliseconds the loop of the main thread stood still at the longest since it
 * was asked last.
 */
if (isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  process.on('message', (message) => {
    if (message !== 'pause') return
    process.send?.({ type: 'pause', maxMs: delay.max / 1e6, p99Ms: delay.percentile(99.9) / 1e6 })
    delay.reset()
  })
}
