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
 * Candles of a symbol, oldest first, at most `limit`: with a start the first ones from there, else those of the last `limit` intervals before the
 * end. Made of stored 1-minute candles, with those in memory (the forming one among them) before the stored ones.
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
  if (fromMs >= endMs) return []
  // The end cuts off whole buckets, not minutes out of one.
  const minutesToMs = Math.ceil(endMs / intervalMs) * intervalMs
  const memory = known.window.candles
  const storedToMs = Math.min(minutesToMs, memory[0]?.startMs ?? Number.MAX_SAFE_INTEGER)
  // Without gaps all is found in the first stretch; the second is for what silence, or a start before all that is kept, leaves wanting.
  const stretchMs = Math.min(storedToMs, fromMs + span.limit * intervalMs)
  const aggregator = new CandleAggregator(intervalMs)
  const result: Candle[] = []
  const isFull = (): boolean => result.length === span.limit
  const add = (candle: Candle) => {
    const complete = aggregator.add(candle)
    if (complete && !isFull()) result.push(complete)
  }
  for (const [stretchFromMs, stretchToMs] of [
    [fromMs, stretchMs],
    [stretchMs, storedToMs],
  ] as const) {
    if (isFull() || stretchFromMs >= stretchToMs) continue
    for await (const page of readCandles(database, feed, symbol, stretchFromMs, stretchToMs)) {
      for (const candle of page) add(candle)
      if (isFull()) break
    }
  }
  for (const candle of memory) {
    if (isFull()) break
    if (candle.startMs >= fromMs && candle.startMs < minutesToMs) add(candle)
  }
  if (aggregator.current && !isFull()) result.push(aggregator.current)
  return result
}
