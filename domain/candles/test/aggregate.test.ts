import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { aggregateCandles, bucketStart, CandleAggregator, DayWindow, intervalsMs, minuteMs, type Candle } from '../index.ts'

const testData = process.env['MARU_TEST_DATA']

function units(text: string): number {
  return Math.round(Number(text) * 1e8)
}

/** Rows of a recorded candle file. */
function recorded(name: string): Candle[] {
  const text = gunzipSync(readFileSync(path.join(testData!, 'data', 'candles', `${name}.csv.gz`))).toString('utf8')
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [start, open, high, low, close, volume] = line.split(',') as [string, string, string, string, string, string]
      return {
        startMs: Number(start),
        open: units(open),
        high: units(high),
        low: units(low),
        close: units(close),
        volume: BigInt(units(volume)),
        trades: null,
      }
    })
}

describe('the coarser candles of the exchange equal the aggregated 1-minute ones', () => {
  test.skipIf(testData === undefined).each([
    ['5m', 13_217],
    ['15m', 2_879],
    ['1h', 719],
  ] as const)('%s (recorded data; skipped without MARU_TEST_DATA)', (interval, count) => {
    const theirs = recorded(`BTCUSDT-${interval}`)
    const fine = recorded('BTCUSDT-1m')
    const first = fine[0]!.startMs
    const last = fine.at(-1)!.startMs
    const ours = new Map(aggregateCandles(fine, intervalsMs[interval]).map((candle) => [candle.startMs, candle]))
    let compared = 0
    for (const candle of theirs) {
      // A bucket that the 1-minute file cuts off at its ends cannot be compared.
      if (candle.startMs < first || candle.startMs + intervalsMs[interval] > last + minuteMs) continue
      expect(ours.get(candle.startMs)).toEqual(candle)
      compared++
    }
    expect(theirs).toHaveLength(count)
    expect(compared).toBeGreaterThan(count - 3)
  })
})

const series = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 1, max: 90 }),
      low: fc.integer({ min: 1, max: 1_000 }),
      spread: fc.integer({ min: 0, max: 50 }),
      volume: fc.nat(1_000_000),
    }),
    {
      minLength: 1,
      maxLength: 200,
    },
  )
  .map((rows) => {
    let startMs = 1_700_000_040_000
    return rows.map(({ gap, low, spread, volume }): Candle => {
      startMs += gap * minuteMs
      return { startMs, open: low, high: low + spread, low, close: low + spread, volume: BigInt(volume), trades: 1 }
    })
  })
const intervals = fc.constantFrom(...Object.values(intervalsMs))

describe('properties of aggregation', () => {
  test('volume and trades are conserved, highs and lows kept, order strict, buckets aligned', () => {
    fc.assert(
      fc.property(series, intervals, (candles, intervalMs) => {
        const coarse = aggregateCandles(candles, intervalMs)
        const sum = (list: readonly Candle[]) => list.reduce((total, candle) => total + candle.volume, 0n)
        expect(sum(coarse)).toBe(sum(candles))
        expect(coarse.reduce((total, candle) => total + candle.trades!, 0)).toBe(candles.length)
        expect(Math.max(...coarse.map((candle) => candle.high))).toBe(Math.max(...candles.map((candle) => candle.high)))
        expect(Math.min(...coarse.map((candle) => candle.low))).toBe(Math.min(...candles.map((candle) => candle.low)))
        expect(coarse[0]!.open).toBe(candles[0]!.open)
        expect(coarse.at(-1)!.close).toBe(candles.at(-1)!.close)
        for (const [index, candle] of coarse.entries()) {
          expect(candle.startMs % intervalMs).toBe(0)
          if (index > 0) expect(candle.startMs).toBeGreaterThan(coarse[index - 1]!.startMs)
        }
      }),
    )
  })

  test('aggregating in two steps is aggregating at once', () => {
    fc.assert(
      fc.property(series, (candles) => {
        expect(aggregateCandles(aggregateCandles(candles, intervalsMs['5m']), intervalsMs['1h'])).toEqual(
          aggregateCandles(candles, intervalsMs['1h']),
        )
      }),
    )
  })

  test('a candle out of order is refused', () => {
    const aggregator = new CandleAggregator(intervalsMs['5m'])
    const candle = { open: 1, high: 1, low: 1, close: 1, volume: 0n, trades: 0 }
    aggregator.add({ ...candle, startMs: 10 * minuteMs })
    expect(() => aggregator.add({ ...candle, startMs: 4 * minuteMs })).toThrow(RangeError)
  })
})

describe('the 24-hour window', () => {
  test('its figures equal a slow count over the candles of the last 24 hours, whatever the order of arrival', () => {
    fc.assert(
      fc.property(series, fc.integer({ min: 0, max: 5 }), (candles, swap) => {
        const window = new DayWindow()
        const order = [...candles]
        const moved = order.splice(Math.min(swap, order.length - 1), 1)
        for (const candle of [...order, ...moved]) window.put(candle)
        const nowMs = candles.at(-1)!.startMs + 30_000
        const fromMs = bucketStart(nowMs, minuteMs) - intervalsMs['1d'] + minuteMs
        const within = candles.filter((candle) => candle.startMs >= fromMs)
        expect(window.figures(nowMs)).toEqual({
          open: within[0]!.open,
          high: Math.max(...within.map((candle) => candle.high)),
          low: Math.min(...within.map((candle) => candle.low)),
          volume: within.reduce((total, candle) => total + candle.volume, 0n),
        })
      }),
    )
  })
})
