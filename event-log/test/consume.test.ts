import { topics } from '@maru/contracts'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, startTestServer, type TestDatabase } from '../../test/support/postgres.ts'
import {
  consume,
  consumeInto,
  createMemoryEventLog,
  encodeJsonRecord,
  LogClosedError,
  openPostgresEventLog,
  type ConsumeOptions,
  type EventLog,
} from '../index.ts'

interface Counted {
  n: number
}

const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }
const recordOf = (...numbers: number[]) => Buffer.from(JSON.stringify(numbers.map((n) => ({ n }))))

let database: TestDatabase
let pool: pg.Pool
let log: EventLog
let writer: EventLog
let sequence = 0

beforeAll(async () => {
  database = await createTestDatabase()
  pool = poolFor(database)
  log = await openPostgresEventLog({ connectionString: database.urls.analytics, applicationName: 'reader' })
  writer = await openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'writer' })
})
afterAll(async () => {
  await Promise.all([log[Symbol.asyncDispose](), writer[Symbol.asyncDispose](), pool.end()])
  await database[Symbol.asyncDispose]()
})

function poolFor(of: TestDatabase): pg.Pool {
  const made = new pg.Pool({ connectionString: of.urls.analytics, max: 4 })
  made.on('error', () => undefined)
  return made
}

const append = (body: Buffer) => writer.append(topics.tradingEvents, body, { producer: 'test', sequence: sequence++ })

/** A reader that keeps the numbers it sees in a table of its name. */
async function collect(name: string, more: Partial<ConsumeOptions<Counted>> = {}) {
  await pool.query(`create table if not exists ${name} (n int, at bigint)`)
  const stop = new AbortController()
  const consumer = consume<Counted>({
    log,
    topic: topics.tradingEvents,
    name,
    pool,
    schema: 'analytics',
    signal: stop.signal,
    logger,
    handler: async (client, events, record) => {
      for (const { n } of events) await client.query(`insert into ${name} values ($1, $2)`, [n, record.offset])
    },
    ...more,
  })
  const numbers = async () => (await pool.query<{ n: number }>(`select n from ${name} order by at, n`)).rows.map((row) => row.n)
  const end = async () => {
    stop.abort()
    await consumer.done
  }
  return { consumer, numbers, end }
}

test('goes on where it was, in order, each record once', async () => {
  const from = await append(recordOf(1, 2))
  const first = await collect('goes_on')
  await first.consumer.waitUntil(await append(recordOf(3)))
  await first.end()
  const offset = await append(recordOf(4))
  const second = await collect('goes_on')
  await second.consumer.waitUntil(offset)
  expect(second.consumer.position()).toBe(offset)
  expect((await second.numbers()).slice(-4)).toEqual([1, 2, 3, 4])
  expect(offset).toBe(from + 2)
  await second.end()
  await expect(second.consumer.waitUntil(offset + 1)).rejects.toThrow(LogClosedError)
})

test('two readers of one name together see each record once', async () => {
  const readers = [await collect('shared', { recordsMax: 2 }), await collect('shared', { recordsMax: 3 })]
  let offset = 0
  for (let n = 0; n < 100; n++) offset = await append(recordOf(1_000 + n))
  await Promise.all(readers.map((reader) => reader.consumer.waitUntil(offset)))
  const numbers = (await readers[0]?.numbers())?.filter((n) => n >= 1_000)
  expect(numbers).toEqual(Array.from({ length: 100 }, (_, n) => 1_000 + n))
  await Promise.all(readers.map((reader) => reader.end()))
})

test('records that cannot be applied are set apart with the error, and nothing of them stays; the rest goes in', async () => {
  let tries = 0
  const reader = await collect('poisoned', {
    triesMax: 3,
    handler: async (client, events) => {
      for (const { n } of events) {
        await client.query('insert into poisoned values ($1, 0)', [n])
        if (n === 2_001) {
          tries += 1
          throw new Error('not this one')
        }
        if (n === 2_002) await client.query('select 1 / 0')
      }
    },
  })
  await append(recordOf(2_000))
  const bad = [
    await append(recordOf(2_005, 2_001)),
    await append(recordOf(2_002)),
    await append(Buffer.from('no json')),
    await append(Buffer.from('{"an":"object"}')),
  ]
  await reader.consumer.waitUntil(await append(recordOf(2_003)))
  expect((await reader.numbers()).filter((n) => n >= 2_000)).toEqual([2_000, 2_003])
  const { rows } = await pool.query<{ record_offset: string; error: string }>(
    `select record_offset, error from poison_records where name = 'poisoned' order by record_offset`,
  )
  expect(rows.map((row) => Number(row.record_offset))).toEqual(bad)
  expect(rows.map((row) => row.error.split('\n')[0])).toEqual([
    'Error: not this one',
    'error: division by zero',
    expect.stringContaining('SyntaxError'),
    'TypeError: the record is not a JSON array of events',
  ])
  // Once or twice as part of a page, then three times alone.
  expect(tries).toBeGreaterThanOrEqual(3)
  await reader.end()
})

