import { openPostgresEventLog, type EventLog } from '@maru/event-log'
import { topics } from '@maru/contracts'
import { startTestServer, type TestServer } from '../test/support/postgres.ts'
import { benchRow, formatTable, median, type BenchRow } from './report.ts'
import pg from 'pg'

const callers = 256
const commandBytes = 68
const rounds = 5
const roundMs = 1_500
/** As many as one small server serves well at once; more were slower. */
const baselineConnections = 16

/**
 * Commands made durable a second when 256 callers each wait for theirs: joined into one record while an append is under way, as the
 * trading service does, beside a transaction for each command over a pool on the same server. Both tables have the same key.
 */
export async function run(): Promise<BenchRow[]> {
  await using server = await startTestServer()
  await using log = await openPostgresEventLog({ connectionString: server.urls.trading, applicationName: 'bench' })
  const pool = await openBaseline(server)
  try {
    const grouped: number[] = []
    const single: number[] = []
    await measureGrouped(log, 300)
    await measureSingle(pool, 300)
    for (let round = 0; round < rounds; round++) {
      grouped.push(await measureGrouped(log, roundMs))
      single.push(await measureSingle(pool, roundMs))
    }
    const baseline = { name: `a transaction a command, ${baselineConnections} connections`, value: median(single) }
    return [
      benchRow({
        name: `log: ${callers} callers`,
        unit: 'commands/s',
        value: median(grouped),
        baseline,
        target: { of: 'ratio', is: 'at least', bound: 10 },
      }),
      await measureReplay(log),
    ]
  } finally {
    await pool.end()
  }
}

async function openBaseline(server: TestServer): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: server.urls.trading, max: baselineConnections })
  await pool.query('create table single_commands (id bigint generated always as identity primary key, body bytea not null)')
  return pool
}

/** `callers` loops for the time, each with one command under way; commands/s. */
async function measure(timeMs: number, send: () => Promise<unknown>, callersCount = callers): Promise<number> {
  let count = 0
  const begin = performance.now()
  const caller = async () => {
    while (performance.now() - begin < timeMs) {
      await send()
      count += 1
    }
  }
  await Promise.all(Array.from({ length: callersCount }, caller))
  return (count / (performance.now() - begin)) * 1_000
}

let sequence = 0

/** Commands/s that so many callers get through, each with one under way, joined into records as the trading service joins them. */
export async function measureGrouped(log: EventLog, timeMs: number, callersCount = callers): Promise<number> {
  const command = new Uint8Array(commandBytes).fill(7)
  let waiting: { resolve: () => void; reject: (error: unknown) => void }[] = []
  let isAppending = false
  const flush = async () => {
    isAppending = true
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      const body = new Uint8Array(batch.length * commandBytes)
      batch.forEach((_, index) => body.set(command, index * commandBytes))
      try {
        await log.append(topics.tradingCommands, body, { producer: 'bench', sequence: sequence++ })
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
      // Who was just answered asks again before the next batch is closed.
      await new Promise((resolve) => setImmediate(resolve))
    }
    isAppending = false
  }
  return measure(
    timeMs,
    () =>
      new Promise<void>((resolve, reject) => {
        waiting.push({ resolve, reject })
        if (!isAppending) void flush()
      }),
    callersCount,
  )
}

async function measureSingle(pool: pg.Pool, timeMs: number): Promise<number> {
  const command = Buffer.alloc(commandBytes, 7)
  return measure(timeMs, () =>
    pool.query({ name: 'single', text: 'insert into single_commands (body) values ($1) returning id', values: [command] }),
  )
}

async function measureReplay(log: EventLog): Promise<BenchRow> {
  const rates: number[] = []
  const head = await log.head(topics.tradingCommands)
  for (let round = 0; round < rounds; round++) {
    const begin = performance.now()
    let commands = 0
    for await (const records of log.follow(topics.tradingCommands, 0, {
      recordsMax: 500,
      bytesMax: 4 * 1_024 * 1_024,
      signal: AbortSignal.timeout(60_000),
    })) {
      for (const record of records) commands += record.body.byteLength / commandBytes
      if (records.at(-1)?.offset === head) break
    }
    rates.push((commands / (performance.now() - begin)) * 1_000)
  }
  return benchRow({ name: 'log: read again from the start', unit: 'commands/s', value: median(rates) })
}

if (import.meta.main) process.stdout.write(`${formatTable(await run())}\n`)
