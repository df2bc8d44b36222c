import type { Candle, Price, Sources } from '@maru/contracts/http/market-data'
import type { MarketDataEvent } from '@maru/contracts'
import { bucketStart, minuteMs } from '@maru/domain/candles'
import { openPostgresEventLog } from '@maru/event-log'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { createTestDatabase, startTestServer } from '../../../test/support/postgres.ts'
import { createLogger } from '@maru/service-host'
import { formatUnits } from '../market/units.ts'
import { MarketFeed } from '../real-time/market-feed.ts'
import { readRecorded } from '../replay/csv-file.ts'
import { markets } from '../market/symbols.ts'
import { SyntheticMarket } from '../synthetic/market.ts'
import { marketParameters } from '../synthetic/parameters.ts'
import { createSyntheticSource } from '../synthetic/source.ts'
import { viewCandle } from '../real-time/views.ts'
import { startInstance, until, untilComplete, type TestInstance } from './support/instance.ts'
import { candleFile, makeRecording } from './support/recording.ts'

const testData = process.env['MARU_TEST_DATA']
const main = fileURLToPath(new URL('../main.ts', import.meta.url))

const priceOf = async (instance: TestInstance) => (await instance.get('/prices/BTC-USDT')).body as Price
const candlesOf = async (instance: TestInstance, symbol = 'BTC-USDT', limit = 1_440) =>
  (await instance.get(`/candles/${symbol}?limit=${limit}`)).body as Candle[]

async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}

/** The candles that the synthetic market of a seed has between two times, as the API shows them. */
async function truth(seed: number, candles: readonly Candle[]): Promise<Candle[]> {
  const found: Candle[] = []
  const source = createSyntheticSource(seed, '')
  for await (const chunk of source.history(
    Date.parse(candles[0]!.start),
    Date.parse(candles.at(-1)!.start) + 1,
    new AbortController().signal,
  )) {
    for (const { symbol, candle } of chunk) if (symbol === 'BTC/USDT') found.push(viewCandle(candle))
  }
  return found
}

/** The trades of the minute that is forming, as an instance shows them, beside those that the market of a seed has had by the price it shows. */
async function untilForming(instance: TestInstance, seed: number): Promise<{ shown: number | null; truth: number }> {
  const index = markets.findIndex((market) => market.symbol === 'BTC/USDT')
  const parameters = marketParameters.find((entry) => entry.symbol === 'BTC/USDT')!
  const market = new SyntheticMarket(seed, index, markets[index]!, parameters)
  return until(async () => {
    const before = await priceOf(instance)
    const [candle] = await candlesOf(instance, 'BTC-USDT', 1)
    const after = await priceOf(instance)
    // One moment of the instance: no batch came between.
    if (after.timestamp !== before.timestamp || candle === undefined) return undefined
    const ticks = market.minute(Date.parse(candle.start))
    return {
      shown: candle.trades,
      truth: ticks.filter((tick) => tick.quantity > 0 && tick.timeMs <= Date.parse(after.timestamp)).length,
    }
  })
}

