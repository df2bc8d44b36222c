import { performance } from 'node:perf_hooks'
import { collectDefaultMetrics } from 'prom-client'
import { onEventLoopDelay } from '../event-loop-delay.ts'
import { exposeGauge, exposeHistogram, type MetricsRegistry } from './expose.ts'
import { HistogramTally } from './tally.ts'

const delayBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
/** What `prom-client` makes of a timer that wakes every so many ms, the time between two wakes included: not shown, since it is ours that is, and so not asked for often. */
const lagsEveryMs = 60_000
const lagsHidden = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map((figure) => `nodejs_eventloop_lag_${figure}_seconds`)

/**
 * What every process shows: CPU, memory, file descriptors, garbage collection (all by the names that `prom-client` and the dashboards for Node share),
 * how busy the event loop is and how late it comes, and which release runs.
 */
export function exposeProcess(registry: MetricsRegistry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: lagsEveryMs })
  for (const name of lagsHidden) registry.removeSingleMetric(name)
  const delays = new HistogramTally(delayBounds)
  onEventLoopDelay((delayMs) => delays.observe(delayMs / 1_000))
  exposeHistogram(
    registry,
    { name: 'maru_event_loop_delay_seconds', help: 'How much later than it was due a timer fired, asked ten times a second.' },
    [],
    delayBounds,
    () => [[{}, delays]],
  )
  let before = performance.eventLoopUtilization()
  let utilization = 0
  exposeGauge(
    registry,
    {
      name: 'maru_event_loop_utilization_ratio',
      help: 'Share of the time since the last scrape in which the event loop was not idle, 0 to 1.',
    },
    [],
    () => {
      const now = performance.eventLoopUtilization()
      const since = performance.eventLoopUtilization(now, before)
      // Two scrapes within a moment of each other would show noise.
      if (since.active + since.idle >= 100) {
        utilization = since.utilization
        before = now
      }
      return [[{}, utilization]]
    },
  )
}

/** `maru_build_info`, always 1: joins a release to the other metrics of an instance. */
export function exposeBuild(registry: MetricsRegistry, build: { service: string; version: string }): void {
  exposeGauge(registry, { name: 'maru_build_info', help: 'Always 1; the labels say what runs.' }, ['service', 'version', 'node'], () => [
    [{ ...build, node: process.versions.node }, 1],
  ])
}
