import { performance } from 'node:perf_hooks'
import { collectDefaultMetrics } from 'prom-client'
import { exposeGauge, type MetricsRegistry } from './expose.ts'

/**
 * What every process shows: CPU, memory, file descriptors, the delay of the event loop, garbage collection (all by the names that `prom-client` and
 * the dashboards for Node share), how busy the event loop is, and which release runs.
 */
export function exposeProcess(registry: MetricsRegistry): void {
  collectDefaultMetrics({ register: registry })
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
