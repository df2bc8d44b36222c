import type { Logger } from '../../logger.ts'
import { serviceKeys } from '../../names.ts'
import { AskedInstances } from '../asking.ts'
import { PlatformDiscovery } from '../platform.ts'
import { discoveryLease, type Discovery, type Lease } from '../port.ts'
import { LiveView } from '../view.ts'
import { KubernetesApi } from './api.ts'
import { placesOf, serviceLabel } from './endpoint-slices.ts'
import type { KubernetesSetting } from './setting.ts'
import { follow, type ApiObject } from './watch.ts'

/** The first list must be there within this. */
const firstListMs = 10_000

/**
 * Discovery by the EndpointSlices of a Kubernetes Service for each of ours: the API says at once where pods come and go, and each is asked itself what it is, since kubelets
 * know of a death only after seconds. While the API is away what is known counts. Takes `list` and `watch` on `endpointslices`. Rejects where they cannot be
 * listed at first.
 */
export async function openKubernetesDiscovery(options: { setting: KubernetesSetting; logger: Logger; lease?: Lease }): Promise<Discovery> {
  const { setting, logger, lease = discoveryLease } = options
  const api = new KubernetesApi({ origin: setting.api, credentials: setting.credentials })
  const namespace = setting.namespace ?? (await api.ownNamespace())
  const view = new LiveView()
  const asked = new AskedInstances({ view, logger, lease })
  const closed = new AbortController()
  const nameOf = (service: string) => setting.template.replace('{service}', service)

  const spread = async (objects: ReadonlyMap<string, ApiObject>): Promise<void> => {
    const bySlice = Map.groupBy(objects.values(), ({ metadata }) => metadata.labels?.[serviceLabel])
    await Promise.all(
      serviceKeys.map((service) => asked.setPlaces(service, placesOf(service, bySlice.get(nameOf(service)) ?? [], setting.port))),
    )
  }

  const first = Promise.withResolvers<void>()
  let fault: Error | undefined
  const following = follow({
    api,
    path: `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
    labelSelector: `${serviceLabel} in (${serviceKeys.map(nameOf).join(',')})`,
    logger,
    signal: closed.signal,
    onFault: (error) => (fault = error),
    onChange: (objects) => void spread(objects).then(first.resolve, first.reject),
  })
  const close = async (): Promise<void> => {
    closed.abort()
    await following
    await asked[Symbol.asyncDispose]()
    api.close()
  }
  const giveUp = (): void => {
    const why = fault === undefined ? '' : `: ${fault.message}`
    first.reject(new Error(`the Kubernetes API gave no list of endpoint slices within ${firstListMs / 1_000} s${why}`, { cause: fault }))
  }
  const timer = setTimeout(giveUp, firstListMs)
  try {
    await first.promise
  } catch (error) {
    await close()
    throw error
  } finally {
    clearTimeout(timer)
  }
  return new PlatformDiscovery({ view, noticeMs: lease.renewMs, close })
}