describe('two instances', () => {
  test('show the same; one publishes; when it stops the other takes over, and the topic stays in order', async () => {
    await using database = await createTestDatabase()
    const url = database.urls['market-data']
    await using first = await startInstance(url, { MARU_MARKET_DATA: 'synthetic:3' })
    await using second = await startInstance(url, { MARU_MARKET_DATA: 'synthetic:3' })
    await untilComplete(first)
    await untilComplete(second)
    const leaders = () =>
      query<{ count: string }>(
        database.adminUrl,
        `select count(*) from pg_locks l join pg_database d on d.oid = l.database where locktype = 'advisory' and granted and d.datname = current_database()`,
      )
    expect(await leaders()).toEqual([{ count: '1' }])
    // Both have applied the same batch at some moment: then everything about the price is the same.
    const both = await until(async () => {
      const [a, b] = await Promise.all([priceOf(first), priceOf(second)])
      return a.timestamp === b.timestamp ? [a, b] : undefined
    })
    expect({ ...both[0]!, age_ms: 0 }).toEqual({ ...both[1]!, age_ms: 0 })
    expect((await candlesOf(second)).slice(0, -1)).toEqual((await candlesOf(first)).slice(0, -1))

    // One that comes when the batch that told of the completed candles is no longer kept does not wait for another.
    await query(database.adminUrl, `delete from market_data.tick_batches where body::jsonb ? 'l'`)
    const late = new pg.Pool({ connectionString: url })
    const feed = new MarketFeed(late, createLogger({ service: 'market-data', instanceId: 'late', level: 'silent' }))
    await until(async () => {
      await feed.catchUp()
      return feed.state.feed
    })
    expect(feed.state.historyComplete).toBe(true)
    await late.end()

    const before = await priceOf(second)
    await first[Symbol.asyncDispose]()
    await until(async () => {
      const now = await priceOf(second)
      return Date.parse(now.timestamp) > Date.parse(before.timestamp) + 2_500 && !now.stale ? true : undefined
    })
    expect(await leaders()).toEqual([{ count: '1' }])
    await using log = await openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'reader' })
    const records = await log.read('market-data', 0, { recordsMax: 1_000, bytesMax: 10_000_000 })
    const ids = records.flatMap((record) =>
      (JSON.parse(Buffer.from(record.body).toString('utf8')) as MarketDataEvent[]).map((event) => event.id),
    )
    expect([...new Set(ids)].sort()).toEqual(ids)
    expect(new Set(ids.map((id) => id.split('-')[0])).size).toBe(2)
    // The minute in which the lead changed is whole all the same, and nothing in it is counted twice.
    const forming = await untilForming(second, 3)
    expect(forming.shown).toBe(forming.truth)
    const candles = (await candlesOf(second)).slice(-3, -1)
    expect(candles).toEqual(await truth(3, candles))
  })
})

