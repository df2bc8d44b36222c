import fc from 'fast-check'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { createLogger } from '@maru/service-host'
import { minuteMs } from '@maru/domain/candles'
import { median } from '../live/median.ts'
import { openLiveSource, type LivePace, type LiveSource } from '../live/source.ts'
import { chooseSource } from '../open-source.ts'
import type { SymbolCandle, Tick } from '../source.ts'
import { until } from './support/instance.ts'
import { standInBinance, standInKraken } from './support/stand-in-exchange.ts'

const testData = process.env['MARU_TEST_DATA']
const logger = createLogger({ service: 'market-data', instanceId: 'test', level: 'silent' })
const pace: LivePace = { pollMs: 20, tradesPollMs: 20, retryMs: 20, retryMaxMs: 50, freshMs: 400 }

/** Runs a source for as long as the scope lasts. */
function running(source: LiveSource): AsyncDisposable & { latest(symbol: string): Tick | undefined; ticks: Tick[] } {
  const stop = new AbortController()
  const ticks: Tick[] = []
  const done = source.run(Date.now(), (more) => ticks.push(...more), stop.signal)
  return {
    ticks,
    latest: (symbol) => ticks.findLast((tick) => tick.symbol === symbol && tick.outside !== true),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await done
    },
  }
}

const stateOf = (source: LiveSource, name: string) => source.describe(Date.now()).sources.find((entry) => entry.name === name)!

describe('the median', () => {
  test('is the middle one, or between the middle two', () => {
    expect(median([3])).toBe(3)
    expect(median([9, 1, 5])).toBe(5)
    expect(median([4, 1, 9, 6])).toBe(5)
  })

  test('one absurd value among three never gets through', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 1, max: 1e15 }), (a, b, wild) => {
        expect(median([a, wild, b])).toBeGreaterThanOrEqual(Math.min(a, b))
        expect(median([a, wild, b])).toBeLessThanOrEqual(Math.max(a, b))
      }),
    )
  })
})

