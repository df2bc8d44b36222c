import { Writable } from 'node:stream'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KubernetesApi } from '../kubernetes/api.ts'
import { follow } from '../kubernetes/watch.ts'
import type { Discovery } from '../port.ts'
import { discoveryChecks } from '../testing.ts'
import { ownAddress, startKubeApiserver, withoutKubernetes, type KubeApiserver } from './support/kube-apiserver.ts'
import { kubeRegistry, type KubeRegistry } from './support/kube-registry.ts'
import { startInstance } from './support/running-instance.ts'

/** Discovery by Kubernetes at a real kube-apiserver; `platforms.test.ts` tries the same at one of ours, everywhere. */

const missing = withoutKubernetes()
const idsOf = async (discovery: Discovery): Promise<string[]> => (await discovery.instances()).map(({ id }) => id).sort()

/** Has etcd forget what was before now: who goes on from there is told 410, once the server has no memory of its own either. */
async function compact(server: KubeApiserver, registry: KubeRegistry): Promise<void> {
  const { metadata } = await server.ask<{ metadata: { resourceVersion: string } }>('GET', `${registry.slices}?limit=1`)
  await server.compact(Number(metadata.resourceVersion))
}

describe.skipIf(missing !== undefined)(`with a real kube-apiserver${missing === undefined ? '' : ` (${missing})`}`, () => {
  let server: KubeApiserver | undefined
  beforeAll(async () => {
    server = await startKubeApiserver()
  }, 180_000)
  afterAll(() => server?.[Symbol.asyncDispose]())

  for (const [title, check] of Object.entries(discoveryChecks))
    test(title, { timeout: 180_000 }, async () => {
      await using registry = await kubeRegistry(server!)
      await check(registry, 25_000)
    })

  test('what changed while it was killed, and etcd no longer knows of, is seen when it is back', { timeout: 180_000 }, async () => {
    await using registry = await kubeRegistry(server!)
    await using gateway = await registry.open()
    await using one = await startInstance(registry, 'user', 'u1')
    await using two = await startInstance(registry, 'user', 'u2')
    await expect.poll(() => idsOf(gateway)).toEqual(['u1', 'u2'])
    for (let round = 0; round < 3; round += 1) {
      // A change that the watch is cut off from, then a new server that has no memory of its own.
      await server!.kill()
      await server!.start()
      await registry.unlist('user', two.url)
      await compact(server!, registry)
      await server!.kill()
      await server!.start()
      await expect.poll(() => idsOf(gateway), { timeout: 60_000 }).toEqual(['u1'])
      await registry.list('user', two.url)
      await expect.poll(() => idsOf(gateway), { timeout: 60_000 }).toEqual(['u1', 'u2'])
    }
    expect(one.url).toContain(ownAddress)
  })

  test('where etcd was lost and versions begin anew, it is listed anew', { timeout: 180_000 }, async () => {
    await using registry = await kubeRegistry(server!)
    await using gateway = await registry.open()
    await using user = await startInstance(registry, 'user', 'u1')
    await expect.poll(() => idsOf(gateway)).toEqual(['u1'])
    await server!.kill()
    await server!.wipe()
    await server!.start()
    await registry.make()
    await using other = await startInstance(registry, 'user', 'u2')
    expect(other.url).not.toBe(user.url)
    await expect.poll(() => idsOf(gateway), { timeout: 90_000 }).toEqual(['u2'])
  })

  test('more than a page of slices is listed whole, and changes are seen from there on', { timeout: 180_000 }, async () => {
    await using registry = await kubeRegistry(server!)
    for (let port = 1_001; port <= 1_260; port += 1) await registry.list('user', `http://${ownAddress}:${port}`)
    const api = new KubernetesApi({ origin: server!.url, credentials: registry.credentials })
    const closed = new AbortController()
    let names: string[] = []
    const following = follow({
      api,
      path: registry.slices,
      labelSelector: 'kubernetes.io/service-name in (maru-user,maru-trading)',
      logger: pino({ level: 'silent' }),
      signal: closed.signal,
      onChange: (objects) => (names = [...objects.keys()]),
    })
    await expect.poll(() => names.length, { timeout: 30_000 }).toBe(260)
    await registry.unlist('user', `http://${ownAddress}:1007`)
    await registry.list('trading', `http://${ownAddress}:1008`)
    await expect.poll(() => names.includes('maru-trading-1008') && !names.includes('maru-user-1007')).toBe(true)
    closed.abort()
    await following
    api.close()
  })

  test(
    'who may not list is told so at the start; who may no longer, keeps what is known, and goes on when it may again',
    { timeout: 180_000 },
    async () => {
      const lines: string[] = []
      const logger = pino({ level: 'warn' }, new Writable({ write: (chunk, _, done) => (lines.push(String(chunk)), done()) }))
      await using registry = await kubeRegistry(server!, logger)
      await registry.allow(undefined)
      await expect(registry.open()).rejects.toThrow(/403.*endpointslices\.discovery\.k8s\.io is forbidden/)
      await registry.allow(['list', 'watch'])
      await using gateway = await registry.open()
      await using user = await startInstance(registry, 'user', 'u1')
      await expect.poll(() => idsOf(gateway)).toEqual(['u1'])
      await registry.allow(undefined)
      lines.length = 0
      // The watch that runs goes on until the server ends it, so it is ended.
      await server!.kill()
      await server!.start()
      await expect.poll(() => lines.join(''), { timeout: 60_000 }).toContain('forbidden')
      await registry.list('user', 'http://192.0.2.1:9')
      expect(await idsOf(gateway)).toEqual(['u1'])
      await registry.allow(['list', 'watch'])
      await registry.unlist('user', user.url)
      await expect.poll(() => idsOf(gateway), { timeout: 60_000 }).toEqual([])
    },
  )
})
