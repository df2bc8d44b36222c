import type { Place } from '../asking.ts'
import type { InstanceState } from '../port.ts'
import type { ApiObject } from './watch.ts'

/** discovery.k8s.io/v1 EndpointSlice, as far as it is read. */
interface EndpointSlice extends ApiObject {
  addressType?: string
  endpoints?: { addresses?: string[]; conditions?: Conditions | null }[] | null
  ports?: { name?: string | null; port?: number | null; protocol?: string | null }[] | null
}

interface Conditions {
  ready?: boolean | null
  serving?: boolean | null
  terminating?: boolean | null
}

/** Which Service a slice belongs to. */
export const serviceLabel = 'kubernetes.io/service-name'

/**
 * Where the instances of a service are by its slices. `portName`: of the port that takes requests; where unset the one called `http`, or the only one. Where a
 * service has addresses of both families, those of IPv4, so that one pod is not found twice.
 */
export function placesOf(service: string, slices: readonly ApiObject[], portName: string | undefined): Place[] {
  const all = slices as readonly EndpointSlice[]
  const families = new Set(all.filter(({ endpoints }) => (endpoints ?? []).length > 0).map(({ addressType }) => addressType))
  const family = families.has('IPv4') ? 'IPv4' : 'IPv6'
  const byUrl = new Map<string, Place>()
  for (const slice of all) {
    const port = portOf(slice, portName)
    if (slice.addressType !== family || port === undefined) continue
    for (const { addresses, conditions } of slice.endpoints ?? []) {
      // All addresses of an endpoint are the same pod (the API says so); the first stands for it.
      const address = addresses?.[0]
      const state = stateOf(conditions ?? {})
      if (address === undefined || state === undefined) continue
      const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
      const known = byUrl.get(url)
      // One pod may for a moment stand in two slices, while they are rebalanced: what is newer is not known, so the better one counts.
      if (!known || readiness.indexOf(state) < readiness.indexOf(known.state)) byUrl.set(url, { service, url, state })
    }
  }
  return [...byUrl.values()]
}

const readiness: readonly InstanceState[] = ['ready', 'starting', 'draining']

/**
 * Undefined for a pod that takes no requests any more. What is not said counts as ready, and serving as ready, as the API wants it. A pod that ends but still serves is
 * draining: requests in flight go on, new ones go elsewhere.
 */
function stateOf({ ready, serving, terminating }: Conditions): InstanceState | undefined {
  const isReady = ready ?? true
  const isServing = serving ?? isReady
  if (terminating === true) return isServing ? 'draining' : undefined
  return isReady ? 'ready' : 'starting'
}

function portOf({ ports }: EndpointSlice, name: string | undefined): number | undefined {
  const tcp = (ports ?? []).filter(({ protocol }) => (protocol ?? 'TCP') === 'TCP')
  const found =
    name === undefined
      ? (tcp.find((port) => port.name === 'http') ?? (tcp.length === 1 ? tcp[0] : undefined))
      : tcp.find((port) => port.name === name)
  return found?.port ?? undefined
}