describe('two exchanges through their own REST', () => {
  test('the price is the median, in whole ticks, and names both; bid and ask lie around it', async () => {
    await using binance = await standInBinance()
    await using kraken = await standInKraken()
    kraken.prices['BTC/USDT'] = 28_000.035
    const source = await openLiveSource([binance.setting, kraken.setting], logger, pace)
    expect(await source.probe(2_500)).toBe(true)
    await using run = running(source)
    const tick = await until(() => run.ticks.findLast((entry) => entry.symbol === 'BTC/USDT' && entry.sources.length === 2))
    expect(tick.price).toBe(2_800_002_000_000)
    expect(tick.price % 1_000_000).toBe(0)
    expect(tick.sources).toEqual(['binance', 'kraken'])
    expect(tick.bid).toBeLessThan(tick.price)
    expect(tick.ask).toBeGreaterThan(tick.price)
    await until(() => (['ETH/USDT', 'ADA/USDT', 'DOT/USDT'].every((symbol) => run.latest(symbol) !== undefined) ? true : undefined))
  })

  test.each(['failing', 'hanging', 'garbage', 'absurd'] as const)(
    'one that is %s drops out, the other goes on; healed, it is back',
    async (mood) => {
      await using binance = await standInBinance()
      await using kraken = await standInKraken()
      const source = await openLiveSource([binance.setting, kraken.setting], logger, pace)
      await using run = running(source)
      await until(() => (run.latest('BTC/USDT')?.sources.length === 2 ? true : undefined))
      binance.mood = mood
      await until(() => (run.latest('BTC/USDT')?.sources.join() === 'kraken' ? true : undefined))
      await until(() => (stateOf(source, 'binance').state === 'down' ? true : undefined))
      expect(stateOf(source, 'binance').last_error).toBeTruthy()
      expect(stateOf(source, 'kraken')).toMatchObject({ state: 'live', last_error: null })
      binance.mood = 'well'
      await until(() => (run.latest('BTC/USDT')?.sources.join() === 'binance,kraken' ? true : undefined))
      expect(stateOf(source, 'binance').state).toBe('live')
    },
  )

  test('when the last one dies no price is invented', async () => {
    await using binance = await standInBinance()
    const source = await openLiveSource([binance.setting], logger, pace)
    await using run = running(source)
    await until(() => run.latest('BTC/USDT'))
    binance.mood = 'failing'
    await until(() => (stateOf(source, 'binance').state === 'down' ? true : undefined))
    const { length } = run.ticks
    const asked = binance.requests
    await until(() => (binance.requests > asked + 5 ? true : undefined))
    expect(run.ticks).toHaveLength(length)
  })

  test('trades of the first exchange come once each, and are beside the price', async () => {
    await using binance = await standInBinance()
    const soon = Date.now() + 60_000
    binance.trades['BTC/USDT'] = [
      { id: 1, price: '27000', quantity: '9', timeMs: soon - 120_000, sell: false },
      { id: 2, price: '28001', quantity: '0.5', timeMs: soon, sell: true },
    ]
    const source = await openLiveSource([binance.setting], logger, pace)
    await using run = running(source)
    const trades = () => run.ticks.filter((tick) => tick.outside === true)
    await until(() => (trades().length > 0 ? true : undefined))
    binance.trades['BTC/USDT']!.push({ id: 3, price: '28002', quantity: '0.25', timeMs: soon + 5, sell: false })
    await until(() => (trades().length > 1 ? true : undefined))
    // What was traded before the run is history, and belongs to it.
    expect(trades().map((tick) => [tick.price / 1e8, tick.quantity / 1e8, tick.side, tick.sources.join()])).toEqual([
      [28_001, 0.5, 'SELL', 'binance'],
      [28_002, 0.25, 'BUY', 'binance'],
    ])
  })

  test.skipIf(testData === undefined)(
    'history is read page by page and equals the recorded candles (skipped without MARU_TEST_DATA)',
    async () => {
      await using binance = await standInBinance()
      const text = gunzipSync(readFileSync(path.join(testData!, 'data', 'candles', 'BTCUSDT-1m.csv.gz'))).toString('utf8')
      const rows = text
        .split('\n')
        .slice(1, 2_501)
        .map((line) => line.split(',').map(Number) as [number, number, number, number, number, number])
      binance.candles['BTC/USDT'] = rows
      const source = await openLiveSource([binance.setting], logger, pace)
      const found: SymbolCandle[] = []
      for await (const chunk of source.history(rows[0]![0], rows.at(-1)![0] + minuteMs, new AbortController().signal)) found.push(...chunk)
      expect(
        found.map(({ candle }) => [
          candle.startMs,
          candle.open / 1e8,
          candle.high / 1e8,
          candle.low / 1e8,
          candle.close / 1e8,
          Number(candle.volume) / 1e8,
        ]),
      ).toEqual(rows)
    },
  )
})

describe('the choice of a source', () => {
  /** A port at which nobody listens. */
  async function closedPort(): Promise<number> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    return port
  }
  const nowhere = async () => ({
    name: 'binance',
    overrides: { urls: { api: { public: `http://127.0.0.1:${await closedPort()}/api/v3` } } },
  })

  test('no exchange answers: a synthetic market, with the reason', async () => {
    const chosen = await chooseSource({ kind: 'live', exchanges: [await nowhere()], fallback: true }, logger)
    expect(chosen).toMatchObject({ kind: 'synthetic', reason: expect.stringMatching(/binance: .*ECONNREFUSED/) as string })
  })

  test.each(['hanging', 'garbage', 'failing'] as const)('all are %s: the same', async (mood) => {
    await using binance = await standInBinance()
    binance.mood = mood
    expect(await chooseSource({ kind: 'live', exchanges: [binance.setting], fallback: true }, logger)).toMatchObject({ kind: 'synthetic' })
  })

  test('one answers: live', async () => {
    await using binance = await standInBinance()
    expect(await chooseSource({ kind: 'live', exchanges: [await nowhere(), binance.setting], fallback: true }, logger)).toMatchObject({
      kind: 'live',
    })
  })

  test('exchanges named in the setting are never replaced by an invented market', async () => {
    expect(await chooseSource({ kind: 'live', exchanges: [await nowhere()], fallback: false }, logger)).toMatchObject({ kind: 'live' })
  })
})
