import { bucketStart, CandleAggregator, intervalsMs, type Candle, type Interval } from '@maru/domain/candles'
import type { MarketState } from '../real-time/market-state.ts'
import { readCandles, type Queryable } from '../store/candle-store.ts'

export interface CandleSpan {
  interval: Interval
  startMs: number | undefined
  endMs: number | undefined
  limit: number
}

/**
 * Candles of a symbol, oldest first, at most `limit`: with a start the first ones from there, else the last ones before the end. Made of
 * stored 1-minute candles, with those in memory (the forming one among them) before the stored ones.
 */
export async function queryCandles(
  database: Queryable,
  state: MarketState,
  symbol: string,
  span: CandleSpan,
  nowMs: number,
  retentionMs: number,
): Promise<Candle[]> {
  const feed = state.feed
  const known = state.bySymbol.get(symbol)
  if (feed === undefined || known === undefined) return []
  const intervalMs = intervalsMs[span.interval]
  const endMs = Math.min(span.endMs ?? Number.MAX_SAFE_INTEGER, nowMs + 1)
  const oldestMs = nowMs - retentionMs
  const wantedMs = span.startMs ?? bucketStart(endMs - 1, intervalMs) - (span.limit - 1) * intervalMs
  // A candle belongs to the span by its own start, so the first bucket begins on a multiple of the interval.
  const fromMs = Math.ceil(Math.max(wantedMs, oldestMs, 0) / intervalMs) * intervalMs
  const toMs = span.startMs === undefined ? endMs : Math.min(endMs, fromMs + span.limit * intervalMs)
  if (fromMs >= toMs) return []
  // The end cuts off whole buckets, not minutes out of one.
  const minutesToMs = Math.ceil(toMs / intervalMs) * intervalMs
  const memory = known.window.candles
  const memoryFromMs = memory[0]?.startMs ?? Number.MAX_SAFE_INTEGER
  const aggregator = new CandleAggregator(intervalMs)
  const result: Candle[] = []
  const add = (candle: Candle) => {
    const complete = aggregator.add(candle)
    if (complete) result.push(complete)
  }
  if (fromMs < memoryFromMs) {
    for await (const page of readCandles(database, feed, symbol, fromMs, Math.min(minutesToMs, memoryFromMs)))
      for (const candle of page) add(candle)
  }
  for (const candle of memory) {
    if (candle.startMs >= fromMs && candle.startMs < minutesToMs) add(candle)
  }
  if (aggregator.current) result.push(aggregator.current)
  return result
}
