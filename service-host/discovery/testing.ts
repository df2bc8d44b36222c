import { describe, expect, test, vi } from 'vitest'
import type { Discovery, Instance } from './port.ts'
import { startInstance, type RegistryUnderTest } from './test/support/running-instance.ts'

/** How long a condition may take to come true, on a machine that is busy with other things. */
const patienceMs = 25_000

/** Checks of what every kind of discovery promises (port.ts). `deathMs`: how long a death may take to be seen. */
export const discoveryChecks = {
  'what an instance says of itself is seen, at once by who opens later, and its changes by who watches': async (registry) => {
    await using gateway = await registry.open()
    const watching = new AbortController()
    const seen: Instance[][] = []
    gateway.watch((instances) => seen.push(instances), watching.signal)
    expect(seen).toEqual([[]])
    await using user = await startInstance(registry, 'user', 'u1')
    await until(patienceMs, () => seen.at(-1), [
      {
        id: 'u1',
        service: 'user',
        url: user.url,
        pid: user.pid,
        version: '1.2.3',
        state: 'starting',
        readyAt: null,
        capabilities: ['http', 'websocket'],
      },
    ])
    await user.tell({ state: 'ready' })
    await until(patienceMs, () => seen.at(-1), [{ id: 'u1', state: 'ready', readyAt: expect.any(String) }])
    await using late = await registry.open()
    expect((await late.instances('user')).map(({ id }) => id)).toEqual(['u1'])
    expect(await late.instances('trading')).toEqual([])
    const count = seen.length
    await user.tell({ inFlight: 7 })
    await until(patienceMs, () => gateway.loadOf('u1'), { inFlight: 7 })
    expect(seen.length).toBe(count)
    await user.tell({ withdraw: true })
    await until(patienceMs, () => seen.at(-1)?.filter(({ state }) => state !== 'draining'), [])
    await registry.unlist('user', user.url)
    await until(patienceMs, () => seen.at(-1), [])
    watching.abort()
    const ended = seen.length
    await using other = await startInstance(registry, 'user', 'u2')
    await until(patienceMs, async () => (await gateway.instances()).map(({ id }) => id), [other.id])
    expect(seen.length).toBe(ended)
  },

  'an instance that is killed is gone, and the other stays': async (registry, deathMs) => {
    await using gateway = await registry.open()
    await using one = await startInstance(registry, 'user', 'u1')
    await using two = await startInstance(registry, 'user', 'u2')
    await until(patienceMs, () => idsOf(gateway), ['u1', 'u2'])
    one.signal('SIGKILL')
    await until(deathMs, () => idsOf(gateway), [two.id])
  },

  'an instance that is stopped is gone, and back when it goes on': async (registry, deathMs) => {
    await using gateway = await registry.open()
    await using user = await startInstance(registry, 'user', 'u1')
    await until(patienceMs, () => idsOf(gateway), ['u1'])
    user.signal('SIGSTOP')
    await until(deathMs, () => idsOf(gateway), [])
    user.signal('SIGCONT')
    await until(patienceMs, () => idsOf(gateway), ['u1'])
  },

  'while the list is away who was known stays; what changed meanwhile is seen when it is back': async (registry) => {
    await using gateway = await registry.open()
    await using user = await startInstance(registry, 'user', 'u1')
    await until(patienceMs, () => idsOf(gateway), ['u1'])
    let emptied = false
    gateway.watch((instances) => (emptied ||= instances.length === 0), new AbortController().signal)
    await registry.takeAway()
    // For longer than a lease.
    const backAt = performance.now() + 2_000
    await until(patienceMs, () => performance.now() > backAt, true)
    expect(await idsOf(gateway)).toEqual(['u1'])
    await registry.bringBack()
    await using other = await startInstance(registry, 'user', 'u2')
    await until(patienceMs, () => idsOf(gateway), ['u1', other.id])
    expect(emptied).toBe(false)
    expect((await gateway.instances())[0]?.url).toBe(user.url)
  },

  'what cannot be announced is refused, and nothing is announced when closed': async (registry) => {
    const discovery = await registry.open()
    const given = {
      id: 'g1',
      service: 'gateway',
      url: 'http://127.0.0.1:1',
      pid: 1,
      version: '1',
      state: 'ready',
      startedAt: '2026-01-01T00:00:00Z',
    } as const
    for (const fault of [
      { id: '' },
      { id: 'x'.repeat(200) },
      { service: 'User' },
      { url: 'ftp://127.0.0.1' },
      { url: 'http://user:secret@127.0.0.1' },
      { version: 'v 1' },
      { startedAt: 'yesterday' },
      { capabilities: ['Upper'] },
      { capabilities: Array.from({ length: 33 }, (_, index) => `c${index}`) },
    ])
      await expect(discovery.announce({ ...given, ...fault }), JSON.stringify(fault)).rejects.toMatchObject({ code: 'malformed' })
    await discovery[Symbol.asyncDispose]()
    await expect(discovery.announce(given)).rejects.toMatchObject({ code: 'closed' })
    expect(await discovery.instances()).toEqual([])
  },
} satisfies Record<string, (registry: RegistryUnderTest, deathMs: number) => Promise<void>>

/** What every kind of discovery promises, as tests; the same for all. `needs.outage`: the check takes the list away, which others may share. */
export function describeDiscovery(name: string, setUp: (needs: { outage: boolean }) => Promise<RegistryUnderTest>): void {
  // At the same time, as each has a registry of its own and mostly waits for leases to run out.
  describe.concurrent(name, () => {
    for (const [title, check] of Object.entries(discoveryChecks))
      test(title, { timeout: 90_000 }, async () => {
        await using registry = await setUp({ outage: title.includes('away') })
        await check(registry, patienceMs)
      })
  })
}

async function idsOf(discovery: Discovery): Promise<string[]> {
  return (await discovery.instances()).map(({ id }) => id)
}

async function until(timeout: number, look: () => unknown, expected: unknown): Promise<void> {
  // Not `expect.poll`, which cannot tell concurrent tests apart.
  const check = async (): Promise<void> => {
    const seen = await look()
    if (Array.isArray(expected) && expected.length === 0) expect(seen).toEqual([])
    else if (typeof expected === 'object') expect(seen).toMatchObject(expected as object)
    else expect(seen).toBe(expected)
  }
  await vi.waitFor(check, { timeout, interval: 10 })
}
