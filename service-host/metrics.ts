import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Requests of one method and route. */
export interface RouteMetrics {
  observe(status: number, durationMs: number): void
}

/** Prometheus metrics of one service: requests by route and status, open sockets, event-loop delay and memory. */
export interface HttpMetrics {
  readonly registry: Registry
  /** To be kept by who serves the route. Routes are few, as they are the service's own and not the paths of clients. */
  route(method: string, route: string): RouteMetrics
  setSockets(count: number): void
}

/** Upper bounds in seconds. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Counts in plain numbers on every request; Prometheus reads them when it scrapes. */
class RouteTally implements RouteMetrics {
  readonly method: string
  readonly route: string
  /** Requests by status since the last scrape. */
  readonly byStatus = new Map<number, { count: number }>()
  /** Requests by bucket, not cumulative; the last is for what is beyond all bounds. */
  readonly byBucket = new Float64Array(buckets.length + 1)
  sumSeconds = 0
  #lastStatus = 0
  #last = { count: 0 }

  constructor(method: string, route: string) {
    this.method = method
    this.route = route
  }

  observe(status: number, durationMs: number): void {
    if (status !== this.#lastStatus) this.#turnTo(status)
    this.#last.count += 1
    const seconds = durationMs / 1_000
    let bucket = 0
    while (bucket < buckets.length && seconds > (buckets[bucket] as number)) bucket += 1
    this.byBucket[bucket] = (this.byBucket[bucket] as number) + 1
    this.sumSeconds += seconds
  }

  #turnTo(status: number): void {
    let found = this.byStatus.get(status)
    if (!found) this.byStatus.set(status, (found = { count: 0 }))
    this.#lastStatus = status
    this.#last = found
  }
}

const durationName = 'maru_http_request_duration_seconds'
const durationHelp = 'From the head of the request to the end of the answer.'

/** A histogram whose values are those of the tallies. */
class DurationHistogram extends Histogram<'method' | 'route'> {
  readonly #tallies: ReadonlyMap<string, RouteTally>

  constructor(registry: Registry, tallies: ReadonlyMap<string, RouteTally>) {
    super({ name: durationName, help: durationHelp, labelNames: ['method', 'route'], buckets, registers: [registry] })
    this.#tallies = tallies
  }

  /** What a registry asks for, and `get` takes its values from. */
  getForPromString() {
    return Promise.resolve({
      name: durationName,
      help: durationHelp,
      type: 'histogram',
      aggregator: 'sum',
      values: [...this.#tallies.values()].flatMap(valuesOf),
    })
  }
}

function valuesOf({ method, route, byBucket, sumSeconds }: RouteTally) {
  const sharedLabels = { method, route }
  let count = 0
  const values = Array.from(byBucket, (ofBucket, index) => {
    count += ofBucket
    return { metricName: `${durationName}_bucket`, labels: { le: buckets[index] ?? '+Inf' }, sharedLabels, value: count }
  })
  if (count === 0) return []
  return [
    ...values,
    { metricName: `${durationName}_sum`, labels: {}, sharedLabels, value: sumSeconds },
    { metricName: `${durationName}_count`, labels: {}, sharedLabels, value: count },
  ]
}

export function createHttpMetrics(): HttpMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const tallies = new Map<string, RouteTally>()
  new Counter({
    name: 'maru_http_requests_total',
    help: 'Requests answered.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
    collect() {
      for (const { method, route, byStatus } of tallies.values()) {
        for (const [status, tally] of byStatus) {
          if (tally.count > 0) this.inc({ method, route, status: String(status) }, tally.count)
          tally.count = 0
        }
      }
    },
  })
  new DurationHistogram(registry, tallies)
  const sockets = new Gauge({ name: 'maru_sockets', help: 'Open WebSockets.', registers: [registry] })
  return {
    registry,
    route(method, route) {
      const key = `${method} ${route}`
      let tally = tallies.get(key)
      if (!tally) tallies.set(key, (tally = new RouteTally(method, route)))
      return tally
    },
    setSockets: (count) => sockets.set(count),
  }
}

/** Whether a peer is on this machine: metrics are for it alone. */
export function isLoopback(address: string | undefined): boolean {
  return address === '::1' || (address !== undefined && /^(::ffff:)?127\./.test(address))
}
