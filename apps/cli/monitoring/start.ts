import { version } from '@maru/service-host/version'
import type { Terminal } from '../terminal.ts'
import { serveSupervisorMetrics, type SupervisedProcess } from './metrics.ts'
import { ScrapeTargets, type ScrapedProcess } from './targets.ts'

export interface Monitoring extends AsyncDisposable {
  /** Brings the list of what Prometheus asks up to this moment. */
  updateTargets(): void
}

/** Serves the supervisor's metrics and keeps the list of what Prometheus asks, until disposed. */
export async function startMonitoring(
  home: string,
  supervisor: { readonly processes: readonly (SupervisedProcess & ScrapedProcess)[]; readonly restarts: ReadonlyMap<string, number> },
  terminal: Terminal,
): Promise<Monitoring> {
  await using started = new AsyncDisposableStack()
  const metrics = started.use(
    await serveSupervisorMetrics({ version, processes: () => supervisor.processes, restarts: () => supervisor.restarts }),
  )
  const targets = started.use(
    new ScrapeTargets(
      home,
      () => [{ service: 'supervisor', metricsUrl: metrics.url }, ...supervisor.processes],
      (error) => terminal.note(`the list for Prometheus cannot be written: ${error.message}`),
    ),
  )
  const lifetimes = started.move()
  return { updateTargets: () => targets.update(), [Symbol.asyncDispose]: () => lifetimes.disposeAsync() }
}
