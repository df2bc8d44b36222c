import { promises } from 'node:dns'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { AskedInstances } from '../asking.ts'
import { lookUp } from '../dns/look-up.ts'
import { readDnsSetting } from '../dns/setting.ts'
import { placesOf } from '../kubernetes/endpoint-slices.ts'
import { readKubernetesSetting } from '../kubernetes/setting.ts'
import { KubernetesApi } from '../kubernetes/api.ts'
import { follow, type ApiObject } from '../kubernetes/watch.ts'
import { discoveryLease } from '../port.ts'
import { LiveView } from '../view.ts'
import { startDnsServer } from './support/dns-server.ts'
import { kubernetesRegistry } from './support/registries.ts'

const logger = pino({ level: 'silent' })

describe('settings', () => {
  test.each([
    [
      '_http._tcp.{service}.maru.local?port=8000&ttl_max=2',
      { template: '_http._tcp.{service}.maru.local', port: 8_000, server: undefined, ttlMaxMs: 2_000 },
    ],
    ['{service}.local', { template: '{service}.local', port: undefined, server: undefined, ttlMaxMs: 5_000 }],
  ])('dns:%s', (text, expected) => expect(readDnsSetting(text)).toEqual(expected))

  test.each(['', 'maru.local', '{service}.{service}', '{service}/x', '{service}?port=0', '{service}?port=x', '{service}?speed=1'])(
    'dns:%s is refused',
    (text) => expect(() => readDnsSetting(text)).toThrow(/^has /),
  )

  const pod = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' }
  test('kubernetes: takes what a pod has, and other things where they are said', () => {
    expect(readKubernetesSetting('', pod)).toMatchObject({
      namespace: undefined,
      template: 'maru-{service}',
      port: undefined,
      api: 'https://10.96.0.1',
    })
    expect(
      readKubernetesSetting('floor/{service}?port=api', { ...pod, KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }),
    ).toMatchObject({
      namespace: 'floor',
      template: '{service}',
      port: 'api',
      api: 'https://[fd00::1]:6443',
    })
  })
  test.each(['floor/', 'Floor/{service}', 'floor/name', '{service}?api=http://10.0.0.1', '{service}?x=1'])('kubernetes:%s', (text) => {
    if (text === 'floor/') expect(readKubernetesSetting(text, pod).namespace).toBe('floor')
    else expect(() => readKubernetesSetting(text, pod)).toThrow(/^has /)
  })
  test('kubernetes: outside of a pod needs an address', () =>
    expect(() => readKubernetesSetting('', {})).toThrow(/KUBERNETES_SERVICE_HOST/))
})

describe('looking up by DNS', () => {
  const setting = { template: '_http._tcp.{service}.maru.test', port: 8_000, server: undefined, ttlMaxMs: 5_000 }

  test('SRV records of the lowest priority; failing those addresses and the port; a time to live within bounds', async () => {
    const server = await startDnsServer()
    const resolver = new promises.Resolver({ timeout: 1_000, tries: 2 })
    resolver.setServers([`127.0.0.1:${server.port}`])
    const name = '_http._tcp.user.maru.test'
    const look = () => lookUp(resolver, 'user', setting)
    try {
      expect(await look()).toEqual({ authorities: [], ttlMs: 5_000 })
      server.addresses.set('user.maru.test', { type: 'AAAA', addresses: ['fd00::7'], ttl: 3 })
      expect(await look()).toEqual({ authorities: ['[fd00::7]:8000'], ttlMs: 3_000 })
      server.addresses.set('user.maru.test', { type: 'A', addresses: ['10.0.0.8', '10.0.0.7'], ttl: 0 })
      expect(await look()).toEqual({ authorities: ['10.0.0.7:8000', '10.0.0.8:8000'], ttlMs: 250 })
      server.addresses.set('a.maru.test', { type: 'A', addresses: ['10.0.0.1'], ttl: 600 })
      server.services.push({ name, target: 'a.maru.test', port: 1 }, { name, target: 'a.maru.test', port: 2 })
      server.services.push({ name, target: 'a.maru.test', port: 3, priority: 9 })
      expect(await look()).toEqual({ authorities: ['10.0.0.1:1', '10.0.0.1:2'], ttlMs: 5_000 })
      server.failing = true
      await expect(look()).rejects.toMatchObject({ code: 'ESERVFAIL' })
    } finally {
      await server.stop()
    }
    await expect(look()).rejects.toMatchObject({ syscall: 'querySrv' })
  })
})

