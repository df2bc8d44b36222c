import { startBenchDatabase, startBenchProcess } from './bench-processes.ts'
import { startBenchGateway, untilRouted } from './gateway.ts'
import { httpLoad, jsonRequest, type LoadResult } from './http-load.ts'
import { benchRow, median, type BenchRow } from './report.ts'
import { registerTraders, startUserService, type Trader } from './traders.ts'

const connections = 64
const rounds = 9
/** Each side compiles its code while it is asked: so many first rounds of all of them are not counted. */
const warmupRounds = 2
const warmupMs = 500
const durationMs = 2_000
const price = '50000.00'

/**
 * Durable, risk-checked, matched orders by HTTP, at the trading service and through the gateway, beside a bare `node:http` JSON echo
 * asked the same two ways, in turns. Each connection is a user of its own who buys and sells at one price, so that every other order
 * trades; publishing, history and snapshots run as they do in production.
 */
export async function run(): Promise<BenchRow[]> {
  await using database = await startBenchDatabase()
  await using echo = await startBenchProcess('bench/echo-server.ts', { DATABASE_URL: database.urls.analytics, MARU_ECHO_AS: 'analytics' })
  await using user = await startUserService(database)
  await using trading = await startBenchProcess('services/trading/main.ts', {
    DATABASE_URL: database.urls.trading,
    MARU_HOUSE_LIQUIDITY: 'off',
  })
  await using gateway = await startBenchGateway(database)
  await untilRouted(gateway.url, '/api/analytics/echo')
  const traders = await registerTraders(connections, user, trading.url)

  const echoDirect: LoadResult[] = []
  const ordersDirect: LoadResult[] = []
  const echoThrough: LoadResult[] = []
  const ordersThrough: LoadResult[] = []
  for (let round = -warmupRounds; round < rounds; round += 1) {
    if (round === 0) for (const results of [echoDirect, ordersDirect, echoThrough, ordersThrough]) results.length = 0
    echoDirect.push(await load(echo.url, '/echo', traders, 200))
    ordersDirect.push(await load(trading.url, '/orders', traders, 201))
    echoThrough.push(await load(gateway.url, '/api/analytics/echo', traders, 200))
    ordersThrough.push(await load(gateway.url, '/api/trading/orders', traders, 201))
  }
  const rate = (results: readonly LoadResult[]): number => median(results.map((result) => result.requestsPerSecond))
  const p99 = (results: readonly LoadResult[]): number => median(results.map((result) => result.p99Ms))
  return [
    benchRow({
      name: `orders: at the trading service, ${connections} connections`,
      unit: 'orders/s',
      value: rate(ordersDirect),
      baseline: { name: 'bare node:http JSON echo', value: rate(echoDirect) },
      target: { of: 'ratio', is: 'at least', bound: 0.7 },
    }),
    benchRow({
      name: 'orders: p99 of the same',
      unit: 'ms',
      value: p99(ordersDirect),
      baseline: { name: 'bare node:http JSON echo', value: p99(echoDirect) },
      target: { of: 'ratio', is: 'at most', bound: 2 },
    }),
    benchRow({
      name: `orders: through the gateway, ${connections} connections`,
      unit: 'orders/s',
      value: rate(ordersThrough),
      baseline: { name: 'the echo through the same gateway', value: rate(echoThrough) },
      target: { of: 'ratio', is: 'at least', bound: 0.65 },
    }),
    benchRow({
      name: 'orders: p99 of the same',
      unit: 'ms',
      value: p99(ordersThrough),
      baseline: { name: 'the echo through the same gateway', value: p99(echoThrough) },
    }),
  ]
}

async function load(url: string, target: string, traders: readonly Trader[], status: number): Promise<LoadResult> {
  const requests = traders.map(({ token }) =>
    (['BUY', 'SELL'] as const).map((side) =>
      jsonRequest(url, target, JSON.stringify({ symbol: 'BTC/USDT', side, order_type: 'LIMIT', quantity: '0.001', price }), {
        Authorization: `Bearer ${token}`,
      }),
    ),
  )
  const result = await httpLoad({
    url,
    connections,
    warmupMs,
    durationMs,
    request: (connection, count) => requests[connection % requests.length]![(connection + count) % 2]!,
  })
  const unexpected = Object.keys(result.statuses).filter((answered) => Number(answered) !== status)
  if (unexpected.length > 0) throw new Error(`${url}${target} answered with ${JSON.stringify(result.statuses)}`)
  return result
}
