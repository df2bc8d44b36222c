import { pino } from 'pino'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { createTestDatabase, startTestServer } from '../../test/support/postgres.ts'
import { leaseMs, openPostgresDiscovery } from '../discovery-postgres.ts'
import type { Discovery, Instance } from '../discovery.ts'

const logger = pino({ level: 'silent' })
const instance = (id: string, service: string): Instance => ({
  id,
  service,
  url: `http://127.0.0.1:1/${id}`,
  pid: 1,
  version: '0.1.0',
  state: 'ready',
  startedAt: '2026-01-01T00:00:00.000Z',
})
const ids = async (discovery: Discovery, service?: string) => (await discovery.instances(service)).map(({ id }) => id)

describe('discovery on PostgreSQL', () => {
  test('announce, state, withdraw: all who watch see each change', async () => {
    await using database = await createTestDatabase()
    await using user = await openPostgresDiscovery({ connectionString: database.urls.user, logger })
    await using gateway = await openPostgresDiscovery({ connectionString: database.urls.gateway, logger })
    const seen: string[] = []
    const watching = new AbortController()
    gateway.watch((instances) => seen.push(instances.map(({ id, state }) => `${id} ${state}`).join(',')), watching.signal)
    const announcement = await user.announce({ ...instance('u1', 'user'), state: 'starting' })
    await expect.poll(() => seen).toEqual(['', 'u1 starting'])
    await announcement.setState('ready')
    await expect.poll(() => seen.at(-1)).toBe('u1 ready')
    expect(await gateway.instances('user')).toEqual([instance('u1', 'user')])
    expect(await gateway.instances('trading')).toEqual([])
    await announcement.withdraw()
    await expect.poll(() => seen.at(-1)).toBe('')
    watching.abort()
    await user.announce(instance('u2', 'user'))
    expect(await ids(gateway)).toEqual(['u2'])
    expect(seen.at(-1)).toBe('')
  })

  test('what was announced before is seen at once by who opens later', async () => {
    await using database = await createTestDatabase()
    await using user = await openPostgresDiscovery({ connectionString: database.urls.user, logger })
    await user.announce(instance('u1', 'user'))
    await using late = await openPostgresDiscovery({ connectionString: database.urls.trading, logger })
    let first: Instance[] | undefined
    late.watch((instances) => (first ??= instances), new AbortController().signal)
    expect(first?.map(({ id }) => id)).toEqual(['u1'])
  })

  test('an instance that stops renewing is gone after its lease', async () => {
    await using database = await createTestDatabase()
    await using gateway = await openPostgresDiscovery({ connectionString: database.urls.gateway, logger })
    const client = new pg.Client({ connectionString: database.urls.user })
    await client.connect()
    await client.query(
      `insert into discovery.instances values ('dead', 'user', 'http://127.0.0.1:1', 1, '0', 'ready', now(), clock_timestamp())`,
    )
    await client.end()
    expect(await ids(gateway)).toEqual(['dead'])
    await expect.poll(() => ids(gateway), { timeout: 10_000 }).toEqual([])
  })

  test('no service can announce itself as another, nor remove another', async () => {
    await using database = await createTestDatabase()
    await using user = await openPostgresDiscovery({ connectionString: database.urls.user, logger })
    await user.announce(instance('u1', 'user'))
    const client = new pg.Client({ connectionString: database.urls.trading })
    await client.connect()
    await expect(
      client.query(`insert into discovery.instances values ('fake', 'user', 'http://127.0.0.1:1', 1, '0', 'ready', now(), now())`),
    ).rejects.toThrow(/row-level security/)
    expect((await client.query(`delete from discovery.instances where id = 'u1'`)).rowCount).toBe(0)
    expect((await client.query(`update discovery.instances set url = 'http://evil' where id = 'u1'`)).rowCount).toBe(0)
    await client.end()
    expect(await ids(user)).toEqual(['u1'])
  })

  test('while PostgreSQL is away the last known stay; after its restart all are announced again', async () => {
    await using server = await startTestServer()
    await using user = await openPostgresDiscovery({ connectionString: server.urls.user, logger })
    await using gateway = await openPostgresDiscovery({ connectionString: server.urls.gateway, logger })
    await user.announce(instance('u1', 'user'))
    expect(await ids(gateway)).toEqual(['u1'])
    let emptied = false
    gateway.watch((instances) => (emptied ||= instances.length === 0), new AbortController().signal)
    await server.kill()
    expect(await ids(gateway)).toEqual(['u1'])
    // Away for longer than a lease, so that every row in the table is dead when it is back.
    const backAt = performance.now() + leaseMs + 500
    await expect.poll(() => performance.now() > backAt, { timeout: 10_000 }).toBe(true)
    expect(await ids(gateway)).toEqual(['u1'])
    await server.start()
    const client = new pg.Client({ connectionString: server.urls.gateway })
    await client.connect()
    await expect
      .poll(async () => (await client.query('select id from discovery.instances')).rows, { timeout: 10_000 })
      .toEqual([{ id: 'u1' }])
    await client.end()
    // Announcing works again, through the same object, and the watcher never saw an empty list.
    await user.announce(instance('u2', 'user'))
    await expect.poll(() => ids(gateway), { timeout: 10_000 }).toEqual(['u1', 'u2'])
    expect(emptied).toBe(false)
  })

  test('closing withdraws what is still announced', async () => {
    await using database = await createTestDatabase()
    await using gateway = await openPostgresDiscovery({ connectionString: database.urls.gateway, logger })
    {
      await using user = await openPostgresDiscovery({ connectionString: database.urls.user, logger })
      await user.announce(instance('u1', 'user'))
      expect(await ids(gateway)).toEqual(['u1'])
    }
    expect(await ids(gateway)).toEqual([])
  })
})
