import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { expect, test } from 'vitest'
import type { UserEvent } from '@maru/contracts'
import { openPostgresEventLog, type EventLog } from '@maru/event-log'
import { createLogger, createPool, inTransaction, migrate, schemaOf } from '@maru/service-host'
import { createTestDatabase } from '../../../test/support/postgres.ts'
import { addToOutbox } from '../outbox/outbox.ts'
import { OutboxRelay, relayOutbox } from '../outbox/relay.ts'
import { startUserService } from './start.ts'
import { bareEnvironment } from '../../../test/support/bare-environment.ts'

const store = fileURLToPath(new URL('../store', import.meta.url))
const logger = createLogger({ service: 'test', instanceId: 'test', level: 'silent' })

async function open(connectionString: string): Promise<{ pool: pg.Pool; log: EventLog } & AsyncDisposable> {
  const pool = createPool(connectionString, { applicationName: 'test', onError: () => undefined })
  await migrate(pool, schemaOf('user'), store)
  const log = await openPostgresEventLog({ connectionString, applicationName: 'test' })
  return {
    pool,
    log,
    async [Symbol.asyncDispose]() {
      await log[Symbol.asyncDispose]()
      await pool.end()
    },
  }
}

const write = (pool: pg.Pool, name: string) =>
  inTransaction(pool, (client) =>
    addToOutbox(
      client,
      { type: 'user.registered', data: { user_id: name, email: `${name}@example.com`, username: name, roles: [] } },
      new Date(),
    ),
  )

async function eventsOf(log: EventLog): Promise<UserEvent[]> {
  const records = await log.read('user-events', 0, { recordsMax: 10_000, bytesMax: 64_000_000 })
  return records.flatMap((record) => JSON.parse(Buffer.from(record.body).toString('utf8')) as UserEvent[])
}

const userOf = (event: UserEvent) => event.data.user_id

test.each([
  ['before the first append', 'before-append', '1', 0],
  ['between the first append and its mark', 'after-append', '1', 1],
  ['in the middle', 'after-append', '3', 3],
  ['before the last append', 'before-append', '5', 4],
  ['after the last append, before any mark', 'after-append', '5', 5],
])('given a relay killed -9 %s, then each event is on the log once and in order', async (_name, place, count, appended) => {
  await using database = await createTestDatabase()
  await using parts = await open(database.urls.user)
  const { pool, log } = parts
  const names = ['u1', 'u2', 'u3', 'u4', 'u5']
  for (const name of names) await write(pool, name)
  const script = fileURLToPath(new URL('processes/relay.ts', import.meta.url))
  const child = spawn(process.execPath, [script, place, count], {
    env: { ...bareEnvironment, DATABASE_URL: database.urls.user },
    stdio: 'inherit',
  })
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  expect(signal).toBe('SIGKILL')
  expect((await eventsOf(log)).map(userOf)).toEqual(names.slice(0, appended))
  expect((await pool.query('select 1 from outbox where sent_at is null')).rowCount).toBe(5)

  expect(await relayOutbox(pool, log)).toBe(5)
  expect((await eventsOf(log)).map(userOf)).toEqual(names)
  expect(await relayOutbox(pool, log)).toBe(0)
  expect((await eventsOf(log)).map((event) => event.id)).toEqual(names.map((_, index) => `user-${String(index + 1).padStart(12, '0')}`))
})

test('given writers and relays at once, some writers failing, then sequences have no gap and nothing is doubled', async () => {
  await using database = await createTestDatabase()
  await using first = await open(database.urls.user)
  await using second = await open(database.urls.user)
  const relays = [first, second].map(({ pool, log }) => new OutboxRelay({ pool, log, logger }))
  const written: string[] = []
  await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const { pool } = index % 2 === 0 ? first : second
      if (index % 7 === 3) {
        const failing = inTransaction(pool, async (client) => {
          await addToOutbox(client, { type: 'user.profile_changed', data: { user_id: 'x', username: 'x', language: 'en' } }, new Date())
          throw new Error('undone')
        })
        await expect(failing).rejects.toThrow('undone')
        return
      }
      const sequence = await write(pool, `w${index}`)
      written.push(`user-${String(sequence).padStart(12, '0')}`)
      await relays[index % 2]?.carryNow(10_000)
    }),
  )
  // Every one of them waited until its event was on the log.
  const ids = (await eventsOf(first.log)).map((event) => event.id)
  expect(ids).toEqual([...written].sort())
  expect(ids).toEqual(ids.map((_, index) => `user-${String(index + 1).padStart(12, '0')}`))
  for (const relay of relays) await relay[Symbol.asyncDispose]()
})

test('given the service killed -9 amid registrations, then who was told "registered" is on the log once', async () => {
  const service = await startUserService()
  try {
    const told: string[] = []
    const calls = Array.from({ length: 40 }, (_, index) =>
      service.register(`killed${index}`).then(
        ({ userId }) => told.push(userId),
        // The connection breaks under those who were waiting.
        () => undefined,
      ),
    )
    await expect.poll(() => told.length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(4)
    service.child.kill('SIGKILL')
    await Promise.all(calls)
    await using again = await service.another()
    await again.register('afterwards')
    await using parts = await open(service.database.urls.user)
    const { rows } = await parts.pool.query<{ id: string }>(`select id from users where username_key like 'killed%'`)
    const onLog = (await eventsOf(parts.log)).filter((event) => event.data.username.startsWith('killed')).map(userOf)
    expect([...onLog].sort()).toEqual(rows.map((row) => row.id).sort())
    expect(new Set(onLog).size).toBe(onLog.length)
    for (const userId of told) expect(onLog).toContain(userId)
  } finally {
    await service[Symbol.asyncDispose]()
  }
})
