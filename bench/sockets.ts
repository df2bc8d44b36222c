import { once } from 'node:events'
import { WebSocket } from 'ws'
import { openPostgresEventLog } from '@maru/event-log'
import { startTestServer } from '../test/support/postgres.ts'
import { startBenchDatabase, startBenchProcess } from './bench-processes.ts'
import { measureGrouped } from './log.ts'
import { benchRow, formatTable, median, type BenchRow } from './report.ts'
import { registerTraders, startUserService, type Trader } from './traders.ts'

const connections = 16
/** Requests under way on a connection. */
const window = 64
/** Each so many-th request cancels what is open. */
const cancelEvery = 64
const rounds = 3
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
  for (let round = 0; round < rounds; round += 1) {
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
  await Promise.all(traders.map((trader, index) => oneConnection(url, trader, index, { windowSize, fromMs, endMs, latenciesMs })))
  const sorted = Float64Array.from(latenciesMs).sort()
  return { perSecond: (sorted.length * 1_000) / durationMs, p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN }
}

async function oneConnection(
  url: string,
  { token }: Trader,
  index: number,
  { windowSize, fromMs, endMs, latenciesMs }: { windowSize: number; fromMs: number; endMs: number; latenciesMs: number[] },
): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  })
  await once(socket, 'open')
  // Answers of one connection come in the order of its requests: they went into the log so.
  const sentMs: number[] = []
  let answered = 0
  const send = (): void => {
    const id = sentMs.length
    const side = (id + index) % 2 === 0 ? 'BUY' : 'SELL'
    // What meets an order of its own account expires and leaves that one open: now and then the account clears up.
    const request =
      id % cancelEvery === cancelEvery - 1
        ? `{"id":${id},"op":"cancel_all"}`
        : `{"id":${id},"op":"place","order":{"symbol":"BTC/USDT","side":"${side}","order_type":"LIMIT","quantity":"0.001","price":"10000"}}`
    socket.send(request)
    sentMs.push(performance.now())
  }
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the socket was closed')))
    socket.on('message', (data: Buffer) => {
      const text = data.toString('latin1', 0, 40)
      if (!text.startsWith(`{"id":${answered},"status":20`)) {
        reject(new Error(`answer ${answered} was ${data.toString('utf8').slice(0, 300)}`))
        return
      }
      const nowMs = performance.now()
      if (sentMs[answered]! >= fromMs && nowMs <= endMs) latenciesMs.push(nowMs - sentMs[answered]!)
      answered += 1
      if (nowMs < endMs) send()
      else if (answered === sentMs.length) resolve()
    })
    for (let count = 0; count < windowSize; count += 1) send()
  })
  socket.removeAllListeners('close')
  socket.close()
}

if (import.meta.main) process.stdout.write(`${formatTable(await run())}\n`)
