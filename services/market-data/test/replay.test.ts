import fc from 'fast-check'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { bucketStart, candleOf, joinCandles, minuteMs, type Candle } from '@maru/domain/candles'
import { readRecorded, type RecordedRow } from '../replay/csv-file.ts'
import { pricePath } from '../replay/path.ts'
import { openRecording } from '../replay/recording.ts'
import { createReplaySource } from '../replay/source.ts'
import { positionAt, wallTime } from '../replay/timeline.ts'
import type { MarketSource, SymbolCandle, Tick } from '../source.ts'
import { candleFile, makeRecording, recordedStartMs } from './support/recording.ts'

const testData = process.env['MARU_TEST_DATA']
const never = new AbortController().signal

async function collect(source: MarketSource, fromMs: number, toMs: number): Promise<SymbolCandle[]> {
  const result: SymbolCandle[] = []
  for await (const chunk of source.history(fromMs, toMs, never)) result.push(...chunk)
  return result
}

/** Ticks of a run from `fromMs` until `enough`. */
async function runUntil(source: MarketSource, fromMs: number, enough: (ticks: readonly Tick[]) => boolean): Promise<Tick[]> {
  const stop = new AbortController()
  const ticks: Tick[] = []
  await source.run(
    fromMs,
    (more) => {
      ticks.push(...more)
      if (enough(ticks)) stop.abort()
    },
    stop.signal,
  )
  return ticks
}

function candlesOf(ticks: readonly Tick[]): Candle[] {
  const candles: Candle[] = []
  for (const tick of ticks) {
    const part = candleOf(bucketStart(tick.timeMs, minuteMs), tick.price, BigInt(tick.quantity), null)
    const open = candles.at(-1)
    if (open?.startMs === part.startMs) candles[candles.length - 1] = joinCandles(open, part)
    else candles.push(part)
  }
  return candles
}

const day = 1_440

describe('the way of the price through a candle', () => {
  test('in any number of steps makes the row again: open, high, low, close and volume, in whole ticks and lots', () => {
    const row = fc
      .tuple(fc.integer({ min: 100, max: 10_000 }), fc.nat(500), fc.nat(500), fc.nat(500), fc.nat(10_000_000))
      .map(([low, a, b, c, lots]) => {
        const [open, close, high] = [low + a, low + b, low + Math.max(a, b) + c]
        return {
          kind: 'candle' as const,
          timeMs: 0,
          open: open * 1e6,
          high: high * 1e6,
          low: low * 1e6,
          close: close * 1e6,
          volume: lots * 1_000,
        }
      })
    fc.assert(
      fc.property(row, fc.integer({ min: 4, max: 60 }), (candle, points) => {
        const steps = pricePath(candle, points, 1e6, 1_000)
        const prices = steps.map((step) => step.price)
        expect(steps).toHaveLength(points)
        expect([prices[0], Math.max(...prices), Math.min(...prices), prices.at(-1)]).toEqual([
          candle.open,
          candle.high,
          candle.low,
          candle.close,
        ])
        expect(steps.reduce((sum, step) => sum + step.quantity, 0)).toBe(candle.volume)
        for (const step of steps) {
          expect(step.price % 1e6).toBe(0)
          expect(step.quantity % 1_000).toBe(0)
          expect(step.quantity).toBeGreaterThanOrEqual(0)
        }
      }),
    )
  })
})

describe('how file time lies on wall time', () => {
  test('there and back, at any speed and round', () => {
    const timeline = fc.record({ speed: fc.integer({ min: 1, max: 3_600 }), minutes: fc.integer({ min: 1, max: 50_000 }) })
    fc.assert(
      fc.property(timeline, fc.nat(5), fc.nat(1_000_000), ({ speed, minutes }, round, at) => {
        const line = {
          wallStartMs: 1_700_000_040_000,
          fileStartMs: recordedStartMs,
          fileEndMs: recordedStartMs + minutes * minuteMs,
          speed,
        }
        const fileMs = recordedStartMs + (at % minutes) * minuteMs
        const wallMs = wallTime(line, round, fileMs)
        const found = positionAt(line, wallMs + 0.001)
        expect(found.round).toBe(round)
        expect(Math.abs(found.fileMs - fileMs)).toBeLessThan(10)
      }),
    )
  })
})

