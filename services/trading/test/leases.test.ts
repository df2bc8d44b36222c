import { once } from 'node:events'
import path from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemClock, type Clock } from '@maru/event-log'
import { createLogger, createPool, migrate } from '@maru/service-host'
import { eventually } from '../../../test/support/client.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { Lease, type LeaseStore } from '../lease/lease.ts'
import { PostgresLeases } from '../lease/postgres-leases.ts'

/** Longer than a test may take: who takes such a lease has not waited for its end. */
const longMs = 600_000

let database: TestDatabase
const open: pg.Pool[] = []

function connect(): { leases: PostgresLeases; pool: pg.Pool } {
  const pool = createPool(database.urls.trading, { applicationName: 'leases-test', max: 1, onError: () => undefined })
  open.push(pool)
  return { leases: new PostgresLeases(pool), pool }
}

beforeAll(async () => {
  database = await createTestDatabase()
  await migrate(connect().pool, 'trading', path.join(import.meta.dirname, '../store'))
}, 60_000)

beforeEach(() => connect().pool.query('delete from trading.leases'))

afterAll(async () => {
  await Promise.all(open.filter((pool) => !pool.ended).map((pool) => pool.end()))
  await database[Symbol.asyncDispose]()
})

test('a lease that is held is nobody else’s, and its holder renews it by any connection', async () => {
  const [a, again, b] = [connect(), connect(), connect()]
  expect(await a.leases.take('duty', 'a', longMs)).toBe(true)
  expect(await b.leases.take('duty', 'b', longMs)).toBe(false)
  expect(await again.leases.take('duty', 'a', longMs)).toBe(true)
  expect(await b.leases.take('another', 'b', longMs)).toBe(true)
  expect(await b.leases.take('duty', 'b', longMs)).toBe(false)
})

test('the lease of a holder whose connection has ended is free long before it expires', async () => {
  const [a, b] = [connect(), connect()]
  expect(await a.leases.take('duty', 'a', longMs)).toBe(true)
  await a.pool.end()
  expect(
    await eventually(
      () => b.leases.take('duty', 'b', longMs),
      (isTaken) => isTaken,
    ),
  ).toBe(true)
})

test('a holder that comes back by another connection keeps its lease', async () => {
  const [a, again, b] = [connect(), connect(), connect()]
  expect(await a.leases.take('duty', 'a', longMs)).toBe(true)
  await a.pool.end()
  expect(await again.leases.take('duty', 'a', longMs)).toBe(true)
  // Its first connection is gone for longer than a lease stands without one.
  await again.pool.query(`update trading.leases set expires_at = expires_at - interval '10 seconds'`)
  expect(await b.leases.take('duty', 'b', longMs)).toBe(false)
})

test('a holder that is there and does not renew keeps its lease until it expires', async () => {
  const [a, b] = [connect(), connect()]
  expect(await a.leases.take('duty', 'a', longMs)).toBe(true)
  await a.pool.query(`update trading.leases set expires_at = clock_timestamp() + interval '300 milliseconds'`)
  expect(await b.leases.take('duty', 'b', longMs)).toBe(false)
  expect(
    await eventually(
      () => b.leases.take('duty', 'b', longMs),
      (isTaken) => isTaken,
    ),
  ).toBe(true)
  expect(await a.leases.take('duty', 'a', longMs)).toBe(false)
})

test('a lease that an earlier release took stands until it expires: what the row says of a connection is of the holder before', async () => {
  const [a, b] = [connect(), connect()]
  expect(await a.leases.take('duty', 'a', longMs)).toBe(true)
  const asEarlierRelease = `insert into trading.leases as l (name, holder, expires_at) values ('duty', 'old', clock_timestamp() + interval '600 seconds')
    on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at`
  await a.pool.query(asEarlierRelease)
  await a.pool.end()
  await b.pool.query(`update trading.leases set expires_at = expires_at - interval '10 seconds'`)
  expect(await b.leases.take('duty', 'b', longMs)).toBe(false)
})

test('who releases frees it at once, its own alone', async () => {
  const [a, b] = [connect(), connect()]
  expect(await a.leases.take('duty', 'a', longMs)).toBe(true)
  await b.leases.release('duty', 'b')
  expect(await b.leases.take('duty', 'b', longMs)).toBe(false)
  await a.leases.release('duty', 'a')
  expect(await b.leases.take('duty', 'b', longMs)).toBe(true)
})

test('a holder that is told that another has its lease leaves its duty at once; one that is told nothing does not yet', async () => {
  // A clock on which a lease never runs out, and waiting takes no time.
  const clock: Clock = { ...systemClock, elapsedMs: () => 0, after: (_ms, work) => systemClock.after(1, work) }
  let answer = (): boolean => true
  const asked: string[] = []
  const store: LeaseStore = {
    take: async () => {
      asked.push('take')
      return answer()
    },
    release: async () => undefined,
  }
  const stop = new AbortController()
  const lease = new Lease({
    store,
    name: 'duty',
    holder: 'a',
    logger: createLogger({ service: 'test', instanceId: 'a', level: 'silent' }),
    clock,
  })
  const duties: AbortSignal[] = []
  const holding = lease.hold(stop.signal, async (held) => {
    duties.push(held)
    await once(held, 'abort')
  })
  await eventually(
    async () => duties.length,
    (begun) => begun === 1,
  )
  answer = () => {
    throw new Error('the database is away')
  }
  const before = asked.length
  await eventually(
    async () => asked.length,
    (times) => times > before + 5,
  )
  expect(duties[0]!.aborted).toBe(false)
  answer = () => false
  await once(duties[0]!, 'abort')
  expect(duties).toHaveLength(1)
  stop.abort()
  await holding
})