describe('endpoint slices', () => {
  const slice = (endpoints: object[], more: object = {}) =>
    ({
      metadata: { name: 's', resourceVersion: '1' },
      addressType: 'IPv4',
      endpoints,
      ports: [{ name: 'http', port: 80 }],
      ...more,
    }) as ApiObject
  const states = (slices: ApiObject[], port?: string) => placesOf('user', slices, port).map(({ url, state }) => `${url} ${state}`)

  test.each([
    [{}, 'ready'],
    [undefined, 'ready'],
    [{ ready: true, serving: true, terminating: false }, 'ready'],
    [{ ready: false, serving: false, terminating: false }, 'starting'],
    [{ ready: false, serving: true, terminating: true }, 'draining'],
    [{ ready: false, serving: false, terminating: true }, undefined],
    [{ ready: false, terminating: true }, undefined],
  ])('conditions %j: %s', (conditions, state) =>
    expect(states([slice([{ addresses: ['10.0.0.1'], conditions }])])).toEqual(state === undefined ? [] : [`http://10.0.0.1:80 ${state}`]),
  )

  test('ports by name, families, the same pod twice, and slices with nothing in them', () => {
    const one = [{ addresses: ['10.0.0.1', '10.0.0.2'] }]
    const six = slice([{ addresses: ['fd00::1'] }], { addressType: 'IPv6' })
    expect(
      states([
        slice(one, {
          ports: [
            { name: 'metrics', port: 9 },
            { name: 'http', port: 80 },
          ],
        }),
      ]),
    ).toEqual(['http://10.0.0.1:80 ready'])
    expect(
      states(
        [
          slice(one, {
            ports: [
              { name: 'metrics', port: 9 },
              { name: 'http', port: 80 },
            ],
          }),
        ],
        'metrics',
      ),
    ).toEqual(['http://10.0.0.1:9 ready'])
    expect(states([slice(one, { ports: [{ name: '', port: 7 }] })])).toEqual(['http://10.0.0.1:7 ready'])
    expect(
      states([
        slice(one, {
          ports: [
            { name: 'a', port: 7 },
            { name: 'b', port: 8 },
          ],
        }),
      ]),
    ).toEqual([])
    expect(states([slice(one), six])).toEqual(['http://10.0.0.1:80 ready'])
    expect(states([six])).toEqual(['http://[fd00::1]:80 ready'])
    const going = slice([{ addresses: ['10.0.0.1'], conditions: { ready: false, serving: true, terminating: true } }])
    expect(states([going, slice(one)])).toEqual(['http://10.0.0.1:80 ready'])
    expect(states([slice([], { endpoints: null }), slice([], { ports: null })])).toEqual([])
  })
})

describe('following the Kubernetes API', () => {
  test('pages, events, bookmarks; a watch that ends is taken up; 410 begins anew, at the start of a watch and within it', async () => {
    await using registry = await kubernetesRegistry()
    const { api } = registry
    const client = new KubernetesApi({ origin: api.url, credentials: /credentials=(.*)$/.exec(registry.setting)?.[1] ?? '' })
    const closed = new AbortController()
    let names: string[] = []
    for (let port = 1; port <= 300; port += 1) await registry.list('user', `http://127.0.0.1:${port}`)
    const following = follow({
      api: client,
      path: '/apis/discovery.k8s.io/v1/namespaces/floor/endpointslices',
      labelSelector: 'kubernetes.io/service-name in (maru-user)',
      logger,
      signal: closed.signal,
      onChange: (objects) => (names = [...objects.keys()]),
    })
    const has = (port: number) => expect.poll(() => names.includes(`maru-user-${port}`), { timeout: 20_000 }).toBe(true)
    const watches = (count: number) => expect.poll(() => api.counts.watches, { timeout: 20_000 }).toBe(count)
    await expect.poll(() => names.length, { timeout: 20_000 }).toBe(300)
    expect(api.counts.lists).toBe(2)
    await watches(1)
    await registry.list('user', 'http://127.0.0.1:301')
    await has(301)
    await registry.list('trading', 'http://127.0.0.1:302')
    await registry.unlist('user', 'http://127.0.0.1:301')
    await expect.poll(() => names.length).toBe(300)

    // Far behind but for the bookmark: the watch is taken up without a list.
    api.bookmark()
    api.compact()
    await registry.list('user', 'http://127.0.0.1:303')
    await has(303)
    api.endWatches()
    await watches(2)
    expect(api.counts.lists).toBe(2)

    // While no watch runs, more happens than is remembered.
    api.endWatches()
    await registry.list('user', 'http://127.0.0.1:304')
    api.compact()
    await has(304)
    expect(api.counts.lists).toBe(4)

    await expect.poll(() => api.expireWatches(), { timeout: 20_000 }).toBe(true)
    await expect.poll(() => api.counts.lists, { timeout: 20_000 }).toBe(6)
    await registry.list('user', 'http://127.0.0.1:305')
    await has(305)

    // After a fault too: its store may have been put back, and a watch from a lost future would never hear of anything.
    await watches(5)
    const lists = api.counts.lists
    await api.stop()
    await api.start()
    await registry.list('user', 'http://127.0.0.1:306')
    await has(306)
    expect(api.counts.lists).toBeGreaterThan(lists)
    closed.abort()
    await following
    client.close()
  })

  test('a token that is not valid is refused, and nobody but the authority of the cluster is believed', async () => {
    await using registry = await kubernetesRegistry()
    await using other = await kubernetesRegistry()
    const credentialsOf = ({ setting }: { setting: string }) => /credentials=(.*)$/.exec(setting)?.[1] ?? ''
    const ask = async (origin: string, credentials: string) => {
      const client = new KubernetesApi({ origin, credentials })
      return client
        .get('/apis/discovery.k8s.io/v1/namespaces/floor/endpointslices', 5_000, new AbortController().signal)
        .finally(() => client.close())
    }
    await expect(ask(registry.api.url, credentialsOf(registry))).resolves.toMatchObject({ items: [] })
    await writeFile(path.join(credentialsOf(other), 'token'), 'another')
    await expect(ask(other.api.url, credentialsOf(other))).rejects.toMatchObject({ status: 401 })
    await expect(ask(other.api.url, credentialsOf(registry))).rejects.toThrow(/self-signed certificate|unable to verify|signature/)
  })
})

