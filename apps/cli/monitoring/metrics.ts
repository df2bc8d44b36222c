import {
  createMetricsRegistry,
  exposeCounter,
  exposeGauge,
  listenForScrapes,
  type MetricsListener,
  type MetricsRegistry,
} from '@maru/service-host/metrics'

/** A process that the supervisor keeps running. */
export interface SupervisedProcess {
  service: string
  isReady: boolean
  /** Ends in a row since it was last healthy. */
  failures: number
}

/** The supervisor's own metrics, on a port of loopback: it sees what a process that has died can no longer tell. */
export function serveSupervisorMetrics(options: {
  version: string
  processes: () => readonly SupervisedProcess[]
  /** Starts after the first, by service. It never falls, whoever is taken away. */
  restarts: () => ReadonlyMap<string, number>
}): Promise<MetricsListener> {
  const registry: MetricsRegistry = createMetricsRegistry({ service: 'supervisor', version: options.version })
  const byService = (figure: (processes: readonly SupervisedProcess[]) => number) => {
    const groups = Map.groupBy(options.processes(), ({ service }) => service)
    return [...groups].map(([service, processes]) => [{ service }, figure(processes)] as const)
  }
  exposeGauge(registry, { name: 'maru_supervisor_instances', help: 'Instances of a service that are to run.' }, ['service'], () =>
    byService((processes) => processes.length),
  )
  exposeGauge(registry, { name: 'maru_supervisor_ready_instances', help: 'Instances of a service that take requests.' }, ['service'], () =>
    byService((processes) => processes.filter(({ isReady }) => isReady).length),
  )
  exposeCounter(
    registry,
    { name: 'maru_supervisor_restarts_total', help: 'Starts of instances that had ended without being asked to.' },
    ['service'],
    () => [...options.restarts()].map(([service, restarts]) => [{ service }, restarts] as const),
  )
  exposeGauge(
    registry,
    { name: 'maru_supervisor_failures_in_a_row', help: 'The most times in a row that an instance has ended without having been healthy.' },
    ['service'],
    () => byService((processes) => Math.max(0, ...processes.map(({ failures }) => failures))),
  )
  return listenForScrapes(registry, { host: '127.0.0.1', port: 0 })
}
