import { bucketStart, intervalsMs, minuteMs } from '@maru/domain/candles'
import { markets } from '../market/symbols.ts'
import type { MarketSource } from '../source.ts'
import { storedStarts, upsertCandles, type Queryable } from '../store/candle-store.ts'

export interface BackfillOptions {
  database: Queryable
  source: MarketSource
  /** Time of the last tick that anyone saw of this source; 0 where none is known. */
  seenUptoMs: number
  /** A whole minute: candles that start before it are completed. */
  uptoMs: number
  signal: AbortSignal
}

/**
 * Completes the last 24 hours of stored 1-minute candles from the source. Minutes that are stored stay as they are, but for the time since
 * the last tick that anyone saw: there a candle may have been cut off by a stop. What the source does not have stays a gap.
 */
export async function backfill({ database, source, seenUptoMs, uptoMs: toMs, signal }: BackfillOptions): Promise<void> {
  const fromMs = toMs - intervalsMs['1d']
  const stored = new Map<string, Set<number>>()
  let firstMissingMs = toMs
  for (const { symbol } of markets) {
    const starts = await storedStarts(database, source.feed, symbol, fromMs, toMs)
    // Without a tick to go by, the last stored minutes may have been cut off.
    const cutMs = seenUptoMs > 0 ? bucketStart(seenUptoMs, minuteMs) : Math.max(0, ...starts)
    for (const start of starts) {
      if (start >= cutMs) starts.delete(start)
    }
    stored.set(symbol, starts)
    for (let start = fromMs; start < toMs; start += minuteMs) {
      if (starts.has(start)) continue
      firstMissingMs = Math.min(firstMissingMs, start)
      break
    }
  }
  if (firstMissingMs >= toMs) return
  for await (const chunk of source.history(firstMissingMs, toMs, signal)) {
    if (signal.aborted) return
    await upsertCandles(
      database,
      source.feed,
      chunk.filter(({ symbol, candle }) => !stored.get(symbol)?.has(candle.startMs)),
    )
  }
}
