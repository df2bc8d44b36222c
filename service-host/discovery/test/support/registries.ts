import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pino } from 'pino'
import { createTestDatabase, startTestServer } from '../../../../test/support/postgres.ts'
import type { ServiceKey } from '../../../names.ts'
import { openDiscovery } from '../../open.ts'
import { discoverySetting } from '../../setting.ts'
import { openPostgresDiscovery } from '../../postgres/discovery.ts'
import type { Lease } from '../../port.ts'
import { startDnsServer } from './dns-server.ts'
import { startKubernetesApi } from './kubernetes-api.ts'
import type { RegistryUnderTest } from './running-instance.ts'

const logger = pino({ level: 'silent' })

export async function postgresRegistry({ outage }: { outage: boolean }): Promise<RegistryUnderTest> {
  const server = outage ? await startTestServer() : undefined
  const database = server ?? (await createTestDatabase())
  return {
    open: (lease) => openPostgresDiscovery({ connectionString: database.urls.gateway, logger, ...(lease ? { lease } : {}) }),
    environmentOf: (service) => ({ DATABASE_URL: database.urls[service as ServiceKey] }),
    list: () => Promise.resolve(),
    unlist: () => Promise.resolve(),
    takeAway: async () => server?.kill(),
    bringBack: async () => server?.start(),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

function openPlatform(text: string, lease?: Lease) {
  return openDiscovery({ setting: discoverySetting({}).parse(text), connectionString: '', logger, ...(lease ? { lease } : {}) })
}

export async function dnsRegistry(): Promise<RegistryUnderTest> {
  const server = await startDnsServer()
  const setting = `dns:_http._tcp.{service}.maru.test?server=127.0.0.1:${server.port}`
  const record = (service: string, url: string) => ({
    name: `_http._tcp.${service}.maru.test`,
    target: 'one.maru.test',
    port: Number(new URL(url).port),
  })
  server.addresses.set('one.maru.test', { type: 'A', addresses: ['127.0.0.1'], ttl: 0 })
  return {
    open: (lease) => openPlatform(setting, lease),
    environmentOf: () => ({ MARU_DISCOVERY: setting }),
    list: async (service, url) => void server.services.push(record(service, url)),
    async unlist(service, url) {
      const gone = record(service, url)
      server.services.splice(0, Infinity, ...server.services.filter(({ name, port }) => name !== gone.name || port !== gone.port))
    },
    takeAway: () => server.stop(),
    bringBack: () => server.start(),
    [Symbol.asyncDispose]: () => server.stop(),
  }
}

/** `serviceName` of a slice is that of the Kubernetes Service, here `maru-user`. */
export async function kubernetesRegistry(): Promise<
  RegistryUnderTest & { api: Awaited<ReturnType<typeof startKubernetesApi>>; setting: string }
> {
  const api = await startKubernetesApi()
  const credentials = await mkdtemp(path.join(tmpdir(), 'maru-test-kubernetes-'))
  for (const [file, text] of [
    ['token', api.token],
    ['ca.crt', api.certificate],
    ['namespace', 'floor'],
  ] as const)
    await writeFile(path.join(credentials, file), text)
  const setting = `kubernetes:/maru-{service}?api=${api.url}&credentials=${credentials}`
  const nameOf = (service: string, url: string) => `maru-${service}-${new URL(url).port}`
  return {
    api,
    setting,
    open: (lease) => openPlatform(setting, lease),
    environmentOf: () => ({ MARU_DISCOVERY: setting }),
    list: async (service, url) =>
      api.put({
        metadata: { name: nameOf(service, url), namespace: 'floor', labels: { 'kubernetes.io/service-name': `maru-${service}` } },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true, serving: true, terminating: false } }],
        ports: [{ name: 'http', port: Number(new URL(url).port), protocol: 'TCP' }],
      }),
    unlist: async (service, url) => api.remove('floor', nameOf(service, url)),
    takeAway: () => api.stop(),
    bringBack: () => api.start(),
    async [Symbol.asyncDispose]() {
      await api.stop()
      await rm(credentials, { recursive: true })
    },
  }
}
