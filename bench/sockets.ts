import { openPostgresEventLog } from '@maru/event-log'
import { startTestServer } from '../test/support/postgres.ts'
import { startBenchDatabase, startBenchProcess } from './bench-processes.ts'
import { measureGrouped } from './log.ts'
import { benchRow, formatTable, median, type BenchRow } from './report.ts'
import { loadConnection } from './socket-load.ts'
import { registerTraders, startUserService, type Trader } from './traders.ts'

const connections = 16
/** Requests under way on a connection. */
const window = 64
const rounds = 5
/** Both sides compile their code while they are asked: the first round is not counted. */
const warmupRounds = 1
const load = { window, warmupMs: 1_000, durationMs: 3_000 }

/**
 * Durable, risk-checked, matched orders by the trading socket, each connection a user of its own with a window of requests under way, beside
 * what the log alone takes from as many callers. Every other order trades; publishing, history and snapshots run as they do in production.
 */
export async function run(): Promise<BenchRow[]> {
  await using server = await startTestServer()
  await using log = await openPostgresEventLog({ connectionString: server.urls.trading, applicationName: 'bench' })
  await using database = await startBenchDatabase()
  await using user = await startUserService(database)
  await using trading = await startBenchProcess('services/trading/main.ts', {
    DATABASE_URL: database.urls.trading,
    MARU_HOUSE_LIQUIDITY: 'off',
  })
  const traders = await registerTraders(connections, user, trading.url)
  const alone: number[] = []
  const orders: Load[] = []
  for (let round = -warmupRounds; round < rounds; round += 1) {
    if (round === 0) for (const results of [alone, orders]) results.length = 0
    alone.push(await measureGrouped(log, 1_500, connections * window))
    orders.push(await socketLoad(trading.url, traders, load))
  }
  const baseline = { name: `the log alone, ${connections * window} callers`, value: median(alone) }
  return [
    benchRow({
      name: `sockets: orders, ${connections} connections with ${window} under way each`,
      unit: 'orders/s',
      value: median(orders.map(({ perSecond }) => perSecond)),
      baseline,
      target: { of: 'value', is: 'at least', bound: 40_000 },
    }),
    // The other way in which the target may be met.
    benchRow({
      name: 'sockets: the same, beside what the log alone takes',
      unit: 'orders/s',
      value: median(orders.map(({ perSecond }) => perSecond)),
      baseline,
      target: { of: 'ratio', is: 'at least', bound: 0.4 },
    }),
    benchRow({ name: 'sockets: p99 of the same', unit: 'ms', value: median(orders.map(({ p99Ms }) => p99Ms)) }),
  ]
}

interface Load {
  perSecond: number
  p99Ms: number
}

interface LoadOptions {
  /** Requests under way on a connection. */
  window: number
  /** Not counted. */
  warmupMs: number
  durationMs: number
}

/** Orders over a socket of each trader, as many under way as the window says. */
export async function socketLoad(url: string, traders: readonly Trader[], options: LoadOptions): Promise<Load> {
  const { window: windowSize, warmupMs, durationMs } = options
  const latenciesMs: number[] = []
  const startMs = performance.now()
  const [fromMs, endMs] = [startMs + warmupMs, startMs + warmupMs + durationMs]
  const onAnswer = (sentMs: number, nowMs: number): boolean => {
    if (sentMs >= fromMs && nowMs <= endMs) latenciesMs.push(nowMs - sentMs)
    return nowMs < endMs
  }
  await Promise.all(traders.map((trader, index) => loadConnection(url, trader, { index, window: windowSize, onAnswer })))
  const sorted = Float64Array.from(latenciesMs).sort()
  return { perSecond: (sorted.length * 1_000) / durationMs, p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN }
}

if (import.meta.main) process.stdout.write(`${formatTable(await run())}\n`)