describe('a small recording', () => {
  const missing = (index: number) => index >= day + 10 && index < day + 14
  const silent = (index: number) => index === day + 3

  test('begins where there are 24 hours before it; its history and its run make the rows, shifted by whole minutes', async () => {
    await using recorded = await makeRecording({ 'candles/BTCUSDT-1m.csv.gz': candleFile(day + 30, { missing, silent }) })
    const recording = await openRecording({ folder: recorded.folder, feed: 'candles', speed: 1, startMs: undefined })
    expect(recording.fileStartMs).toBe(recordedStartMs + day * minuteMs)
    // Begun minutes ago: what should have been shown since then comes at once. Five minutes would be a jump of the clock, and one may pass in here.
    const wallStartMs = bucketStart(Date.now(), minuteMs) - 3 * minuteMs
    await using source = createReplaySource(recording, wallStartMs)
    const shift = wallStartMs - recording.fileStartMs
    const rows: Candle[] = []
    for await (const row of readRecorded(path.join(recorded.folder, 'candles/BTCUSDT-1m.csv.gz'), 'candle', 0)) {
      if (row.kind === 'candle')
        rows.push({
          startMs: row.timeMs + shift,
          open: row.open,
          high: row.high,
          low: row.low,
          close: row.close,
          volume: BigInt(row.volume),
          trades: null,
        })
    }
    const history = await collect(source, wallStartMs - day * minuteMs, wallStartMs + 30 * minuteMs)
    expect(history.map((entry) => entry.candle)).toEqual(rows)
    const ticks = await runUntil(source, wallStartMs, (all) => all.at(-1)!.timeMs >= wallStartMs + 3 * minuteMs)
    expect(candlesOf(ticks).slice(0, 3)).toEqual(rows.slice(day, day + 3))
    expect(ticks.every((tick) => tick.bid <= tick.price && tick.ask >= tick.price && tick.ask > tick.bid)).toBe(true)
    expect(source.describe(wallStartMs + 90_000)).toMatchObject({
      mode: 'replay',
      replay: { shift_ms: shift, loops: 0, file_time_now: new Date(recording.fileStartMs + 90_000).toISOString() },
    })
  })

  test('an outage is a gap: no candle, no tick', async () => {
    await using recorded = await makeRecording({ 'candles/BTCUSDT-1m.csv.gz': candleFile(day + 30, { missing }) })
    const recording = await openRecording({ folder: recorded.folder, feed: 'candles', speed: 1, startMs: undefined })
    const wallStartMs = 1_700_000_040_000
    await using source = createReplaySource(recording, wallStartMs)
    const starts = (await collect(source, wallStartMs, wallStartMs + 20 * minuteMs)).map(
      ({ candle }) => (candle.startMs - wallStartMs) / minuteMs,
    )
    expect(starts).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 18, 19])
  })

  test('at sixty times the speed a wall minute is an hour of the file, and after the end it begins again', async () => {
    await using recorded = await makeRecording({ 'candles/BTCUSDT-1m.csv.gz': candleFile(day + 90) })
    const recording = await openRecording({ folder: recorded.folder, feed: 'candles', speed: 60, startMs: undefined })
    const wallStartMs = bucketStart(Date.now(), minuteMs) - 3 * minuteMs
    await using source = createReplaySource(recording, wallStartMs)
    const history = (await collect(source, wallStartMs, wallStartMs + 3 * minuteMs)).map((entry) => entry.candle)
    const open = (index: number) => (100 + (index % 400)) * 1e8
    // 90 minutes a round: the second wall minute holds the last 30 rows and the first 30 again.
    expect(history.map((candle) => candle.open)).toEqual([open(day), open(day + 60), open(day + 30)])
    expect(history[1]!.close).toBe(open(day + 29) + 1e8)
    const ticks = await runUntil(source, wallStartMs, (all) => all.at(-1)!.timeMs >= wallStartMs + 3 * minuteMs)
    expect(candlesOf(ticks).slice(0, 3)).toEqual(history)
    expect(source.describe(wallStartMs + 2 * minuteMs)).toMatchObject({ replay: { loops: 1 } })
  })

  test('trades come each at its time, with price, size and side', async () => {
    const rows = ['trade_time_ms,event_time_ms,recv_time_ns,trade_id,price,qty,side']
    for (let index = 0; index < 100; index++)
      rows.push(`${recordedStartMs + 500 + index * 1_000},0,0,${index},${100 + index},0.5,${index % 2 === 0 ? 'BUY' : 'SELL'}`)
    await using recorded = await makeRecording({ 'trades/BTCUSDT-trades.csv.gz': `${rows.join('\n')}\n` })
    const recording = await openRecording({ folder: recorded.folder, feed: 'trades', speed: 1, startMs: undefined })
    const wallStartMs = bucketStart(Date.now(), minuteMs) - 2 * minuteMs
    await using source = createReplaySource(recording, wallStartMs)
    const ticks = await runUntil(source, wallStartMs, (all) => all.length >= 100)
    expect(ticks.slice(0, 100).map((tick) => [tick.timeMs - wallStartMs, tick.price / 1e8, tick.quantity / 1e8, tick.side])).toEqual(
      Array.from({ length: 100 }, (_, index) => [500 + index * 1_000, 100 + index, 0.5, index % 2 === 0 ? 'BUY' : 'SELL']),
    )
    expect((await collect(source, wallStartMs, wallStartMs + 2 * minuteMs)).map(({ candle }) => candle.trades)).toEqual([60, 40])
  })
})

