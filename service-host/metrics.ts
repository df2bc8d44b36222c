import { Registry } from 'prom-client'
import { exposeCounter, exposeGauge, exposeHistogram, type MetricsRegistry } from './metrics/expose.ts'
import { exposeBuild, exposeProcess } from './metrics/process.ts'
import { CountTally, HistogramTally } from './metrics/tally.ts'

export * from './metrics/expose.ts'
export * from './metrics/listener.ts'
export * from './metrics/log.ts'
export * from './metrics/log-meter.ts'
export * from './metrics/pool.ts'
export * from './metrics/process.ts'
export * from './metrics/tally.ts'

/** Requests of one method and route. */
export interface RouteMetrics {
  observe(status: number, durationMs: number): void
}

/** Why a socket was cut off: its reader did not keep up, showed no life, or sent more than it may. */
export type SocketDropReason = 'slow' | 'silent' | 'rate_limited'

/** Prometheus metrics of one service: requests by route and status, refusals by code, open sockets, event-loop delay and memory. */
export interface HttpMetrics {
  readonly registry: MetricsRegistry
  /** To be kept by who serves the route. Routes are few, as they are the service's own and not the paths of clients. */
  route(method: string, route: string): RouteMetrics
  /** A request was refused with a code of the catalogue. */
  refused(code: string): void
  socketDropped(reason: SocketDropReason): void
  /** How many sockets are open now, asked when scraped. */
  watchSockets(count: () => number): void
}

/** Upper bounds in seconds. */
export const durationBounds = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Counts in plain numbers on every request; Prometheus reads them when it scrapes. */
export class RouteTally implements RouteMetrics {
  readonly byStatus = new Map<number, { count: number }>()
  readonly durations = new HistogramTally(durationBounds)
  #lastStatus = 0
  #last = { count: 0 }

  observe(status: number, durationMs: number): void {
    if (status !== this.#lastStatus) this.#turnTo(status)
    this.#last.count += 1
    this.durations.observe(durationMs / 1_000)
  }

  #turnTo(status: number): void {
    let found = this.byStatus.get(status)
    if (!found) this.byStatus.set(status, (found = { count: 0 }))
    this.#lastStatus = status
    this.#last = found
  }
}

/** A registry with what every process shows. */
export function createMetricsRegistry(build: { service: string; version: string }): MetricsRegistry {
  const registry: MetricsRegistry = new Registry()
  exposeProcess(registry)
  exposeBuild(registry, build)
  return registry
}

export function createHttpMetrics(): HttpMetrics {
  const registry: MetricsRegistry = new Registry()
  exposeProcess(registry)
  const tallies = new Map<string, { labels: { method: string; route: string }; tally: RouteTally }>()
  const refusals = new CountTally()
  const drops = new CountTally<SocketDropReason>()
  let sockets = (): number => 0
  exposeCounter(registry, { name: 'maru_http_requests_total', help: 'Requests answered.' }, ['method', 'route', 'status'], () =>
    [...tallies.values()].flatMap(({ labels, tally }) =>
      [...tally.byStatus].map(([status, { count }]) => [{ ...labels, status: String(status) }, count] as const),
    ),
  )
  exposeHistogram(
    registry,
    { name: 'maru_http_request_duration_seconds', help: 'From the head of the request to the end of the answer.' },
    ['method', 'route'],
    durationBounds,
    () => [...tallies.values()].map(({ labels, tally }) => [labels, tally.durations] as const),
  )
  exposeCounter(registry, { name: 'maru_http_refusals_total', help: 'Requests refused, by the code of docs/errors.md.' }, ['code'], () =>
    [...refusals.entries()].map(([code, count]) => [{ code }, count] as const),
  )
  exposeGauge(registry, { name: 'maru_sockets', help: 'Open WebSockets.' }, [], () => [[{}, sockets()]])
  exposeCounter(registry, { name: 'maru_socket_drops_total', help: 'WebSockets cut off: slow, silent or rate_limited.' }, ['reason'], () =>
    [...drops.entries()].map(([reason, count]) => [{ reason }, count] as const),
  )
  return {
    registry,
    socketDropped: (reason) => drops.add(reason),
    route(method, route) {
      const key = `${method} ${route}`
      let known = tallies.get(key)
      if (!known) tallies.set(key, (known = { labels: { method, route }, tally: new RouteTally() }))
      return known.tally
    },
    refused: (code) => refusals.add(code),
    watchSockets: (count) => (sockets = count),
  }
}

/** Whether a peer is on this machine: metrics are for it alone. */
export function isLoopback(address: string | undefined): boolean {
  return address === '::1' || (address !== undefined && /^(::ffff:)?127\./.test(address))
}
