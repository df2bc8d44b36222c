import { topics } from '@maru/contracts'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres.ts'
import {
  consumeInto,
  openPostgresEventLog,
  ReaderStore,
  systemClock,
  type Clock,
  type ConsumeIntoOptions,
  type EventLog,
} from '../index.ts'

const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }

let database: TestDatabase
let pool: pg.Pool
let writer: EventLog
let sequence = 0

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.urls.analytics, max: 8 })
  writer = await openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'writer' })
})
afterAll(async () => {
  await Promise.all([writer[Symbol.asyncDispose](), pool.end()])
  await database[Symbol.asyncDispose]()
})

/** Time that passes when the test says so. */
class Hands implements Clock {
  #nowMs = 0
  readonly #timers = new Set<{ atMs: number; callback: () => void }>()

  nowMs = (): number => this.#nowMs
  elapsedMs = (): number => this.#nowMs
  soon = systemClock.soon
  jitter = (): number => 0

  after(timeMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + timeMs, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  every(): () => void {
    return () => undefined
  }

  turn(byMs: number): void {
    this.#nowMs += byMs
    for (const timer of this.#timers) if (timer.atMs <= this.#nowMs && this.#timers.delete(timer)) timer.callback()
  }
}

async function append(...numbers: number[]): Promise<number> {
  let offset = 0
  for (const n of numbers)
    offset = await writer.append(topics.tradingEvents, Buffer.from(JSON.stringify([n])), { producer: 'test', sequence: sequence++ })
  return offset
}

type More = Pick<ConsumeIntoOptions<number, pg.PoolClient>, 'gatherMs'>

/** Readers of this name are to begin at the end of the topic. */
async function prepare(name: string): Promise<void> {
  await pool.query(`create table ${name} (n int)`)
  await new ReaderStore({ pool, schema: 'analytics', name, topic: topics.tradingEvents }).install()
  await pool.query('update log_positions set position = $2 where name = $1', [name, await writer.head(topics.tradingEvents)])
}

/** A reader at an instance of its own: its connections to the log, its clock; and how often it began a transaction. */
async function open(name: string, more: More = {}) {
  const log = await openPostgresEventLog({ connectionString: database.urls.analytics, applicationName: 'reader' })
  const clock = new Hands()
  const stop = new AbortController()
  let tries = 0
  class CountedStore extends ReaderStore {
    override advance(...given: Parameters<ReaderStore['advance']>): Promise<boolean> {
      tries += 1
      return super.advance(...given)
    }
  }
  const moves: number[] = []
  const observer = {
    appended: () => undefined,
    appendRetried: () => undefined,
    readerMoved: (_name: string, _topic: string, position: number) => void moves.push(position),
    readerFailed: () => undefined,
  }
  const consumer = consumeInto<number, pg.PoolClient>({
    log: { ...log, observer },
    topic: topics.tradingEvents,
    name,
    store: new CountedStore({ pool, schema: 'analytics', name, topic: topics.tradingEvents }),
    handler: (client, events) => client.query(`insert into ${name} select unnest($1::int[])`, [events]),
    signal: stop.signal,
    logger,
    clock,
    ...more,
  })
  const end = async (): Promise<void> => {
    stop.abort()
    await consumer.done
    await log[Symbol.asyncDispose]()
  }
  return { consumer, clock, end, moves, tries: () => tries }
}

type Reader = Awaited<ReturnType<typeof open>>

const numbersIn = async (name: string): Promise<number[]> =>
  (await pool.query<{ n: number }>(`select n from ${name} order by n`)).rows.map(({ n }) => n)
const from = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index)

/** Two readers of one name that have met: one is at work, the other stands by. */
async function openTwo(name: string, more: More = {}): Promise<{ working: Reader; standing: Reader }> {
  await prepare(name)
  const readers = [await open(name, more), await open(name, more)] as const
  await expect.poll(() => readers.every(({ moves }) => moves.length > 0), { timeout: 20_000 }).toBe(true)
  await append(0)
  await expect.poll(() => readers.map(({ tries }) => tries()), { timeout: 20_000 }).toEqual([1, 1])
  for (const { clock } of readers) clock.turn(more.gatherMs ?? 0)
  await append(1)
  await expect.poll(() => readers.map(({ tries }) => tries()).toSorted((a, b) => a - b), { timeout: 20_000 }).toEqual([1, 2])
  const [one, other] = readers
  return one.tries() === 2 ? { working: one, standing: other } : { working: other, standing: one }
}

/** Turns the reader's clock, as time would, until it is there. */
const turnUntil = (reader: Reader, offset: number): Promise<void> =>
  expect
    .poll(() => {
      reader.clock.turn(100)
      return reader.consumer.position()
    })
    .toBe(offset)

test('of two readers of one name one works; the other begins nothing, knows how far it is, and goes on where the first has ended', async () => {
  const { working, standing } = await openTwo('by_turns')
  for (const n of from(2, 50)) await append(n)
  const offset = await append(52)
  await expect.poll(() => working.consumer.position(), { timeout: 20_000 }).toBe(offset)
  expect(standing.tries()).toBe(1)
  standing.clock.turn(250)
  await expect.poll(() => standing.consumer.position()).toBe(offset)
  expect(standing.moves.at(-1)).toBe(offset)
  // However long nothing comes: nothing to do is no reason to begin.
  for (let looks = 0; looks < 5; looks++) standing.clock.turn(1_000)
  expect(standing.tries()).toBe(1)

  await working.end()
  const last = await append(...from(53, 7))
  await turnUntil(standing, last)
  expect(await numbersIn('by_turns')).toEqual(from(0, 60))
  await standing.end()
})

test('a reader that stands by goes on itself where somebody waits there for what the other has not done', async () => {
  const { working, standing } = await openTwo('asked', { gatherMs: 50 })
  const offset = await append(2)
  let isThere = false
  void standing.consumer.waitUntil(offset).then(() => (isThere = true))
  await expect
    .poll(() => {
      standing.clock.turn(10)
      return isThere
    })
    .toBe(true)
  expect([working.tries(), standing.tries()]).toEqual([2, 2])
  await working.consumer.waitUntil(offset)
  expect(await numbersIn('asked')).toEqual([0, 1, 2])
  await Promise.all([working.end(), standing.end()])
})

test('who waits at a reader that stands by is served by the one at work, which is left to it while it moves on', async () => {
  const { working, standing } = await openTwo('served', { gatherMs: 50 })
  const offset = await append(2, 3, 4)
  let isThere = false
  void standing.consumer.waitUntil(offset).then(() => (isThere = true))
  working.clock.turn(50)
  await working.consumer.waitUntil(offset)
  await expect
    .poll(() => {
      standing.clock.turn(1)
      return isThere
    })
    .toBe(true)
  expect([working.tries(), standing.tries()]).toEqual([3, 1])
  await Promise.all([working.end(), standing.end()])
})

test('records are gathered; the first after a rest is not, and nothing is while somebody waits', async () => {
  await prepare('gathered')
  await prepare('not_gathered')
  const reader = await open('gathered', { gatherMs: 50 })
  const other = await open('not_gathered')
  const first = await append(1)
  await expect.poll(() => reader.consumer.position(), { timeout: 20_000 }).toBe(first)
  const offset = await append(2, 3, 4)
  reader.clock.turn(49)
  await other.consumer.waitUntil(offset)
  expect([reader.tries(), reader.consumer.position()]).toEqual([1, first])
  reader.clock.turn(1)
  await expect.poll(() => reader.consumer.position(), { timeout: 20_000 }).toBe(offset)
  expect(reader.tries()).toBe(2)
  await reader.consumer.waitUntil(await append(5))
  expect(reader.tries()).toBe(3)
  expect(await numbersIn('gathered')).toEqual(from(1, 5))
  await Promise.all([reader.end(), other.end()])
})