describe('what cannot be replayed is said clearly', () => {
  const good = candleFile(10)
  test.each([
    ['a folder that is not there', {}, { folder: 'no-such' }, /no readable folder "candles" \(ENOENT\)/],
    ['no file of a market', { 'candles/XRPUSDT-1m.csv.gz': good }, {}, /no file such as candles\/BTCUSDT-1m/],
    ['a file that is not gzip', { 'candles/BTCUSDT-1m.csv': good, 'candles/readme.txt': '' }, {}, /no file such as/],
    ['other columns', { 'candles/BTCUSDT-1m.csv.gz': 'time,price\n1,2\n' }, {}, /BTCUSDT-1m.*needs the columns timestamp_ms/],
    ['no rows', { 'candles/BTCUSDT-1m.csv.gz': good.split('\n')[0]! }, {}, /no rows/],
    ['a start outside', { 'candles/BTCUSDT-1m.csv.gz': good }, { startMs: 0 }, /start must be from 2023-03-17T00:00:00.000Z/],
    ['no trades', { 'candles/BTCUSDT-1m.csv.gz': good }, { feed: 'trades' as const }, /no readable folder "trades"/],
  ])('%s', async (_what, files, options, message) => {
    await using recorded = await makeRecording(files)
    const open = openRecording({
      feed: 'candles',
      speed: 1,
      startMs: undefined,
      ...options,
      folder: path.join(recorded.folder, 'folder' in options ? options.folder : '.'),
    })
    await expect(open).rejects.toThrow(message)
  })

  test('a damaged row in the middle ends the reading with its line', async () => {
    const lines = candleFile(10).split('\n')
    lines[5] = lines[5]!.replace(/,[^,]+$/, ',NaN')
    await using recorded = await makeRecording({ 'candles/BTCUSDT-1m.csv.gz': lines.join('\n') })
    const rows: RecordedRow[] = []
    const reading = (async () => {
      for await (const row of readRecorded(path.join(recorded.folder, 'candles/BTCUSDT-1m.csv.gz'), 'candle', 0)) rows.push(row)
    })()
    await expect(reading).rejects.toThrow(/line 6 is not a candle/)
    expect(rows).toHaveLength(4)
  })
})

