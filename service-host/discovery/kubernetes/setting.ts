import type { Environment } from '../../settings.ts'

export interface KubernetesSetting {
  /** The pod's own where unset. */
  namespace: string | undefined
  /** Name of the Kubernetes Service of one of ours, with `{service}` in it. */
  template: string
  /** Name of its port; where unset the one called `http`, or the only one. */
  port: string | undefined
  /** `https://10.96.0.1:443` */
  api: string
  /** Folder with `token`, `ca.crt` and `namespace`, read anew as they are rotated. */
  credentials: string
}

const credentialsUsual = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * Reads what follows `kubernetes:`, such as `maru/{service}?port=http`; all of it may be left out. Where the API is, is told by the pod's
 * environment. Throws what is wrong.
 */
export function readKubernetesSetting(text: string, environment: Environment): KubernetesSetting {
  const [name = '', search = ''] = text.split('?', 2)
  const query = new URLSearchParams(search)
  for (const key of query.keys())
    if (!['port', 'api', 'credentials'].includes(key)) throw new Error(`has "${key}", which is none of port, api, credentials`)
  const slash = name.indexOf('/')
  const namespace = slash < 0 ? '' : name.slice(0, slash)
  const template = name.slice(slash + 1) === '' ? 'maru-{service}' : name.slice(slash + 1)
  if (namespace !== '' && !/^[a-z0-9][a-z0-9-]{0,62}$/.test(namespace)) throw new Error(`has "${namespace}", which is no namespace`)
  if (template.split('{service}').length !== 2 || !/^[a-z][a-z0-9-]{0,48}$/.test(template.replace('{service}', 's')))
    throw new Error(`has "${template}", which is no name of a Service with {service} in it once`)
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment
  const api = query.get('api') ?? (host ? `https://${host.includes(':') ? `[${host}]` : host}:${port ?? '443'}` : undefined)
  if (api === undefined) throw new Error('needs KUBERNETES_SERVICE_HOST, which every pod has, or ?api=https://…')
  // The token of the service account goes there.
  if (!URL.canParse(api) || new URL(api).protocol !== 'https:') throw new Error(`has "${api}", which is no https address of the API`)
  return {
    namespace: namespace === '' ? undefined : namespace,
    template,
    port: query.get('port') ?? undefined,
    api: new URL(api).origin,
    credentials: query.get('credentials') ?? credentialsUsual,
  }
}
