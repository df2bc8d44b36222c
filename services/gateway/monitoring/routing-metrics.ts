import { exposeCounter, exposeGauge, type MetricsRegistry, type Sample } from '@maru/service-host'
import type { Admission } from '../routing/admission.ts'
import type { Balancer } from '../routing/balancer.ts'
import type { CircuitState } from '../routing/circuit.ts'
import type { Member } from '../routing/member.ts'
import type { RetryBudget } from '../routing/retry-budget.ts'

/** What decides where requests go and which are refused, as it is now. */
export interface RoutingState {
  readonly admission: Admission
  /** By service. */
  budgets(): ReadonlyMap<string, RetryBudget>
  balancers(): ReadonlyMap<string, Balancer>
  instances(): readonly (Member & { readonly trunk?: { readonly isOpen: boolean } | undefined })[]
  /** Ejections so far, by service. */
  readonly ejections: ReadonlyMap<string, number>
}

const circuitStates: readonly CircuitState[] = ['closed', 'half_open', 'open']

/** Load that is shed, repeats, outliers, limits and the circuits of services; series of an instance go with it. */
export function exposeRouting(metrics: MetricsRegistry, { admission, budgets, balancers, instances, ejections }: RoutingState): void {
  exposeCounter(
    metrics,
    {
      name: 'maru_gateway_shed_total',
      help: 'Requests refused for want of room, by kind: protection (cancels and what only reduces), account, order, market, background.',
    },
    ['service', 'kind'],
    () => admission.shedByService().map(({ service, kind, count }) => [{ service, kind }, count] as const),
  )
  const byService = <V>(of: () => ReadonlyMap<string, V>, figure: (value: V) => number) => {
    return (): Sample[] => [...of()].map(([service, value]) => [{ service }, figure(value)] as const)
  }
  exposeGauge(
    metrics,
    { name: 'maru_gateway_retry_budget_left', help: 'Requests to a service that may be sent once more, now.' },
    ['service'],
    byService(budgets, ({ saved }) => Math.floor(saved)),
  )
  exposeCounter(
    metrics,
    { name: 'maru_gateway_retries_refused_total', help: 'Requests that were not sent once more, as the budget of repeats was spent.' },
    ['service'],
    byService(budgets, ({ refused }) => refused),
  )
  exposeCounter(
    metrics,
    { name: 'maru_gateway_ejections_total', help: 'Times that an instance of a service was ejected for faring worse than the others.' },
    ['service'],
    byService(
      () => ejections,
      (count) => count,
    ),
  )
  const byInstance = (figure: (member: Member) => number) => {
    return (): Sample[] => instances().map((member) => [{ service: member.instance.service, upstream: member.instance.id }, figure(member)])
  }
  exposeGauge(
    metrics,
    { name: 'maru_gateway_ejected', help: '1 for an instance that is ejected now.' },
    ['service', 'upstream'],
    byInstance(({ ejectedUntilMs }) => (ejectedUntilMs > performance.now() ? 1 : 0)),
  )
  exposeGauge(
    metrics,
    { name: 'maru_gateway_concurrency_limit', help: 'Requests that may be under way to an instance at once, as found from its answers.' },
    ['service', 'upstream'],
    byInstance(({ limit }) => Math.floor(limit.value)),
  )
  exposeGauge(
    metrics,
    { name: 'maru_gateway_trunk_open', help: '1 where plain requests go to an instance by a trunk, 0 where by HTTP.' },
    ['service', 'upstream'],
    () => instances().map(({ instance, trunk }) => [{ service: instance.service, upstream: instance.id }, trunk?.isOpen ? 1 : 0] as const),
  )
  exposeGauge(
    metrics,
    { name: 'maru_gateway_service_circuit_state', help: '1 for the state of the circuit breaker of a service.' },
    ['service', 'state'],
    () =>
      [...balancers()].flatMap(([service, { circuit }]) =>
        circuitStates.map((state) => [{ service, state }, state === circuit.state ? 1 : 0] as const),
      ),
  )
}