describe('the recorded files (skipped without MARU_TEST_DATA)', () => {
  test.skipIf(testData === undefined)('every row of every market is a candle of the history, shifted; the run makes the same', async () => {
    const folder = path.join(testData!, 'data')
    const recording = await openRecording({ folder, feed: 'candles', speed: 1, startMs: undefined })
    expect(new Date(recording.fileStartMs).toISOString()).toBe('2023-04-02T21:04:00.000Z')
    expect(recording.folderName).toBe('data')
    const wallStartMs = bucketStart(Date.now(), minuteMs) - 3 * minuteMs
    await using source = createReplaySource(recording, wallStartMs)
    const shift = wallStartMs - recording.fileStartMs
    const all = await collect(source, wallStartMs - day * minuteMs, wallStartMs + 3 * minuteMs)
    const ticks = await runUntil(
      source,
      wallStartMs,
      (some) => new Set(some.filter((tick) => tick.timeMs >= wallStartMs + 3 * minuteMs).map((tick) => tick.symbol)).size === 4,
    )
    for (const { definition, file } of recording.markets) {
      const ours = all.filter((entry) => entry.symbol === definition.symbol).map((entry) => entry.candle)
      const theirs: Candle[] = []
      for await (const row of readRecorded(file, 'candle', recording.fileStartMs - day * minuteMs)) {
        if (row.kind !== 'candle' || row.timeMs >= recording.fileStartMs + 3 * minuteMs) break
        theirs.push({
          startMs: row.timeMs + shift,
          open: row.open,
          high: row.high,
          low: row.low,
          close: row.close,
          volume: BigInt(row.volume),
          trades: null,
        })
      }
      expect(theirs.length).toBe(day + 3)
      expect(ours).toEqual(theirs)
      expect(candlesOf(ticks.filter((tick) => tick.symbol === definition.symbol)).slice(0, 3)).toEqual(theirs.slice(day))
    }
  })

  test.skipIf(testData === undefined)('the outage of 24 March and the bars without volume pass', async () => {
    const recording = await openRecording({ folder: path.join(testData!, 'data'), feed: 'candles', speed: 1, startMs: undefined })
    const market = recording.markets[0]!
    const rows: RecordedRow[] = []
    for await (const row of readRecorded(market.file, 'candle', Date.UTC(2023, 2, 24, 11))) {
      if (row.timeMs > Date.UTC(2023, 2, 24, 15)) break
      rows.push(row)
    }
    const gaps = rows
      .slice(1)
      .map((row, index) => (row.timeMs - rows[index]!.timeMs) / minuteMs)
      .filter((minutes) => minutes > 1)
    expect(gaps).toEqual([81])
    expect(rows.filter((row) => row.kind === 'candle' && row.volume === 0).length).toBeGreaterThan(50)
  })

  test.skipIf(testData === undefined)('every recorded trade comes at its time', async () => {
    const recording = await openRecording({ folder: path.join(testData!, 'data'), feed: 'trades', speed: 3_600, startMs: undefined })
    const wallStartMs = bucketStart(Date.now(), minuteMs)
    await using source = createReplaySource(recording, wallStartMs)
    // 12 file minutes pass in a fifth of a second.
    const ticks = await runUntil(source, wallStartMs, (all) => all.length >= 19_904)
    let next = 0
    for await (const row of readRecorded(recording.markets[0]!.file, 'trade', 0)) {
      const tick = ticks[next++]!
      if (row.kind !== 'trade') throw new Error('not a trade')
      expect([tick.price, tick.quantity, tick.side]).toEqual([row.price, row.quantity, row.side])
    }
    expect(next).toBe(19_904)
  })
})
