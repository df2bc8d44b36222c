import { topics } from '@maru/contracts'
import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { expect, test } from 'vitest'
import { createTestDatabase, startTestServer } from '../../test/support/postgres.ts'
import { LogClosedError, LogOverloadedError, openPostgresEventLog, type EventLog, type LogRecord } from '../index.ts'
import { pendingRecordsMax } from '../client/appender.ts'
import { take } from '../testing.ts'

const topic = topics.tradingCommands
const page = { recordsMax: 500, bytesMax: 4 * 1_024 * 1_024 }

async function readAll(log: EventLog): Promise<LogRecord[]> {
  const head = await log.head(topic)
  return take(log, topic, head, page)
}

/** Everything acknowledged is there once, at the offset that was said; offsets have no gap; no record is doubled. */
function expectWhole(records: LogRecord[], acknowledged: Map<string, number>): void {
  const offsets = new Map(records.map((record) => [`${record.producer}:${record.sequence}`, record.offset]))
  expect(offsets.size).toBe(records.length)
  expect(records.map((record) => record.offset)).toEqual(records.map((_, index) => index + 1))
  const lost = [...acknowledged].filter(([key, offset]) => offsets.get(key) !== offset)
  expect(lost).toEqual([])
  for (const record of records) expect(Buffer.from(record.body).toString()).toBe(`${record.producer}:${record.sequence}`)
}

test(
  'the server is killed -9 under load, again and again: no acknowledged append is lost, none doubled, readers go on',
  { timeout: 60_000 },
  async () => {
    await using server = await startTestServer()
    const acknowledged = new Map<string, number>()
    const seen: LogRecord[] = []
    const stop = new AbortController()
    const stopReading = new AbortController()
    const logs = await Promise.all(
      [0, 1, 2, 3].map((index) => openPostgresEventLog({ connectionString: server.urls.trading, applicationName: `writer-${index}` })),
    )
    const writing = logs.flatMap((log, index) =>
      // Several appends of each handle are under way at once.
      [0, 1].map(async (lane) => {
        const producer = `writer-${index}-${lane}`
        for (let sequence = 0; !stop.signal.aborted; sequence++) {
          acknowledged.set(
            `${producer}:${sequence}`,
            await log.append(topic, Buffer.from(`${producer}:${sequence}`), { producer, sequence }),
          )
        }
      }),
    )
    const reader = await openPostgresEventLog({ connectionString: server.urls.trading, applicationName: 'reader' })
    const reading = (async () => {
      for await (const records of reader.follow(topic, 0, { ...page, signal: stopReading.signal })) seen.push(...records)
    })()
    for (let round = 0; round < 4; round++) {
      const before = acknowledged.size
      await expect.poll(() => acknowledged.size, { timeout: 20_000 }).toBeGreaterThan(before + 300)
      await server.kill()
      await server.start()
    }
    const before = acknowledged.size
    await expect.poll(() => acknowledged.size, { timeout: 20_000 }).toBeGreaterThan(before + 300)
    stop.abort()
    await Promise.all(writing)
    const records = await readAll(reader)
    expectWhole(records, acknowledged)
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(records.length)
    expect(seen.map((record) => record.offset)).toEqual(records.map((record) => record.offset))
    stopReading.abort()
    await reading
    await Promise.all([...logs, reader].map((log) => log[Symbol.asyncDispose]()))
  },
)

test('the appending process is killed -9: everything it reported is there', async () => {
  await using database = await createTestDatabase()
  const acknowledged = new Map<string, number>()
  const run = async (producer: string, reportsMin: number) => {
    const program = path.join(import.meta.dirname, 'appending-process.ts')
    const child = spawn(process.execPath, [program, database.urls.trading, topic, producer], { stdio: ['ignore', 'pipe', 'inherit'] })
    let reports = 0
    for await (const line of createInterface({ input: child.stdout })) {
      const [sequence = 0, offset = 0] = line.split(' ').map(Number)
      acknowledged.set(`${producer}:${sequence}`, offset)
      if ((reports += 1) === reportsMin) child.kill('SIGKILL')
    }
    return reports
  }
  const reports = await Promise.all([run('a', 50), run('b', 120), run('c', 200)])
  expect(Math.min(...reports)).toBeGreaterThanOrEqual(50)
  await using log = await openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'reader' })
  expectWhole(await readAll(log), acknowledged)
})

