import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pino, type Logger } from 'pino'
import { openDiscovery } from '../../open.ts'
import { discoverySetting } from '../../setting.ts'
import { ownAddress, type KubeApiserver } from './kube-apiserver.ts'
import type { RegistryUnderTest } from './running-instance.ts'

export interface KubeRegistry extends RegistryUnderTest {
  readonly namespace: string
  /** As a pod has it: `token`, `ca.crt`, `namespace`. */
  readonly credentials: string
  readonly setting: string
  /** Makes what it needs at the server: a namespace and an account that may list and watch slices. */
  make(): Promise<void>
  /** What the account may do from now on; undefined takes its role away. */
  allow(verbs: readonly string[] | undefined): Promise<void>
  /** Where the slices of its namespace are. */
  readonly slices: string
}

const rbac = 'rbac.authorization.k8s.io'

/** A namespace of its own at a real server, with an account that may do what a pod of ours may. */
export async function kubeRegistry(server: KubeApiserver, logger: Logger = pino({ level: 'silent' })): Promise<KubeRegistry> {
  const namespace = `floor-${randomUUID().slice(0, 8)}`
  const credentials = await mkdtemp(path.join(tmpdir(), 'maru-test-kube-'))
  const setting = `kubernetes:/maru-{service}?api=${server.url}&credentials=${credentials}`
  const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`
  const roles = `/apis/${rbac}/v1/namespaces/${namespace}/roles`
  const nameOf = (service: string, url: string): string => `maru-${service}-${new URL(url).port}`
  const registry: KubeRegistry = {
    namespace,
    credentials,
    setting,
    slices,
    async make() {
      await server.ask('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
      const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`
      await server.ask('POST', accounts, { metadata: { name: 'maru' } })
      await registry.allow(['list', 'watch'])
      await server.ask('POST', `/apis/${rbac}/v1/namespaces/${namespace}/rolebindings`, {
        metadata: { name: 'maru' },
        roleRef: { apiGroup: rbac, kind: 'Role', name: 'maru' },
        subjects: [{ kind: 'ServiceAccount', name: 'maru', namespace }],
      })
      const { status } = await server.ask<{ status: { token: string } }>('POST', `${accounts}/maru/token`, {
        spec: { expirationSeconds: 3_600 },
      })
      for (const [file, text] of [
        ['token', status.token],
        ['ca.crt', server.certificate],
        ['namespace', namespace],
      ] as const)
        await writeFile(path.join(credentials, file), text)
    },
    async allow(verbs) {
      await server.ask('DELETE', `${roles}/maru`).catch(() => undefined)
      if (verbs === undefined) return
      const rules = [{ apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs }]
      await server.ask('POST', roles, { metadata: { name: 'maru' }, rules })
    },
    open: (lease) =>
      openDiscovery({ setting: discoverySetting({}).parse(setting), connectionString: '', logger, ...(lease ? { lease } : {}) }),
    environmentOf: () => ({ MARU_DISCOVERY: setting, INSTANCE_HOST: ownAddress! }),
    list: async (service, url) => {
      await server.ask('POST', slices, {
        metadata: { name: nameOf(service, url), labels: { 'kubernetes.io/service-name': `maru-${service}` } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [new URL(url).hostname], conditions: { ready: true, serving: true, terminating: false } }],
        ports: [{ name: 'http', port: Number(new URL(url).port), protocol: 'TCP' }],
      })
    },
    unlist: async (service, url) => {
      await server.ask('DELETE', `${slices}/${nameOf(service, url)}`)
    },
    takeAway: () => server.kill(),
    bringBack: () => server.start(),
    [Symbol.asyncDispose]: () => rm(credentials, { recursive: true, force: true }),
  }
  await registry.make()
  return registry
}