describe('asking instances at their places', () => {
  const description = (id: string, more: object = {}) =>
    JSON.stringify({ instance: { id, service: 'user', pid: 1, version: '1', state: 'ready', started_at: '2026-01-01T00:00:00Z', ...more } })
  const serving =
    (text: string, status = 200): RequestListener =>
    (_request, response) =>
      void response.writeHead(status).end(text)

  test.each([
    ['an instance of another service', serving(description('x', { service: 'trading' }))],
    ['no word of what it is', serving('{"status":"ready"}')],
    ['no JSON', serving('ready')],
    ['an answer without end', (_request, response) => void response.writeHead(200).write('x'.repeat(20_000))],
  ] as [string, RequestListener][])('%s is left out', async (_name, listener) => {
    await using server = await listening(listener)
    await using good = await listening(serving(description('good')))
    const view = new LiveView()
    await using asked = new AskedInstances({ view, logger, lease: discoveryLease })
    await asked.setPlaces(
      'user',
      [server, good].map(({ url }) => ({ service: 'user', url, state: 'ready' as const })),
    )
    expect(view.of().map(({ id }) => id)).toEqual(['good'])
  })

  test('an instance is as ready as it says, and no more than the platform says', async () => {
    await using ready = await listening(serving(description('a')))
    await using not = await listening(serving(description('b'), 503))
    const view = new LiveView()
    await using asked = new AskedInstances({ view, logger, lease: discoveryLease })
    const set = async (state: 'ready' | 'starting' | 'draining') => {
      await asked.setPlaces(
        'user',
        [ready, not].map(({ url }) => ({ service: 'user', url, state })),
      )
      return view.of().map((instance) => `${instance.id} ${instance.state}`)
    }
    expect(await set('ready')).toEqual(['a ready', 'b starting'])
    expect(await set('starting')).toEqual(['a starting', 'b starting'])
    expect(await set('draining')).toEqual(['a draining', 'b draining'])
  })
})

test('of two with one address or one id the one that started last is seen', () => {
  const view = new LiveView()
  const seen = (id: string, url: string, startedAt: string) => ({
    instance: { id, service: 'user', url, pid: 1, version: '1', state: 'ready' as const, startedAt, readyAt: null, capabilities: [] },
    load: undefined,
  })
  view.learn([
    seen('new', 'http://a', '2026-02-01'),
    seen('old', 'http://a', '2026-01-01'),
    seen('b', 'http://b', '2026-01-01'),
    seen('b', 'http://c', '2026-01-02'),
  ])
  expect(view.of().map(({ id, url }) => `${id} ${url}`)).toEqual(['b http://c', 'new http://a'])
})

async function listening(listener: RequestListener): Promise<AsyncDisposable & { url: string; server: Server }> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