test('refusals of the moment are tried again for ever and set nothing apart', async () => {
  let refusals = 0
  const reader = await collect('patient', {
    triesMax: 2,
    handler: async (client, events) => {
      await client.query('insert into patient values ($1, 0)', [events[0]?.n])
      if (events[0]?.n === 3_000 && (refusals += 1) < 6)
        throw Object.assign(new Error('later'), refusals % 2 ? { status: 503 } : { code: '40001' })
    },
  })
  const offset = await append(recordOf(3_000))
  await reader.consumer.waitUntil(offset)
  expect((await reader.numbers()).filter((n) => n === 3_000)).toEqual([3_000])
  expect(refusals).toBe(6)
  expect((await pool.query(`select from poison_records where name = 'patient' and record_offset = $1`, [offset])).rowCount).toBe(0)
  await reader.end()
})

test('a handler that swallows an error of a statement is found out', async () => {
  const reader = await collect('swallows', {
    triesMax: 2,
    handler: async (client, events) => {
      if (events[0]?.n !== 4_000) return
      await client.query('select 1 / 0').catch(() => undefined)
    },
  })
  const offset = await append(recordOf(4_000))
  await reader.consumer.waitUntil(offset)
  const { rows } = await pool.query(`select error from poison_records where name = 'swallows' and record_offset = $1`, [offset])
  expect(rows[0]).toMatchObject({ error: expect.stringContaining('swallowed') as string })
  await reader.end()
})

test('a reader that can apply nothing stops and says so', async () => {
  await append(recordOf(5_000))
  const reader = await collect('hopeless', { triesMax: 1, poisonMax: 2, handler: () => Promise.reject(new Error('never')) })
  await expect(reader.consumer.done).rejects.toThrow('has set 2 records apart')
  await expect(reader.consumer.waitUntil(1_000_000)).rejects.toThrow(LogClosedError)
})

test('the server is killed -9 again and again: effects are exactly once', { timeout: 60_000 }, async () => {
  await using server = await startTestServer()
  const own = poolFor(server)
  await own.query('create table seen (n int)')
  await using ownLog = await openPostgresEventLog({ connectionString: server.urls.analytics, applicationName: 'reader' })
  await using ownWriter = await openPostgresEventLog({ connectionString: server.urls.trading, applicationName: 'writer' })
  const stop = new AbortController()
  const consumer = consume<Counted>({
    log: ownLog,
    topic: topics.tradingEvents,
    name: 'exactly-once',
    pool: own,
    schema: 'analytics',
    signal: stop.signal,
    logger,
    recordsMax: 3,
    handler: async (client, events) =>
      void (await client.query('insert into seen select unnest($1::int[])', [events.map((event) => event.n)])),
  })
  const count = 600
  let last = 0
  const writing = (async () => {
    for (let n = 0; n < count; n++) last = await ownWriter.append(topics.tradingEvents, recordOf(n), { producer: 'p', sequence: n })
  })()
  for (let round = 1; round <= 3; round++) {
    await expect.poll(() => consumer.position(), { timeout: 20_000, interval: 5 }).toBeGreaterThan((round * count) / 5)
    await server.kill()
    await server.start()
  }
  await writing
  await consumer.waitUntil(last)
  stop.abort()
  await consumer.done
  const { rows } = await own.query<{ n: number }>('select n from seen order by n')
  expect(rows.map((row) => row.n)).toEqual(Array.from({ length: count }, (_, n) => n))
  await own.end()
})

test('what a crash took from the end of the tables is read again, though nothing new comes', async () => {
  await using log = createMemoryEventLog()
  const topic = 'lost-tail'
  for (const sequence of [1, 2, 3]) await log.append(topic, encodeJsonRecord([String(sequence)]), { producer: 'p', sequence })
  let [position, kept] = [0, [] as number[]]
  const stop = new AbortController()
  const consumer = consumeInto<number, number[]>({
    log,
    topic,
    name: 'lost-tail',
    store: {
      install: async () => undefined,
      load: async () => position,
      async advance(from, to, work) {
        if (from !== position) return false
        const next = [...kept]
        await work(next)
        ;[position, kept] = [to, next]
        return true
      },
      setApart: async () => 'full',
    },
    handler: async (values, events) => values.push(...events),
    signal: stop.signal,
    logger,
    recheckMs: 20,
  })
  await consumer.waitUntil(3)
  ;[position, kept] = [1, [1]]
  await expect.poll(() => kept).toEqual([1, 2, 3])
  stop.abort()
  await consumer.done
})
