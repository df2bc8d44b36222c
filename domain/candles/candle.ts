/**
 * A candle of one market. Prices and volume are whole units of 10^-8 of the quote and the base asset; a price is a safe
 * integer, a volume a bigint because a day of a cheap asset passes 2^53.
 */
export interface Candle {
  /** Milliseconds since 1970 UTC; a multiple of the interval. */
  readonly startMs: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: bigint
  /** Number of trades; null where the source does not tell. */
  readonly trades: number | null
}

export const minuteMs = 60_000

/** Length of each interval. All divide a day, so that buckets start at midnight UTC. */
export const intervalsMs = {
  '1m': minuteMs,
  '3m': 3 * minuteMs,
  '5m': 5 * minuteMs,
  '15m': 15 * minuteMs,
  '30m': 30 * minuteMs,
  '1h': 60 * minuteMs,
  '2h': 120 * minuteMs,
  '4h': 240 * minuteMs,
  '6h': 360 * minuteMs,
  '8h': 480 * minuteMs,
  '12h': 720 * minuteMs,
  '1d': 1_440 * minuteMs,
} as const
export type Interval = keyof typeof intervalsMs

/** Start of the bucket that holds `timeMs`. */
export function bucketStart(timeMs: number, intervalMs: number): number {
  return Math.floor(timeMs / intervalMs) * intervalMs
}

/** A candle in which nothing but this price was seen. `quantity` is 0 for a mere quote, which is no trade. */
export function candleOf(startMs: number, price: number, quantity: bigint, trades: number | null): Candle {
  return { startMs, open: price, high: price, low: price, close: price, volume: quantity, trades }
}

/** Joins two candles of the same bucket, `later` following `earlier`. The number of trades is known only where both know theirs. */
export function joinCandles(earlier: Candle, later: Candle): Candle {
  return {
    startMs: earlier.startMs,
    open: earlier.open,
    high: Math.max(earlier.high, later.high),
    low: Math.min(earlier.low, later.low),
    close: later.close,
    volume: earlier.volume + later.volume,
    trades: earlier.trades === null || later.trades === null ? null : earlier.trades + later.trades,
  }
}
