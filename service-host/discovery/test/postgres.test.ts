import { pino } from 'pino'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { createTestDatabase, startTestServer } from '../../../test/support/postgres.ts'
import { installDiscovery } from '../postgres/schema.ts'
import { openPostgresDiscovery } from '../postgres/discovery.ts'
import { discoveryBounds, discoveryLease, type Discovery, type Instance, type Load, type OwnInstance } from '../port.ts'

const logger = pino({ level: 'silent' })
const instance = (id: string, service: string): OwnInstance => ({
  id,
  service,
  url: `http://127.0.0.1:1/${id}`,
  pid: 1,
  version: '0.1.0',
  state: 'ready',
  startedAt: '2026-01-01T00:00:00.000Z',
  capabilities: ['websocket', 'http'],
})
const ids = async (discovery: Discovery, service?: string) => (await discovery.instances(service)).map(({ id }) => id)

async function query(connectionString: string, sql: string, values: unknown[] = []): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    return await client.query(sql, values)
  } finally {
    await client.end()
  }
}

const columns = 'id, service, url, pid, version, state, started_at, renewed_at'

describe('discovery on PostgreSQL', () => {
  test('no service can announce itself as another, nor remove another', async () => {
    await using database = await createTestDatabase()
    await using user = await openPostgresDiscovery({ connectionString: database.urls.user, logger })
    await user.announce(instance('u1', 'user'))
    const asTrading = (sql: string) => query(database.urls.trading, sql)
    await expect(
      asTrading(
        `insert into discovery.instances (${columns}) values ('fake', 'user', 'http://127.0.0.1:1', 1, '0', 'ready', now(), now())`,
      ),
    ).rejects.toThrow(/row-level security/)
    expect((await asTrading(`delete from discovery.instances where id = 'u1'`)).rowCount).toBe(0)
    expect((await asTrading(`update discovery.instances set url = 'http://evil' where id = 'u1'`)).rowCount).toBe(0)
    expect(await ids(user)).toEqual(['u1'])
  })

  test('who watches is notified of changes, whenever it began to and after a lost connection, and looks by itself only when its own lease is due', async () => {
    await using database = await createTestDatabase()
    await using user = await openPostgresDiscovery({ connectionString: database.urls.user, logger })
    const lease = { leaseMs: 7_200_000, renewMs: 3_600_000, lostMs: 7_200_000 }
    await using gateway = await openPostgresDiscovery({ connectionString: database.urls.gateway, logger, lease })
    const seen: string[][] = []
    gateway.watch((instances) => seen.push(instances.map(({ id }) => id)), new AbortController().signal)
    await user.announce(instance('u1', 'user'))
    await expect.poll(() => seen.at(-1)).toEqual(['u1'])
    await query(
      database.urls.gateway,
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'maru-discovery' and usename = current_user`,
    )
    await query(database.urls.gateway, 'select 1')
    await expect
      .poll(
        async () =>
          (
            await query(
              database.urls.gateway,
              `select from pg_stat_activity where application_name = 'maru-discovery' and usename = current_user`,
            )
          ).rowCount,
      )
      .toBe(1)
    await user.announce(instance('u2', 'user'))
    await expect.poll(() => seen.at(-1)).toEqual(['u1', 'u2'])
  })

  test('an id that stands for another service, or for another live process, is refused', async () => {
    await using database = await createTestDatabase()
    await using one = await openPostgresDiscovery({ connectionString: database.urls.user, logger })
    await using two = await openPostgresDiscovery({ connectionString: database.urls.user, logger })
    await using trading = await openPostgresDiscovery({ connectionString: database.urls.trading, logger })
    const announcement = await one.announce(instance('u1', 'user'))
    const other = { ...instance('u1', 'user'), url: 'http://127.0.0.1:2' }
    await expect(two.announce(other)).rejects.toMatchObject({ code: 'id_taken' })
    await expect(trading.announce({ ...other, service: 'trading' })).rejects.toMatchObject({ code: 'id_taken' })
    expect((await two.instances())[0]?.url).toBe('http://127.0.0.1:1/u1')
    // It is free as soon as who has it leaves.
    await announcement.withdraw()
    await two.announce(other)
    expect((await one.instances())[0]?.url).toBe('http://127.0.0.1:2')
  })

  test('a load that changes is told with the lease and wakes nobody', async () => {
    await using database = await createTestDatabase()
    await using user = await openPostgresDiscovery({ connectionString: database.urls.user, logger })
    await using gateway = await openPostgresDiscovery({ connectionString: database.urls.gateway, logger })
    await using listener = await notifications(database.urls.gateway)
    let load: Load = { inFlight: 1, streams: 2, eventLoopUtilization: 0.25, eventLoopDelayMs: 3 }
    const calls: Instance[][] = []
    gateway.watch((instances) => calls.push(instances), new AbortController().signal)
    await user.announce(instance('u1', 'user'), () => load)
    await expect.poll(() => gateway.loadOf('u1')).toEqual(load)
    expect(calls.length).toBe(2)
    const told = listener.count
    for (let inFlight = 2; inFlight < 5; inFlight += 1) {
      load = { ...load, inFlight }
      await expect.poll(() => gateway.loadOf('u1')?.inFlight, { interval: 5 }).toBe(inFlight)
    }
    expect(calls.length).toBe(2)
    expect(listener.count).toBe(told)
    expect(gateway.loadOf('nobody')).toBeUndefined()
  })

  test('who watches reads the list at a notice, however lately it was read and however seldom it renews', async () => {
    await using database = await createTestDatabase()
    await using user = await openPostgresDiscovery({ connectionString: database.urls.user, logger })
    const lease = { ...discoveryLease, renewMs: 3_600_000 }
    await using gateway = await openPostgresDiscovery({ connectionString: database.urls.gateway, logger, lease })
    const states: (string | undefined)[] = []
    gateway.watch((instances) => states.push(instances[0]?.state), new AbortController().signal)
    const announcement = await user.announce(instance('u1', 'user'))
    await expect.poll(() => states.length).toBe(2)
    await announcement.setState('draining')
    await expect.poll(() => states.at(-1)).toBe('draining')
  })

  test('malformed announcements of others are left out, and of more than may be seen those that started last', async () => {
    await using database = await createTestDatabase()
    await using gateway = await openPostgresDiscovery({ connectionString: database.urls.gateway, logger })
    const insert = (id: string, url: string, startedAt: string) =>
      query(
        database.urls.user,
        `insert into discovery.instances (${columns}) values ($1, 'user', $2, 1, '0', 'ready', $3, clock_timestamp())`,
        [id, url, startedAt],
      )
    await insert('late', 'http://127.0.0.1:9', '2026-02-01')
    for (const url of ['ftp://127.0.0.1/', 'http://user:secret@127.0.0.1/', 'nowhere'])
      await insert(`bad-${url.slice(0, 3)}-${url.length}`, url, '2026-01-01')
    await insert('spaced id', 'http://127.0.0.1:8', '2026-01-01')
    expect(await ids(gateway)).toEqual(['late'])
    await expect(insert('long', `http://${'x'.repeat(600)}`, '2026-01-01')).rejects.toThrow(/bounded/)
    await query(
      database.urls.user,
      `insert into discovery.instances (${columns})
       select 'many-' || n, 'user', 'http://10.0.0.1:' || n, 1, '0', 'ready', '2026-01-01', clock_timestamp() from generate_series(1, ${discoveryBounds.instancesMax}) as n`,
    )
    const seen = await ids(gateway)
    // Three of those that may be seen are malformed.
    expect(seen.length).toBe(discoveryBounds.instancesMax - 3)
    expect(seen).not.toContain('late')
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
    const backAt = performance.now() + discoveryLease.leaseMs + 500
    await expect.poll(() => performance.now() > backAt, { timeout: 10_000 }).toBe(true)
    expect(await ids(gateway)).toEqual(['u1'])
    await server.start()
    await expect
      .poll(async () => (await query(server.urls.gateway, 'select id from discovery.instances').catch(() => ({ rows: [] }))).rows, {
        timeout: 10_000,
      })
      .toEqual([{ id: 'u1' }])
    // Announcing works again, through the same object, and the watcher never saw an empty list.
    await user.announce(instance('u2', 'user'))
    await expect.poll(() => ids(gateway), { timeout: 10_000 }).toEqual(['u1', 'u2'])
    expect(emptied).toBe(false)
  })

  test('the table of an older release is kept, and its instances are seen', async () => {
    await using database = await createTestDatabase()
    const admin = new pg.Client({ connectionString: database.adminUrl })
    await admin.connect()
    await admin.query(`alter table discovery.instances drop constraint bounded, drop column ready_at, drop column capabilities,
      drop column load, drop column owner, drop column backend`)
    await admin.query(
      `insert into discovery.instances values ('old', 'user', 'http://127.0.0.1:1', 1, '0', 'ready', now(), clock_timestamp())`,
    )
    await installDiscovery(admin)
    await admin.end()
    await using gateway = await openPostgresDiscovery({ connectionString: database.urls.gateway, logger })
    expect(await gateway.instances()).toMatchObject([{ id: 'old', capabilities: [], readyAt: null }])
  })
})

async function notifications(connectionString: string): Promise<AsyncDisposable & { readonly count: number }> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  let count = 0
  client.on('notification', () => (count += 1))
  await client.query('listen discovery')
  return {
    get count() {
      return count
    },
    [Symbol.asyncDispose]: () => client.end(),
  }
}
