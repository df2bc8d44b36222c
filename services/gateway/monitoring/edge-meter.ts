import {
  CountTally,
  durationBounds,
  exposeCounter,
  exposeGauge,
  exposeHistogram,
  RouteTally,
  type MetricsRegistry,
} from '@maru/service-host'
import type { RefusedConnection } from '../front/connections.ts'
import type { EdgeAnswer } from '../front/exchange.ts'

/** A route as it is counted: a path of the contracts, never one of a client, so that there are as many as there are endpoints. */
export interface RouteName {
  readonly service: string
  readonly method: string
  readonly route: string
}

/** Why an instance gave no answer: nothing had been sent to it, it broke off, or it took too long. */
export type UpstreamFailure = 'unsent' | 'broken' | 'timeout'

const unrouted: RouteName = { service: 'gateway', method: 'any', route: '(none)' }

/** Requests as the edge sees them, in plain numbers. */
export class EdgeMeter {
  readonly #routes = new Map<RouteName, RouteTally>()
  readonly #refusals = new CountTally()
  readonly #failures = new CountTally()
  readonly #repeats = new CountTally()
  #slowReaders = 0
  readonly #connections = new CountTally<RefusedConnection>()

  /** Measures a request from now until the head of its answer leaves. One that has no answer, as its client left, is not counted. */
  watch(call: { readonly route?: RouteName | undefined }, answer: EdgeAnswer): void {
    const sinceMs = performance.now()
    answer.onHead = (status) => this.#tally(call.route ?? unrouted).observe(status, performance.now() - sinceMs)
  }

  /** Counts a refusal of the gateway itself by its code. */
  refused(code: string): void {
    this.#refusals.add(code)
  }

  /** A request sent to an instance of a service had no answer; `isRepeated` where it is sent to another. */
  failed(service: string, failure: UpstreamFailure, isRepeated: boolean): void {
    this.#failures.add(`${service} ${failure}`)
    if (isRepeated) this.#repeats.add(service)
  }

  /** A connection was not taken. */
  refusedConnection(why: RefusedConnection): void {
    this.#connections.add(why)
  }

  /** A socket was cut off whose client took nothing of what waited for it. */
  cutSlowReader(): void {
    this.#slowReaders += 1
  }

  expose(metrics: MetricsRegistry): void {
    exposeCounter(
      metrics,
      { name: 'maru_gateway_requests_total', help: 'Requests answered at the gateway, by service, route of the contracts, and status.' },
      ['service', 'method', 'route', 'status'],
      () =>
        [...this.#routes].flatMap(([name, tally]) =>
          [...tally.byStatus].map(([status, { count }]) => [{ ...name, status: String(status) }, count] as const),
        ),
    )
    exposeHistogram(
      metrics,
      {
        name: 'maru_gateway_request_duration_seconds',
        help: 'From the head of a request to the head of its answer, as the gateway sends it.',
      },
      ['service', 'method', 'route'],
      durationBounds,
      () => [...this.#routes].map(([name, tally]) => [{ ...name }, tally.durations] as const),
    )
    exposeCounter(
      metrics,
      {
        name: 'maru_gateway_refusals_total',
        help: 'Requests the gateway refused itself, by the code of docs/errors.md; overloaded is load shed.',
      },
      ['code'],
      () => [...this.#refusals.entries()].map(([code, count]) => [{ code }, count] as const),
    )
    exposeCounter(
      metrics,
      { name: 'maru_gateway_upstream_failures_total', help: 'Requests to which an instance gave no answer: unsent, broken or timeout.' },
      ['service', 'failure'],
      () =>
        [...this.#failures.entries()].map(([key, count]) => {
          const [service = '', failure = ''] = key.split(' ')
          return [{ service, failure }, count] as const
        }),
    )
    exposeCounter(metrics, { name: 'maru_gateway_retries_total', help: 'Requests sent once more, to another instance.' }, ['service'], () =>
      [...this.#repeats.entries()].map(([service, count]) => [{ service }, count] as const),
    )
    exposeCounter(
      metrics,
      { name: 'maru_gateway_slow_readers_total', help: 'Sockets cut off as their client took nothing of what waited for it.' },
      [],
      () => [[{}, this.#slowReaders]],
    )
    exposeCounter(
      metrics,
      {
        name: 'maru_gateway_connections_refused_total',
        help: 'Connections that were not taken: as many as may be from one address, or in all.',
      },
      ['reason'],
      () => [...this.#connections.entries()].map(([reason, count]) => [{ reason }, count] as const),
    )
  }

  #tally(name: RouteName): RouteTally {
    let tally = this.#routes.get(name)
    if (!tally) this.#routes.set(name, (tally = new RouteTally()))
    return tally
  }
}

/** What can be read of the edge and of the instances behind it, whenever it is asked. */
export interface GatewayState {
  load(): { inFlight: number; streams: number }
  instances(): Iterable<{ service: string; id: string; state: string; circuit: string; inFlight: number }>
}

const circuitStates = ['closed', 'half_open', 'open']

/** Gauges of the gateway; series of an instance go with it. */
export function exposeGatewayState(metrics: MetricsRegistry, services: readonly string[], state: GatewayState): void {
  exposeGauge(metrics, { name: 'maru_gateway_requests_in_flight', help: 'Requests being served.' }, [], () => [[{}, state.load().inFlight]])
  exposeGauge(metrics, { name: 'maru_gateway_streams', help: 'Open sockets and event streams.' }, [], () => [[{}, state.load().streams]])
  exposeGauge(
    metrics,
    { name: 'maru_gateway_ready_instances', help: 'Instances of a service that are ready, as this gateway sees them.' },
    ['service'],
    () => {
      const all = [...state.instances()]
      return services.map((service) => [{ service }, all.filter((one) => one.service === service && one.state === 'ready').length] as const)
    },
  )
  exposeGauge(
    metrics,
    { name: 'maru_gateway_circuit_state', help: '1 for the state of the circuit breaker of an instance.' },
    ['service', 'upstream', 'state'],
    () =>
      [...state.instances()].flatMap(({ service, id, circuit }) =>
        circuitStates.map((name) => [{ service, upstream: id, state: name }, name === circuit ? 1 : 0] as const),
      ),
  )
  exposeGauge(
    metrics,
    { name: 'maru_gateway_upstream_requests_in_flight', help: 'Requests sent to an instance and not answered yet.' },
    ['service', 'upstream'],
    () => [...state.instances()].map(({ service, id, inFlight }) => [{ service, upstream: id }, inFlight] as const),
  )
}