test('connections are cut again and again in the middle of appends: each goes in once, in order', async () => {
  await using database = await createTestDatabase()
  const admin = new pg.Client({ connectionString: database.adminUrl })
  await admin.connect()
  await using log = await openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'victim' })
  const count = 600
  let acknowledged = 0
  const following = take(log, topic, count, { recordsMax: 7, bytesMax: 1_000 })
  const appending = Array.from({ length: count }, async (_, sequence) => {
    const offset = await log.append(topic, Buffer.from(`p:${sequence}`), { producer: 'p', sequence })
    acknowledged += 1
    return offset
  })
  let cuts = 0
  for (let next = 0; next < count; next += 20) {
    await expect.poll(() => acknowledged, { timeout: 20_000, interval: 1 }).toBeGreaterThan(next)
    const cut = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim' and datname = current_database()`
    cuts += (await admin.query(cut)).rowCount ?? 0
  }
  const offsets = await Promise.all(appending)
  expect(cuts).toBeGreaterThan(10)
  expect(offsets).toEqual(offsets.map((_, index) => index + 1))
  expectWhole(await following, new Map(offsets.map((offset, sequence) => [`p:${sequence}`, offset])))
  await admin.end()
})

test('while the server is away appends wait up to a bound, beyond it they are refused; when it is back all that waited are there', async () => {
  await using server = await startTestServer()
  await using log = await openPostgresEventLog({ connectionString: server.urls.trading, applicationName: 'test' })
  await server.kill()
  const waiting = Array.from({ length: pendingRecordsMax }, (_, sequence) =>
    log.append(topic, Buffer.from(`p:${sequence}`), { producer: 'p', sequence }),
  )
  await expect(log.append(topic, Buffer.from('over'), { producer: 'p', sequence: pendingRecordsMax })).rejects.toThrow(LogOverloadedError)
  await server.start()
  const offsets = await Promise.all(waiting)
  expectWhole(await readAll(log), new Map(offsets.map((offset, sequence) => [`p:${sequence}`, offset])))
})

test('closing while the server is away refuses what waits and does not hang', async () => {
  await using server = await startTestServer()
  const log = await openPostgresEventLog({ connectionString: server.urls.trading, applicationName: 'test' })
  await log.append(topic, Buffer.from('x'), { producer: 'p', sequence: 0 })
  await server.kill()
  // A backend outlives its postmaster for a moment and may still take the first of them; what it does not take is refused.
  const refusedOrDone = async (work: Promise<unknown>): Promise<void> => {
    const [outcome] = await Promise.allSettled([work])
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(LogClosedError)
  }
  const waiting = refusedOrDone(log.append(topic, Buffer.from('y'), { producer: 'p', sequence: 1 }))
  const reading = refusedOrDone(log.read(topic, 0, page))
  await log[Symbol.asyncDispose]()
  await expect(log.append(topic, Buffer.from('z'), { producer: 'p', sequence: 2 })).rejects.toThrow(LogClosedError)
  await Promise.all([waiting, reading])
})

test('what a role may not do is said at once, not retried', async () => {
  await using database = await createTestDatabase()
  await using log = await openPostgresEventLog({ connectionString: database.urls.analytics, applicationName: 'test' })
  await expect(log.append(topics.tradingEvents, Buffer.from('x'), { producer: 'p', sequence: 0 })).rejects.toMatchObject({ code: '42501' })
  await expect(log.read(topics.tradingCommands, 0, page)).rejects.toMatchObject({ code: '42501' })
  await expect(log.read('no-such-topic', 0, page)).rejects.toMatchObject({ code: '42P01' })
  await expect(log.read(`x'; drop table y; --`, 0, page)).rejects.toThrow(RangeError)
  expect(await log.read(topics.tradingEvents, 0, page)).toEqual([])
})