describe('killed and started again', () => {
  test('kill -9 of the process: the candles are those of a market that never stopped, and what was missed is there', async () => {
    await using database = await createTestDatabase()
    const url = database.urls['market-data']
    const child = spawn(process.execPath, [main], {
      env: { ...process.env, DATABASE_URL: url, MARU_MARKET_DATA: 'synthetic:3', MARU_PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      for await (const line of createInterface({ input: child.stdout })) if (line.includes('"msg":"ready"')) break
    } finally {
      child.kill('SIGKILL')
    }
    // As if it had been down for half an hour: nothing of that time is there.
    const gone = bucketStart(Date.now(), minuteMs) - 30 * minuteMs
    await query(database.adminUrl, `delete from market_data.candles where start_ms >= ${gone}`)
    await query(database.adminUrl, 'delete from market_data.tick_batches')
    // And the last one left was cut off.
    await query(database.adminUrl, `update market_data.candles set high = 1, close = 1 where start_ms = ${gone - minuteMs}`)
    await using service = await startInstance(url, { MARU_MARKET_DATA: 'synthetic:3' })
    await untilComplete(service)
    const candles = (await candlesOf(service)).slice(0, -1)
    expect(candles).toHaveLength(1_439)
    expect(candles).toEqual(await truth(3, candles))
  })

  test('kill -9 of PostgreSQL: prices are shown on, marked stale, and flow again when it is back', async () => {
    await using server = await startTestServer()
    await using service = await startInstance(server.urls['market-data'], { MARU_MARKET_DATA: 'synthetic:3' })
    await untilComplete(service)
    const before = await priceOf(service)
    await server.kill()
    expect((await service.get('/prices/BTC-USDT')).status).toBe(200)
    await until(async () => ((await priceOf(service)).stale ? true : undefined))
    await server.start()
    const after = await until(async () => {
      const price = await priceOf(service)
      return price.stale ? undefined : price
    })
    expect(Date.parse(after.timestamp)).toBeGreaterThan(Date.parse(before.timestamp))
    expect(service.failures).toEqual([])
    await until(async () => ((await candlesOf(service)).length === 1_440 ? true : undefined))
    const candles = (await candlesOf(service)).slice(-20, -1)
    expect(candles).toEqual(await truth(3, candles))
  })

  test('candles of another source are not mixed in', async () => {
    await using database = await createTestDatabase()
    const url = database.urls['market-data']
    {
      await using _one = await startInstance(url, { MARU_MARKET_DATA: 'synthetic:3' })
    }
    await using other = await startInstance(url, { MARU_MARKET_DATA: 'synthetic:4' })
    await untilComplete(other)
    const candles = (await candlesOf(other)).slice(0, -1)
    expect(candles).toEqual(await truth(4, candles))
  })
})

describe('a replay as the service shows it', () => {
  test('a made recording: sources tell the shift, a restart goes on where it was', async () => {
    await using recorded = await makeRecording({ 'candles/BTCUSDT-1m.csv.gz': candleFile(1_440 + 200) })
    await using database = await createTestDatabase()
    const url = database.urls['market-data']
    const environment = { MARU_MARKET_DATA: `replay:${recorded.folder}` }
    const sourcesOf = async (instance: TestInstance) => (await instance.get('/sources')).body as Sources
    let shift: number
    {
      await using service = await startInstance(url, environment)
      const sources = await sourcesOf(service)
      expect(sources).toMatchObject({ mode: 'replay', replay: { feed: 'candles', speed: 1, loops: 0 } })
      expect(JSON.stringify(sources)).not.toContain(path.dirname(recorded.folder))
      shift = sources.replay!.shift_ms
      expect(shift % minuteMs).toBe(0)
      expect((await priceOf(service)).sources).toEqual(['replay'])
      // A market without a file has no price, and says so.
      expect(await service.get('/prices/ETH-USDT')).toMatchObject({ status: 503, body: { code: 'price_unavailable' } })
      expect(Object.keys((await service.get('/prices')).body as object)).toEqual(['BTC/USDT'])
    }
    await using again = await startInstance(url, environment)
    expect((await sourcesOf(again)).replay!.shift_ms).toBe(shift)
    await expectRows(again, path.join(recorded.folder, 'candles/BTCUSDT-1m.csv.gz'), 'BTC-USDT', shift)
  })

  test.skipIf(testData === undefined)(
    'the recorded files: every candle of the last 24 hours is a row, shifted (skipped without MARU_TEST_DATA)',
    async () => {
      await using database = await createTestDatabase()
      await using service = await startInstance(database.urls['market-data'], {
        MARU_MARKET_DATA: `replay:${path.join(testData!, 'data')}`,
      })
      const sources = (await service.get('/sources')).body as Sources
      expect(sources.replay).toMatchObject({ folder: 'data', file_started_at: '2023-04-02T21:04:00.000Z' })
      for (const base of ['BTC', 'ETH', 'ADA', 'DOT'])
        await expectRows(
          service,
          path.join(testData!, 'data', 'candles', `${base}USDT-1m.csv.gz`),
          `${base}-USDT`,
          sources.replay!.shift_ms,
        )
    },
  )

  async function expectRows(service: TestInstance, file: string, symbol: string, shift: number): Promise<void> {
    await untilComplete(service)
    const candles = (await candlesOf(service, symbol)).slice(0, -1)
    expect(candles).toHaveLength(1_439)
    let next = 0
    for await (const row of readRecorded(file, 'candle', Date.parse(candles[0]!.start) - shift)) {
      if (row.kind !== 'candle' || next === candles.length) break
      expect(candles[next++]).toEqual({
        start: new Date(row.timeMs + shift).toISOString(),
        open: formatUnits(row.open),
        high: formatUnits(row.high),
        low: formatUnits(row.low),
        close: formatUnits(row.close),
        volume: formatUnits(row.volume),
        trades: null,
      })
    }
    expect(next).toBe(candles.length)
  }
})
