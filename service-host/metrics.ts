import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Prometheus metrics of one service: requests by route and status, open sockets, event-loop delay and memory. */
export interface HttpMetrics {
  readonly registry: Registry
  observe(method: string, route: string, status: number, durationMs: number): void
  setSockets(count: number): void
}

export function createHttpMetrics(): HttpMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const requests = new Counter({
    name: 'maru_http_requests_total',
    help: 'Requests answered.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  })
  const duration = new Histogram({
    name: 'maru_http_request_duration_seconds',
    help: 'From the head of the request to the end of the answer.',
    labelNames: ['method', 'route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  })
  const sockets = new Gauge({ name: 'maru_sockets', help: 'Open WebSockets.', registers: [registry] })
  // Routes and statuses are few; bound children spare the hashing of labels on every request.
  const counters = new Map<string, Counter.Internal>()
  const histograms = new Map<string, Histogram.Internal<'method' | 'route'>>()
  return {
    registry,
    observe(method, route, status, durationMs) {
      const key = `${method} ${route}`
      let counter = counters.get(`${status} ${key}`)
      if (!counter) counters.set(`${status} ${key}`, (counter = requests.labels(method, route, String(status))))
      let histogram = histograms.get(key)
      if (!histogram) histograms.set(key, (histogram = duration.labels(method, route)))
      counter.inc()
      histogram.observe(durationMs / 1_000)
    },
    setSockets: (count) => sockets.set(count),
  }
}

/** Whether a peer is on this machine: metrics are for it alone. */
export function isLoopback(address: string | undefined): boolean {
  return address === '::1' || (address !== undefined && /^(::ffff:)?127\./.test(address))
}
