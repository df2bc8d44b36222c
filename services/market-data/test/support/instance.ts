import type { Candle, Price } from '@maru/contracts/http/market-data'
import { openPostgresEventLog } from '@maru/event-log'
import {
  createHttpService,
  createLogger,
  createPool,
  migrate,
  openPostgresDiscovery,
  TokenVerifier,
  Tracing,
  type Environment,
} from '@maru/service-host'
import { fileURLToPath } from 'node:url'
import type { Pool } from 'pg'
import { start } from '../../service.ts'

/** An instance of the service in this process, on a real database and a real port. */
export interface TestInstance extends AsyncDisposable {
  readonly url: string
  readonly socketUrl: string
  get(path: string): Promise<{ status: number; body: unknown }>
  /** Failures that would have ended the process. */
  readonly failures: string[]
}

const migrations = fileURLToPath(new URL('../../store', import.meta.url))
let made = 0

/** The tables of the service. */
export const migrateMarketData = (pool: Pool) => migrate(pool, 'market_data', migrations)

export async function startInstance(databaseUrl: string, environment: Environment): Promise<TestInstance> {
  const instanceId = `market-data-test-${++made}`
  const logger = createLogger({ service: 'market-data', instanceId, level: process.env['MARU_TEST_LOG'] ?? 'silent' })
  const pool = createPool(databaseUrl, { applicationName: instanceId, onError: () => undefined })
  const log = await openPostgresEventLog({ connectionString: databaseUrl, applicationName: instanceId })
  const discovery = await openPostgresDiscovery({ connectionString: databaseUrl, logger })
  const verifier = new TokenVerifier(() => Promise.resolve([]))
  const http = createHttpService({ logger, verifier, strictReplies: true })
  const shutdown = new AbortController()
  const failures: string[] = []
  let closed = false
  const closeAll = async () => {
    if (closed) return
    closed = true
    shutdown.abort()
    await http.stop(1_000)
    await started?.[Symbol.asyncDispose]()
    await log[Symbol.asyncDispose]()
    await discovery[Symbol.asyncDispose]()
    await pool.end()
  }
  let started: AsyncDisposable | undefined
  try {
    await migrateMarketData(pool)
    started = await start({
      service: 'market-data',
      instanceId,
      version: 'test',
      logger,
      pool,
      databaseUrl,
      log,
      discovery,
      http,
      verifier,
      tracing: new Tracing(),
      metrics: http.metrics,
      measureLog: () => undefined,
      environment,
      shutdown: shutdown.signal,
      fail: (reason) => failures.push(reason),
    })
    const url = await http.app.listen({ host: '127.0.0.1', port: 0 })
    return {
      url,
      socketUrl: url.replace('http', 'ws'),
      failures,
      async get(path) {
        const answer = await fetch(url + path)
        return { status: answer.status, body: await answer.json() }
      },
      [Symbol.asyncDispose]: closeAll,
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** Waits until `look` gives something, asking again and again; the test's own time limit ends it. */
export async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** Waits until the 24 hours before the start are there, stored and in memory: on a busy machine the service is ready a little earlier. */
export async function untilComplete(instance: TestInstance): Promise<void> {
  await until(async () => {
    const prices = (await instance.get('/prices')).body as Record<string, Price>
    for (const { symbol, volume } of Object.values(prices)) {
      const candles = (await instance.get(`/candles/${symbol.replace('/', '-')}?limit=1440`)).body as Candle[]
      const sum = candles.reduce((total, candle) => total + Number(candle.volume), 0)
      if (candles.length < 1_440 || Number(volume) < sum * 0.99) return undefined
    }
    return true
  })
}
