import type { Candle, MarketTrade, Price, Sources } from '@maru/contracts/http/market-data'
import type { MarketDataEvent } from '@maru/contracts'
import { openPostgresEventLog } from '@maru/event-log'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { startInstance, until, untilComplete, type TestInstance } from './support/instance.ts'

let database: TestDatabase
let service: TestInstance
const minuteMs = 60_000

beforeAll(async () => {
  database = await createTestDatabase()
  service = await startInstance(database.urls['market-data'], { MARU_MARKET_DATA: 'synthetic:7' })
  await untilComplete(service)
})
afterAll(async () => {
  await service[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const price = async (path: string) => (await service.get(path)).body as Price

describe('prices', () => {
  test.each(['/prices/BTC-USDT', '/prices/BTC%2FUSDT', '/prices/btc-usdt'])('%s', async (path) => {
    const { status, body } = await service.get(path)
    expect(status).toBe(200)
    const view = body as Price
    expect(view).toMatchObject({ symbol: 'BTC/USDT', sources: ['synthetic'], stale: false })
    expect(Number(view.bid)).toBeLessThanOrEqual(Number(view.price))
    expect(Number(view.ask)).toBeGreaterThanOrEqual(Number(view.price))
    expect(Number(view.high_24h)).toBeGreaterThanOrEqual(Number(view.price))
    expect(Number(view.low_24h)).toBeLessThanOrEqual(Number(view.price))
    expect(Number(view.volume)).toBeGreaterThan(0)
    expect(view.change_24h).toMatch(/^-?\d+(\.\d{1,4})?$/)
    expect(view.age_ms).toBe(view.age_ms | 0)
  })

  test('several by name, all where none is named', async () => {
    expect(Object.keys((await service.get('/prices?symbols=BTC/USDT,ETH-USDT')).body as object)).toEqual(['BTC/USDT', 'ETH/USDT'])
    expect(Object.keys((await service.get('/prices')).body as object)).toEqual(['BTC/USDT', 'ETH/USDT', 'ADA/USDT', 'DOT/USDT'])
  })

  test('the 24-hour figures are those of the candles', async () => {
    const view = await price('/prices/ADA-USDT')
    const candles = (await service.get('/candles/ADA-USDT?limit=1440')).body as Candle[]
    expect(candles).toHaveLength(1_440)
    const open = Number(candles[0]!.open)
    expect(Number(view.change_24h)).toBeCloseTo((Number(view.price) / open - 1) * 100, 1)
    expect(Number(view.high_24h)).toBe(Math.max(...candles.map((candle) => Number(candle.high))))
    expect(Number(view.low_24h)).toBe(Math.min(...candles.map((candle) => Number(candle.low))))
  })
})

describe('what is asked wrongly', () => {
  test.each([
    ['/prices/XRP-USDT', 404, 'symbol_not_found'],
    ['/prices/BTC', 404, 'symbol_not_found'],
    ['/prices/%00', 400, 'invalid_request'],
    [`/prices/${'A'.repeat(200)}`, 400, 'invalid_request'],
    ['/prices?symbols=BTC/USDT,NO/PE', 404, 'symbol_not_found'],
    ['/prices?symbols=', 400, 'invalid_request'],
    ['/prices?symbol=BTC/USDT', 400, 'invalid_request'],
    ['/candles/XRP-USDT', 404, 'symbol_not_found'],
    ['/candles/BTC-USDT?interval=2m', 400, 'invalid_request'],
    ['/candles/BTC-USDT?limit=0', 400, 'invalid_request'],
    ['/candles/BTC-USDT?limit=-5', 400, 'invalid_request'],
    ['/candles/BTC-USDT?limit=1e400', 400, 'invalid_request'],
    ['/candles/BTC-USDT?limit=NaN', 400, 'invalid_request'],
    ['/candles/BTC-USDT?start=yesterday', 400, 'invalid_request'],
    ['/candles/BTC-USDT?start=2023-99-99T99:99:99Z', 400, 'invalid_request'],
    ['/trades/NO-PE', 404, 'symbol_not_found'],
    ['/book/NO-PE', 404, 'symbol_not_found'],
    ['/nothing', 404, 'not_found'],
  ])('%s is %i %s', async (path, status, code) => {
    const answer = await service.get(path)
    expect(answer).toMatchObject({ status, body: { code, status } })
  })

  test('an unknown symbol among several is named', async () => {
    expect((await service.get('/prices?symbols=BTC/USDT,NO/PE')).body).toMatchObject({ detail: expect.stringContaining('NO/PE') as string })
  })
})

describe('candles', () => {
  test('oldest first, gap-free over the 24 hours that were backfilled, coarser ones made of the finer', async () => {
    const minutes = (await service.get('/candles/BTC-USDT?limit=1440')).body as Candle[]
    for (const [index, candle] of minutes.entries()) {
      if (index > 0) expect(Date.parse(candle.start) - Date.parse(minutes[index - 1]!.start)).toBe(minuteMs)
    }
    const hour = ((await service.get('/candles/BTC-USDT?interval=1h&limit=3')).body as Candle[])[1]!
    const within = minutes.filter(
      (candle) => candle.start >= hour.start && Date.parse(candle.start) < Date.parse(hour.start) + 60 * minuteMs,
    )
    expect(within).toHaveLength(60)
    expect(hour).toMatchObject({ open: within[0]!.open, close: within.at(-1)!.close })
    expect(Number(hour.high)).toBe(Math.max(...within.map((candle) => Number(candle.high))))
    expect(hour.trades).toBe(within.reduce((sum, candle) => sum + candle.trades!, 0))
  })

  test('start, end and limit bound them', async () => {
    const all = (await service.get('/candles/ETH-USDT?limit=100')).body as Candle[]
    const { start } = all[10]!
    const end = all[20]!.start
    expect((await service.get(`/candles/ETH-USDT?start=${start}&end=${end}`)).body).toEqual(all.slice(10, 20))
    expect((await service.get(`/candles/ETH-USDT?start=${Date.parse(start)}&limit=5`)).body).toEqual(all.slice(10, 15))
    expect((await service.get(`/candles/ETH-USDT?end=${end}&limit=5`)).body).toEqual(all.slice(15, 20))
    expect((await service.get(`/candles/ETH-USDT?start=${end}&end=${start}`)).body).toEqual([])
    expect((await service.get('/candles/ETH-USDT?end=0')).body).toEqual([])
  })

  test('a start before all that is kept gives the first ones kept', async () => {
    const all = (await service.get('/candles/ETH-USDT?limit=1500')).body as Candle[]
    expect((await service.get('/candles/ETH-USDT?start=0&limit=3')).body).toEqual(all.slice(0, 3))
    expect((await service.get(`/candles/ETH-USDT?start=1970-01-01&end=${all[2]!.start}`)).body).toEqual(all.slice(0, 2))
    const hours = (await service.get('/candles/ETH-USDT?interval=1h&start=0&limit=2')).body as Candle[]
    expect(hours.map(({ start }) => Date.parse(start) % (60 * minuteMs))).toEqual([0, 0])
    expect(Date.parse(hours[1]!.start) - Date.parse(hours[0]!.start)).toBe(60 * minuteMs)
  })
})

describe('the rest', () => {
  test('trades newest first, with sizes and sides', async () => {
    const items = await until(async () => {
      const list = ((await service.get('/trades/BTC-USDT?limit=20')).body as { items: MarketTrade[] }).items
      return list.length > 1 ? list : undefined
    })
    expect(Number(items[0]!.quantity)).toBeGreaterThan(0)
    expect([...items].sort((a, b) => (a.id < b.id ? 1 : -1))).toEqual(items)
  })

  test('the book is the best bid and ask without sizes', async () => {
    const { body } = await service.get('/book/DOT-USDT')
    expect(body).toMatchObject({ bids: [{ quantity: null }], asks: [{ quantity: null }] })
  })

  test('symbols and sources; the synthetic market says that it is one', async () => {
    expect((await service.get('/symbols')).body).toMatchObject({
      items: [{ symbol: 'BTC/USDT', tick_size: '0.01', has_price: true }, {}, {}, {}],
    })
    const sources = (await service.get('/sources')).body as Sources
    expect(sources).toMatchObject({ mode: 'synthetic', synthetic: { seed: 7 }, sources: [{ name: 'synthetic', state: 'live' }] })
  })
})

test('the topic carries price.updated, ids growing, at most one record a second', async () => {
  await using log = await openPostgresEventLog({ connectionString: database.urls.notification, applicationName: 'reader' })
  const records = await until(async () => {
    const found = await log.read('market-data', 0, { recordsMax: 10, bytesMax: 1_000_000 })
    return found.length >= 3 ? found : undefined
  })
  const events = records.flatMap((record) => JSON.parse(Buffer.from(record.body).toString('utf8')) as MarketDataEvent[])
  expect(new Set(events.map((event) => event.data.symbol)).size).toBe(4)
  expect(events[0]).toMatchObject({ type: 'price.updated', v: 1, data: { sources: ['synthetic'] } })
  const ids = events.map((event) => event.id)
  expect([...new Set(ids)].sort()).toEqual(ids)
  for (const record of records) {
    const symbols = (JSON.parse(Buffer.from(record.body).toString('utf8')) as MarketDataEvent[]).map((event) => event.data.symbol)
    expect(new Set(symbols).size).toBe(symbols.length)
  }
})

test('nothing failed on the way', () => {
  expect(service.failures).toEqual([])
})
