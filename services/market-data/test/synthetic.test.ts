import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { bucketStart, minuteMs } from '@maru/domain/candles'
import { markets } from '../market/symbols.ts'
import { candleFileFigures, simulatedReturns, takerQuantileSteps, tradeFileFigures } from '../synthetic/fit.ts'
import { notionalAt, SyntheticMarket } from '../synthetic/market.ts'
import { marketParameters, takerNotional } from '../synthetic/parameters.ts'
import { mix, RandomStream } from '../synthetic/random.ts'
import { createSyntheticSource } from '../synthetic/source.ts'
import { returnFigures, type ReturnFigures } from '../synthetic/statistics.ts'

const testData = process.env['MARU_TEST_DATA']
const simulatedMinutes = 120_000

/** Figures of the recorded files, as fit.ts printed them (synthetic/parameters.ts says whence): std, medianRatio, tail99, |r| correlation at 1, 15 and 60 minutes. */
const recordedFigures: Record<string, [number, number, number, number, number, number]> = {
  'BTC/USDT': [0.000682, 0.387, 3.54, 0.378, 0.247, 0.18],
  'ETH/USDT': [0.000734, 0.394, 3.43, 0.357, 0.194, 0.137],
  'ADA/USDT': [0.000978, 0.508, 3.39, 0.29, 0.184, 0.127],
  'DOT/USDT': [0.000772, 0.43, 3.3, 0.279, 0.159, 0.098],
}

/** The bands within which the synthetic figures must be: std and tails within 15 %, the body within 15 %, correlations within 0.08. */
function expectNear(ours: ReturnFigures, theirs: ReturnFigures): void {
  const ratio = (a: number, b: number) => Math.abs(Math.log(a / b))
  expect(ratio(ours.std, theirs.std)).toBeLessThan(0.15)
  expect(ratio(ours.medianRatio, theirs.medianRatio)).toBeLessThan(0.15)
  expect(ratio(ours.tail99, theirs.tail99)).toBeLessThan(0.15)
  for (const [index, value] of ours.absoluteAutocorrelation.entries())
    expect(Math.abs(value - theirs.absoluteAutocorrelation[index]!)).toBeLessThan(0.08)
  // Fat tails: a normal distribution has 3; single shocks decide the fourth moment of a file, so it is held loosely.
  expect(ours.kurtosis).toBeGreaterThan(6)
  expect(ours.kurtosis).toBeLessThan(3 * theirs.kurtosis)
}

describe.each(marketParameters.map((parameters, index) => ({ ...parameters, index })))('$symbol', ({ symbol, returns, index }) => {
  // Another seed than the fit used: the figures belong to the model, not to one path.
  const ours = returnFigures(simulatedReturns(returns, mix(99, index), simulatedMinutes))

  test('its returns have the fitted figures', () => {
    const [std, medianRatio, tail99, one, fifteen, sixty] = recordedFigures[symbol]!
    expect(Math.abs(Math.log(ours.std / std))).toBeLessThan(0.15)
    expect(Math.abs(Math.log(ours.medianRatio / medianRatio))).toBeLessThan(0.15)
    expect(Math.abs(Math.log(ours.tail99 / tail99))).toBeLessThan(0.15)
    for (const [value, wanted] of [
      [ours.absoluteAutocorrelation[0]!, one],
      [ours.absoluteAutocorrelation[2]!, fifteen],
      [ours.absoluteAutocorrelation[3]!, sixty],
    ] as const)
      expect(Math.abs(value - wanted)).toBeLessThan(0.08)
    expect(ours.kurtosis).toBeGreaterThan(6)
  })

  test.skipIf(testData === undefined)('and those of the recorded file (skipped without MARU_TEST_DATA)', async () => {
    const file = path.join(testData!, 'data', 'candles', `${symbol.replace('/', '')}-1m.csv.gz`)
    expectNear(ours, (await candleFileFigures(file)).returns)
  })
})

