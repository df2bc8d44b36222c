import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { topics, type MarketDataEvent, type TradingEvent } from '@maru/contracts'
import { openPostgresEventLog, type EventLog } from '@maru/event-log'
import {
  createHttpService,
  createLogger,
  createPool,
  migrate,
  openPostgresDiscovery,
  schemaOf,
  Tracing,
  type Environment,
  type ServiceContext,
} from '@maru/service-host'
import { createIssuer, type Issuer } from '../../../service-host/test/support/tokens.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { analyticsService } from '../service.ts'

const silent = createLogger({ service: 'test', instanceId: 'test', level: 'silent' })

/** Appends to the topics as the services that own them would. */
export interface Writers extends AsyncDisposable {
  trading(events: readonly TradingEvent[]): Promise<number>
  prices(events: readonly MarketDataEvent[]): Promise<number>
  raw(topic: string, body: string): Promise<number>
}

export async function openWriters(database: TestDatabase): Promise<Writers> {
  const tradingLog = await openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'test-trading' })
  const marketLog = await openPostgresEventLog({ connectionString: database.urls['market-data'], applicationName: 'test-market' })
  const trading = await tradingLog.exclusiveWriter(topics.tradingEvents, 'publisher')
  let sequence = 0
  const encode = (events: readonly unknown[]): Uint8Array => Buffer.from(JSON.stringify(events))
  return {
    trading: (events) => trading.append(encode(events)),
    prices: (events) => marketLog.append(topics.marketData, encode(events), { producer: 'test', sequence: ++sequence }),
    raw: (topic, body) =>
      topic === topics.tradingEvents
        ? trading.append(Buffer.from(body))
        : marketLog.append(topic, Buffer.from(body), { producer: 'test', sequence: ++sequence }),
    async [Symbol.asyncDispose]() {
      await tradingLog[Symbol.asyncDispose]()
      await marketLog[Symbol.asyncDispose]()
    },
  }
}

export interface Analytics extends Writers {
  readonly pool: pg.Pool
  readonly database: TestDatabase
  readonly issuer: Issuer
  /** A GET, by default as the user the path names. */
  get(path: string, claims?: Record<string, unknown>): Promise<{ status: number; body: Record<string, unknown> }>
}

/** The service in this process on a database of its own, read from by `get` and written to through the log. */
export async function openAnalytics(environment: Environment = {}): Promise<Analytics> {
  const database = await createTestDatabase()
  const pool = createPool(database.urls.analytics, { applicationName: 'test', onError: () => undefined })
  await migrate(pool, schemaOf('analytics'), fileURLToPath(new URL('../store', import.meta.url)))
  const log: EventLog = await openPostgresEventLog({ connectionString: database.urls.analytics, applicationName: 'test' })
  const discovery = await openPostgresDiscovery({ connectionString: database.urls.analytics, logger: silent })
  const issuer = createIssuer()
  const http = createHttpService({ logger: silent, verifier: issuer.verifier, strictReplies: true })
  const stop = new AbortController()
  const failures: unknown[] = []
  const context: ServiceContext = {
    service: 'analytics',
    instanceId: 'test',
    version: '0',
    logger: silent,
    pool,
    databaseUrl: database.urls.analytics,
    log,
    discovery,
    http,
    verifier: issuer.verifier,
    tracing: new Tracing(),
    metrics: http.metrics,
    measureLog: () => undefined,
    environment,
    shutdown: stop.signal,
    fail: (_reason, error) => failures.push(error),
  }
  const service = await analyticsService.start(context)
  const writers = await openWriters(database)
  return {
    ...writers,
    pool,
    database,
    issuer,
    async get(path, claims = { sub: path.split('?')[0]?.split('/').at(-1) }) {
      const answer = await http.app.inject({ method: 'GET', url: path, headers: { authorization: `Bearer ${issuer.sign(claims)}` } })
      return { status: answer.statusCode, body: answer.json() }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await service[Symbol.asyncDispose]()
      await writers[Symbol.asyncDispose]()
      await http.app.close()
      await discovery[Symbol.asyncDispose]()
      await log[Symbol.asyncDispose]()
      await pool.end()
      await database[Symbol.asyncDispose]()
      if (failures.length > 0) throw new Error('the service has failed', { cause: failures[0] })
    },
  }
}

/** Waits until the condition holds; throws its last failure after `withinMs`. */
export async function until(condition: () => Promise<boolean>, withinMs = 40_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('the condition did not come true in time')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
