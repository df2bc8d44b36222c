import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, startBenchDatabase, startBenchProcess, type BenchDatabase, type BenchProcess } from './bench-processes.ts'
import { httpLoad, jsonRequest, type LoadResult } from './http-load.ts'
import { benchRow, median, type BenchRow } from './report.ts'

const connections = 64
const rounds = 5
const warmupMs = 500
const durationMs = 2_000
/** The body of an order, for an echo. */
export const orderText = JSON.stringify({
  symbol: 'BTC/USDT',
  side: 'BUY',
  order_type: 'LIMIT',
  quantity: '0.01',
  price: '64250.10',
  client_order_id: 'bench-000000001',
})

/** What the hop through the gateway costs: the same bare JSON echo asked directly and through the gateway, in turns. */
export async function run(): Promise<BenchRow[]> {
  await using database = await startBenchDatabase()
  await using echo = await startBenchProcess('bench/echo-server.ts', { DATABASE_URL: database.urls.trading })
  await using gateway = await startBenchGateway(database)
  await untilRouted(gateway.url, '/api/trading/echo')
  const direct: LoadResult[] = []
  const through: LoadResult[] = []
  for (let round = 0; round < rounds; round += 1) {
    direct.push(await loadWith(echo, '/echo'))
    through.push(await loadWith(gateway, '/api/trading/echo'))
  }
  const figure = (results: readonly LoadResult[], of: (result: LoadResult) => number) => median(results.map(of))
  const baseline = 'echo asked directly'
  return [
    benchRow({
      name: `gateway: JSON echo through it, ${connections} connections`,
      unit: 'requests/s',
      value: figure(through, (result) => result.requestsPerSecond),
      baseline: { name: baseline, value: figure(direct, (result) => result.requestsPerSecond) },
    }),
    benchRow({
      name: 'gateway: p99 of the same',
      unit: 'ms',
      value: figure(through, (result) => result.p99Ms),
      baseline: { name: baseline, value: figure(direct, (result) => result.p99Ms) },
    }),
  ]
}

/** The gateway as a process, with limits on how often one caller may ask that are never reached. */
export async function startBenchGateway(database: BenchDatabase): Promise<BenchProcess> {
  const port = String(await freePort())
  const unlimited = '10000000'
  const env = {
    DATABASE_URL: database.urls.gateway,
    MARU_PORT: port,
    MARU_RATE_LIMIT_PER_SECOND: unlimited,
    MARU_RATE_LIMIT_BURST: unlimited,
  }
  return startBenchProcess('services/gateway/main.ts', env, `http://127.0.0.1:${port}`)
}

/** Waits until the gateway answers for the service. */
export async function untilRouted(gatewayUrl: string, path: string): Promise<void> {
  for (;;) {
    const answer = await fetch(gatewayUrl + path, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    await answer.arrayBuffer()
    if (answer.status !== 503) return
    await sleep(20)
  }
}

async function loadWith(target: BenchProcess, path: string): Promise<LoadResult> {
  const request = jsonRequest(target.url, path, orderText)
  const result = await httpLoad({ url: target.url, connections, warmupMs, durationMs, request: () => request })
  const unexpected = Object.keys(result.statuses).filter((status) => status !== '200')
  if (unexpected.length > 0) throw new Error(`${target.url}${path} answered with ${JSON.stringify(result.statuses)}`)
  return result
}