describe('taker orders', () => {
  const random = new RandomStream(3)
  const sizes = Array.from({ length: 50_000 }, () => notionalAt(random.uniform())).sort((a, b) => a - b)
  const at = (p: number) => sizes[Math.floor(p * sizes.length)]!

  test('have the fitted sizes', () => {
    for (const p of [0.05, 0.3, 0.5, 0.8, 0.95, 0.99]) {
      const fitted = takerNotional.quantiles[(takerNotional.steps as readonly number[]).indexOf(p)]!
      expect(Math.abs(Math.log(at(p) / fitted))).toBeLessThan(0.1)
    }
    const mean = sizes.reduce((sum, value) => sum + value, 0) / sizes.length
    expect(Math.abs(Math.log(mean / takerNotional.mean))).toBeLessThan(0.25)
  })

  test.skipIf(testData === undefined)('and those of the recorded trades (skipped without MARU_TEST_DATA)', async () => {
    const theirs = await tradeFileFigures(path.join(testData!, 'data', 'trades', 'BTCUSDT-trades.csv.gz'))
    for (const p of [0.05, 0.3, 0.5, 0.8, 0.95, 0.99])
      expect(Math.abs(Math.log(at(p) / theirs.notionalQuantiles[takerQuantileSteps.indexOf(p as 0.5)]!))).toBeLessThan(0.1)
    // The rate follows the volume of the minute: at the recorded minutes' mean volume it is near the recorded rate.
    expect(marketParameters[0]!.notionalPerMinute / takerNotional.mean / 60 / theirs.ordersPerSecond).toBeGreaterThan(0.7)
  })
})

describe('a synthetic market is a function of seed and time', () => {
  const startMs = Date.UTC(2026, 0, 5, 12, 0)
  const make = (seed: number) => new SyntheticMarket(seed, 0, markets[0]!, marketParameters[0]!)

  test('the same minute again, whatever was asked before', () => {
    const one = make(5)
    const other = make(5)
    for (let index = 0; index < 5; index++) other.minute(startMs - index * 1_000_000)
    expect(other.minute(startMs)).toEqual(one.minute(startMs))
    expect(make(6).minute(startMs)).not.toEqual(one.minute(startMs))
  })

  test('minutes follow each other without a jump, over midnight too', () => {
    const market = make(5)
    for (let minute = -3; minute < 3; minute++) {
      const at = Date.UTC(2026, 0, 6) + minute * minuteMs
      const close = market.minute(at).at(-1)!.price
      const open = market.minute(at + minuteMs)[0]!.price
      expect(Math.abs(Math.log(open / close))).toBeLessThan(0.002)
    }
  })

  test('the price stays around its base for years', () => {
    for (const [index, parameters] of marketParameters.entries()) {
      const market = new SyntheticMarket(11, index, markets[index]!, parameters)
      for (let day = 0; day < 700; day += 7) expect(Math.abs(market.logClose((20_000 + day) * 1_440))).toBeLessThan(0.6)
    }
  })

  test('a run gives the ticks of the current minute from its start, and the candle of history is made of them', async () => {
    const source = createSyntheticSource(5, 'test')
    const fromMs = bucketStart(Date.now(), minuteMs) - minuteMs
    const stop = new AbortController()
    const prices: number[] = []
    await source.run(
      fromMs,
      (ticks) => {
        for (const tick of ticks) if (tick.symbol === 'BTC/USDT' && tick.timeMs < fromMs + minuteMs) prices.push(tick.price)
        stop.abort()
      },
      stop.signal,
    )
    for await (const chunk of source.history(fromMs, fromMs + minuteMs, new AbortController().signal)) {
      for (const { symbol, candle } of chunk) {
        if (symbol === 'BTC/USDT')
          expect([candle.open, candle.high, candle.low, candle.close]).toEqual([
            prices[0],
            Math.max(...prices),
            Math.min(...prices),
            prices.at(-1),
          ])
      }
    }
    expect(prices.length).toBeGreaterThan(59)
  })
})
