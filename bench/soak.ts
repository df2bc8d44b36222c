import { startBenchDatabase, startBenchProcess } from './bench-processes.ts'
import { memoryMb } from './process-memory.ts'
import { benchRow, formatTable, type BenchRow } from './report.ts'
import { loadConnection } from './socket-load.ts'
import { registerTraders, startUserService } from './traders.ts'

const connections = 16
const window = 64
const million = 1_000_000
/** Memory is looked at after the second million, when buffers and caches have their size, and after the last. */
const settledAfter = 2 * million
const ordersMax = 10 * million

/** Memory of the trading service over ten million orders by socket, publishing, history and snapshots included. Takes some minutes, so it runs only when it is asked for. */
export async function run(): Promise<BenchRow[]> {
  await using database = await startBenchDatabase()
  await using user = await startUserService(database)
  await using trading = await startBenchProcess('services/trading/main.ts', {
    DATABASE_URL: database.urls.trading,
    MARU_HOUSE_LIQUIDITY: 'off',
  })
  const traders = await registerTraders(connections, user, trading.url)
  const startMs = performance.now()
  let orders = 0
  const memory = new Map<number, number>()
  const onAnswer = (): boolean => {
    orders += 1
    if (orders % million === 0) {
      memory.set(orders, memoryMb([trading.pid]))
      process.stderr.write(`  ${orders / million} million orders, ${memory.get(orders)!.toFixed(0)} MB\n`)
    }
    return orders < ordersMax
  }
  await Promise.all(traders.map((trader, index) => loadConnection(trading.url, trader, { index, window, onAnswer })))
  const seconds = (performance.now() - startMs) / 1_000
  return [
    benchRow({
      name: 'soak: memory of the trading service after 10 million orders by socket',
      unit: 'MB',
      value: memory.get(ordersMax)!,
      baseline: { name: 'after 2 million', value: memory.get(settledAfter)! },
      target: { of: 'ratio', is: 'at most', bound: 1.15 },
    }),
    benchRow({ name: 'soak: orders, over the whole of it', unit: 'orders/s', value: orders / seconds }),
  ]
}

if (import.meta.main) process.stdout.write(`${formatTable(await run())}\n`)
