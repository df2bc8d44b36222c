import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { fork, type ChildProcess } from 'node:child_process'
import { expect, test } from 'vitest'
import { topics, type TradingEvent } from '@maru/contracts'
import { createLogger, createPool, openPostgresDiscovery } from '@maru/service-host'
import { createIssuer, type Issuer } from '../../../service-host/test/support/tokens.ts'
import { createTestDatabase } from '../../../test/support/postgres.ts'
import { Account, priced } from './events.ts'
import { openAnalytics, openWriters, until } from './open.ts'
import { bareEnvironment } from '../../../test/support/bare-environment.ts'

const minute = (number: number): string => new Date(Date.UTC(2026, 0, 5, 9, number)).toISOString()

test('a repeated event changes nothing, and a record that is none is set apart', async () => {
  await using analytics = await openAnalytics()
  const dave = new Account('dave')
  const grant = [dave.opened(minute(0)), dave.moved(minute(0), 'USDT', '100', '100', 'grant')]
  const buy = dave.traded(minute(1), {
    side: 'BUY',
    price: '10',
    quantity: '1',
    fee: '0.01',
    position: ['1', '10'],
    totals: { BTC: '1', USDT: '89.99' },
  })
  await analytics.trading([...grant, buy, buy])
  await analytics.raw(topics.tradingEvents, 'no events at all')
  await analytics.raw(topics.tradingEvents, JSON.stringify([{ ...buy, sequence: 4, data: { ...buy.data, quantity: 'NaN' } }]))
  await analytics.raw(
    topics.marketData,
    JSON.stringify([{ ...priced(minute(1), 'BTC/USDT', '12'), data: { symbol: 'BTC/USDT', price: '1e400' } }]),
  )
  await analytics.prices([priced(minute(2), 'BTC/USDT', '12')])
  await analytics.trading([...grant, buy])
  await until(async () => (await analytics.pool.query('select 1 from marks')).rowCount === 1)
  const { status, body } = await analytics.get('/performance/dave')
  expect(status).toBe(200)
  expect(body).toMatchObject({
    total: { trades: 1, fees: '0.01', volume: '10', unrealized_pnl: '2' },
    end_equity: '101.99',
    as_of: { sequence: 3 },
  })
  const { rows } = await analytics.pool.query<{ n: number }>('select count(*)::int as n from poison_records')
  expect(rows).toEqual([{ n: 3 }])
})

interface Process {
  url: string
  child: ChildProcess
  kill(signal: NodeJS.Signals): Promise<number | null>
}

async function startAnalytics(databaseUrl: string): Promise<Process> {
  const child = fork(fileURLToPath(new URL('../main.ts', import.meta.url)), [], {
    env: { ...bareEnvironment, DATABASE_URL: databaseUrl, MARU_LOG_LEVEL: 'warn', MARU_STRICT_REPLIES: 'yes' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const ready = new Promise<string>((resolve) => child.on('message', (message) => resolve((message as { url: string }).url)))
  const url = await Promise.race([
    ready,
    exited.then((code) => Promise.reject(new Error(`ended with ${code} before it was ready:\n${output}`))),
  ])
  return {
    url,
    child,
    async kill(signal) {
      child.kill(signal)
      return exited
    },
  }
}

/** Stands in for the user service as its readers see it: a key at its public address, announced in discovery. */
async function announceIssuer(databaseUrl: string, issuer: Issuer): Promise<AsyncDisposable> {
  const server = createServer((_request, response) => response.end(JSON.stringify({ keys: [issuer.published] })))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const discovery = await openPostgresDiscovery({
    connectionString: databaseUrl,
    logger: createLogger({ service: 'test', instanceId: 'test', level: 'silent' }),
  })
  await discovery.announce({
    id: 'user-test',
    service: 'user',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pid: process.pid,
    version: '0',
    state: 'ready',
    startedAt: new Date().toISOString(),
  })
  return {
    async [Symbol.asyncDispose]() {
      await discovery[Symbol.asyncDispose]()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('killed again and again while events come, the process counts each fill once and ends cleanly when asked', async () => {
  await using database = await createTestDatabase()
  await using writers = await openWriters(database)
  const issuer = createIssuer()
  await using _user = await announceIssuer(database.urls.user, issuer)
  const pool = createPool(database.urls.analytics, { applicationName: 'test', onError: () => undefined })
  const erin = new Account('erin')
  const kills = 3
  const fillsPerRound = 100
  let analytics = await startAnalytics(database.urls.analytics)
  try {
    await writers.trading([erin.opened(minute(0)), erin.moved(minute(0), 'USDT', '100000', '100000', 'grant')])
    for (let round = 1; round <= kills; round++) {
      const counted = async (): Promise<number> => Number((await pool.query<{ n: string }>('select count(*) as n from fills')).rows[0]?.n)
      const writing = (async () => {
        for (let number = 1; number <= fillsPerRound; number++) await writers.trading([fillOf(erin, (round - 1) * fillsPerRound + number)])
      })()
      await until(async () => (await counted()) > (round - 1) * fillsPerRound + 20)
      await analytics.kill('SIGKILL')
      await writing
      analytics = await startAnalytics(database.urls.analytics)
    }
    const fills = kills * fillsPerRound
    const authorization = `Bearer ${issuer.sign({ sub: 'erin' })}`
    const ask = async (): Promise<{ total: unknown; as_of: { sequence: number }; end_equity: string }> =>
      (await (await fetch(`${analytics.url}/performance/erin`, { headers: { authorization } })).json()) as never
    await until(async () => (await ask()).as_of.sequence === fills + 2)
    expect(await ask()).toMatchObject({
      total: { trades: fills, fees: String(fills / 100), volume: String(fills * 10), realized_pnl: String(-fills / 100) },
      end_equity: String(100_000 - fills / 100),
    })
    expect((await fetch(`${analytics.url}/equity/erin`)).status).toBe(401)
    expect(await analytics.kill('SIGTERM')).toBe(0)
  } finally {
    await analytics.kill('SIGKILL')
    await pool.end()
  }
}, 120_000)

/** Buys and sells 1 at 10 in turn, for a fee of 0.01 each. */
function fillOf(account: Account, number: number): TradingEvent {
  const isBuy = number % 2 === 1
  const paid = number * 0.01 + (isBuy ? 10 : 0)
  return account.traded(minute(1), {
    side: isBuy ? 'BUY' : 'SELL',
    price: '10',
    quantity: '1',
    fee: '0.01',
    position: isBuy ? ['1', '10'] : ['0', '0'],
    totals: { BTC: isBuy ? '1' : '0', USDT: (100_000 - paid).toFixed(2) },
  })
}
