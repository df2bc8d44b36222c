import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CommandKind, OrderType, Side, TimeInForce, topics, type Command } from '@maru/contracts'
import { encodeBatch } from '@maru/contracts/commands-codec'
import { Exchange } from '@maru/domain/exchange'
import { openPostgresEventLog, systemClock, type EventLog } from '@maru/event-log'
import { createLogger, createPool, migrate } from '@maru/service-host'
import type pg from 'pg'
import { postgresHistory } from '../services/trading/history/postgres-tables.ts'
import { PostgresLeases } from '../services/trading/lease/postgres-leases.ts'
import { genesisCommands } from '../services/trading/genesis.ts'
import { publishWhileLeading } from '../services/trading/publisher/duty.ts'
import { PostgresSnapshots } from '../services/trading/publisher/postgres-snapshots.ts'
import { startBenchDatabase } from './bench-processes.ts'
import { cpuMicroseconds } from './process-cpu.ts'
import { benchRow, formatTable, median, type BenchRow } from './report.ts'

const accounts = 64
/** What a round of 100 ms brings at 7,000 orders/s. */
const ordersPerRound = 700
const warmupRounds = 30
const rounds = 40
const roundsPerSample = 5
const name = 'bench-publishing'

interface Cpu {
  thread: number
  beside: number
  database: number
}

/**
 * CPU an order of all that is derived from it: the second replica, `trading-events` and the history tables, in rounds as under load. By thread: the
 * publishing one, those beside it (collections, compilation), and the database. Every other order trades.
 */
export async function run(): Promise<BenchRow[]> {
  await using database = await startBenchDatabase()
  const connectionString = database.urls.trading
  await using pool = Object.assign(createPool(connectionString, { applicationName: name, asyncCommit: true, onError: () => undefined }), {
    [Symbol.asyncDispose]: () => pool.end(),
  })
  await migrate(pool, 'trading', path.resolve(import.meta.dirname, '../services/trading/store'))
  await using log = await openPostgresEventLog({ connectionString, applicationName: name })
  const feed = new Feed(log)
  await feed.append(opening())
  const stop = new AbortController()
  const store = postgresHistory(pool)
  const publishing = publishWhileLeading(
    {
      log,
      leases: new PostgresLeases(pool),
      snapshots: new PostgresSnapshots(pool),
      history: store,
      clock: systemClock,
      logger: createLogger({ service: 'bench', instanceId: name, level: 'error' }),
      instanceId: name,
      snapshotEveryCommands: Number.MAX_SAFE_INTEGER,
      snapshotEveryMs: Number.MAX_SAFE_INTEGER,
      onLeading: () => undefined,
      onPublished: (command) => feed.published(command),
    },
    stop.signal,
  )
  const samples: Cpu[] = []
  for (let sample = 0; sample <= rounds; sample++) {
    const count = sample === 0 ? warmupRounds : roundsPerSample
    const bodies = Array.from({ length: count }, (_, round) => orders(sample * 1_000 + round))
    const before = await cpu(pool)
    for (const body of bodies) await feed.append(body)
    for (const head = await log.head(topics.tradingEvents); (await store.load()) < head;) await sleep(5)
    const after = await cpu(pool)
    const per = count * ordersPerRound
    if (sample > 0)
      samples.push({
        thread: (after.thread - before.thread) / per,
        beside: (after.beside - before.beside) / per,
        database: (after.database - before.database) / per,
      })
  }
  stop.abort()
  await publishing
  const unit = 'µs of CPU an order'
  const of = (part: keyof Cpu): number => median(samples.map((sample) => sample[part]))
  return [
    benchRow({ name: 'publishing: its thread', unit, value: of('thread') }),
    benchRow({ name: 'publishing: collections and compilation beside it', unit, value: of('beside') }),
    benchRow({ name: 'publishing: PostgreSQL', unit, value: of('database') }),
  ]
}

/** Appends records and waits until all that is in them has been published. */
class Feed {
  readonly #log: EventLog
  #sequence = 0
  #appended = 0
  #published = 0
  #wake = (): void => undefined

  constructor(log: EventLog) {
    this.#log = log
  }

  async append(commands: readonly Command[]): Promise<void> {
    this.#sequence += 1
    this.#appended += commands.length
    await this.#log.append(topics.tradingCommands, encodeBatch(commands), { producer: name, sequence: this.#sequence })
    // The first is appended before anybody publishes.
    while (this.#sequence > 1 && this.#published < this.#appended) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  published(command: number): void {
    this.#published = command
    this.#wake()
  }
}

let time = Date.UTC(2026, 0, 1)

function opening(): Command[] {
  const commands = genesisCommands(new Exchange()).map((command) => ({ ...command, time }) as Command)
  const grants = [0, 1].map((asset) => ({ asset, amount: 10 ** 15 }))
  for (let account = 0; account < accounts; account++) {
    const userId = `00000000-0000-4000-8000-${String(account).padStart(12, '0')}`
    commands.push({ kind: CommandKind.openAccount, time, userId, grants })
  }
  return commands
}

/** Buys and sells at one price, each account in its turn. */
function orders(round: number): Command[] {
  return Array.from({ length: ordersPerRound }, (_, at) => {
    if (at % 7 === 0) time += 1
    return {
      kind: CommandKind.placeOrder,
      time,
      account: (round + at) % accounts,
      symbol: 0,
      side: at % 2 === 0 ? Side.buy : Side.sell,
      orderType: OrderType.limit,
      timeInForce: TimeInForce.gtc,
      quantity: 100,
      price: 5_000_000,
      stopPrice: 0,
      clientOrderId: '',
      extras: null,
    } as Command
  })
}

async function cpu(pool: pg.Pool): Promise<Cpu> {
  const { rows } = await pool.query<{ pid: number }>('select pid from pg_stat_activity where application_name = $1', [name])
  const thread = process.threadCpuUsage()
  const all = process.cpuUsage()
  const threadMicroseconds = thread.user + thread.system
  return {
    thread: threadMicroseconds,
    beside: all.user + all.system - threadMicroseconds,
    database: cpuMicroseconds(rows.map(({ pid }) => pid)),
  }
}

if (import.meta.main) process.stdout.write(`${formatTable(await run())}\n`)
const rows = await run()
console.log(formatTable(rows))
process.exit(0)
