import { setTimeout as sleep } from 'node:timers/promises'
import path from 'node:path'
import type { Exchange } from '@maru/domain/exchange'
import { createPool, migrate } from '@maru/service-host'
import { PostgresSnapshots } from '../services/trading/publisher/postgres-snapshots.ts'
import { loadSnapshot, storeSnapshot } from '../services/trading/publisher/snapshots.ts'
import { startBenchDatabase, startBenchProcess, type BenchDatabase, type BenchProcess } from './bench-processes.ts'
import { largeAccounts, largeOrders, largeState } from './large-state.ts'
import type { Pauses } from './pause-probe.ts'
import { benchRow, formatTable, median, type BenchRow } from './report.ts'
import { socketLoad } from './sockets.ts'
import { registerTraders, startUserService, type Trader } from './traders.ts'

const rounds = 5
const starts = 3
const pauseRounds = 3
const size = `${largeAccounts.toLocaleString('en-US')} accounts, ${largeOrders.toLocaleString('en-US')} open orders`
/** Some hundreds of orders under way: busy, and yet answered within milliseconds. */
const traderCount = 8
const load = { window: 16, warmupMs: 1_000, durationMs: 6_000 }
/** So low that a snapshot of the state follows on another. */
const snapshotEveryCommands = 5_000

/**
 * What snapshots of a large state cost: to write, to load, to start from, and to order entry while they are taken. Beside them JSON of the same accounts and
 * orders, an instance on an empty database, and the same load without a snapshot.
 */
export async function run(): Promise<BenchRow[]> {
  const exchange = largeState()
  await using database = await startBenchDatabase()
  await using pool = Object.assign(createPool(database.urls.trading, { applicationName: 'bench', onError: () => undefined }), {
    [Symbol.asyncDispose]: () => pool.end(),
  })
  await migrate(pool, 'trading', path.resolve(import.meta.dirname, '../services/trading/store'))
  const writeMs: number[] = []
  const jsonMs: number[] = []
  const loadMs: number[] = []
  const plain = JSON.stringify(plainState(exchange))
  const store = new PostgresSnapshots(pool)
  await storeSnapshot(store, { exchange, offset: 0 })
  for (let round = 0; round < rounds; round++) {
    writeMs.push(await timeMs(() => exchange.snapshot()))
    jsonMs.push(await timeMs(() => JSON.parse(plain) as unknown))
    loadMs.push(await timeMs(() => loadSnapshot(store)))
  }
  const state = await loadSnapshot(store)
  if (state.exchange.stateHash() !== exchange.stateHash()) throw new Error('what was loaded is another state')
  const json = { name: 'JSON.parse of the same accounts and orders', value: median(jsonMs) / 1_000 }
  return [
    benchRow({ name: `snapshot: written, ${size}`, unit: 's', value: median(writeMs) / 1_000 }),
    benchRow({
      name: 'snapshot: loaded from PostgreSQL',
      unit: 's',
      value: median(loadMs) / 1_000,
      baseline: json,
      target: { of: 'value', is: 'at most', bound: 0.3 },
    }),
    ...(await measureService(database)),
  ]
}

/** Accounts with their balances, and orders, as plain objects: what a simple snapshot would hold. */
function plainState(exchange: Exchange): unknown {
  return Array.from({ length: exchange.accountCount }, (_, account) => ({
    user: exchange.userIdOf(account),
    balances: exchange.assets.map((_asset, asset) => exchange.balance(account, asset)),
    positions: exchange.positions(account),
    orders: exchange.openOrders(account),
  }))
}

async function timeMs(work: () => unknown): Promise<number> {
  const begin = performance.now()
  await work()
  return performance.now() - begin
}

async function measureService(database: BenchDatabase): Promise<BenchRow[]> {
  await using user = await startUserService(database)
  const first = await startTrading(database, 100_000_000)
  const large: number[] = []
  const empty: number[] = []
  await using other = await startBenchDatabase()
  for (let start = 0; start < starts; start++) {
    large.push(await startMs(database))
    empty.push(await startMs(other))
  }
  await first[Symbol.asyncDispose]()
  const quiet: Pauses[] = []
  const paused: Pauses[] = []
  let traders: Trader[] = []
  for (let round = 0; round < pauseRounds; round++) {
    for (const [every, pauses] of [
      [100_000_000, quiet],
      [snapshotEveryCommands, paused],
    ] as const) {
      await using trading = await startTrading(database, every)
      if (traders.length === 0) traders = await registerTraders(traderCount, user, trading.url)
      pauses.push(await longestPauses(trading, traders))
    }
  }
  return [
    benchRow({
      name: 'snapshot: a second instance to ready, from start to ready',
      unit: 's',
      value: median(large) / 1_000,
      baseline: { name: 'one on an empty database', value: median(empty) / 1_000 },
      target: { of: 'value', is: 'at most', bound: 2 },
    }),
    benchRow({
      name: 'snapshot: longest pause of order entry while they are taken',
      unit: 'ms',
      value: median(paused.map(({ maxMs }) => maxMs)),
      baseline: { name: 'the same load without one', value: median(quiet.map(({ maxMs }) => maxMs)) },
      target: { of: 'value', is: 'at most', bound: 20 },
    }),
    benchRow({
      name: 'snapshot: the same, less what its thread waited for a core',
      unit: 'ms',
      value: median(paused.map(({ withoutWaitMs }) => withoutWaitMs)),
      baseline: { name: 'the same load without one', value: median(quiet.map(({ withoutWaitMs }) => withoutWaitMs)) },
      target: { of: 'value', is: 'at most', bound: 20 },
    }),
  ]
}

const compileCache = path.resolve(import.meta.dirname, '../node_modules/.cache/maru')

function startTrading(database: BenchDatabase, every: number): Promise<BenchProcess> {
  const env = {
    DATABASE_URL: database.urls.trading,
    MARU_HOUSE_LIQUIDITY: 'off',
    MARU_SNAPSHOT_EVERY_COMMANDS: String(every),
    NODE_COMPILE_CACHE: compileCache,
  }
  return startBenchProcess('services/trading/main.ts', env, undefined, ['--import', path.join(import.meta.dirname, 'pause-probe.ts')])
}

async function startMs(database: BenchDatabase): Promise<number> {
  const begin = performance.now()
  await using _instance = await startTrading(database, 100_000_000)
  return performance.now() - begin
}

/** The longest that the loop of the main thread stood still while it took orders, after it had warmed up. */
async function longestPauses(trading: BenchProcess, traders: readonly Trader[]): Promise<Pauses> {
  const ask = (): Promise<Pauses> =>
    new Promise((resolve) => {
      const take = (message: unknown): void => {
        const pauses = message as Pauses
        if (pauses.type !== 'pause') return
        trading.child.off('message', take)
        resolve(pauses)
      }
      trading.child.on('message', take)
      trading.child.send('pause')
    })
  const loading = socketLoad(trading.url, traders, load)
  await sleep(load.warmupMs)
  await ask()
  await sleep(load.durationMs - 500)
  const pauses = await ask()
  await loading
  return pauses
}

if (import.meta.main) process.stdout.write(`${formatTable(await run())}\n`)
