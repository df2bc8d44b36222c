import { bucketStart, joinCandles, type Candle } from './candle.ts'

/**
 * Aggregates candles into coarser ones as they come: oldest first, each starting in the same bucket as the one before or a
 * later one. A bucket without candles gives none. Memory: one candle.
 */
export class CandleAggregator {
  readonly #intervalMs: number
  #open: Candle | undefined

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** Takes the next candle; gives the coarser candle that is complete by it, if any. Throws on a candle out of order. */
  add(candle: Candle): Candle | undefined {
    const startMs = bucketStart(candle.startMs, this.#intervalMs)
    const open = this.#open
    if (open === undefined || startMs > open.startMs) {
      this.#open = { ...candle, startMs }
      return open
    }
    if (startMs < open.startMs) throw new RangeError(`candle ${candle.startMs} comes before bucket ${open.startMs}`)
    this.#open = joinCandles(open, candle)
    return undefined
  }

  /** The candle that is still forming, if any. */
  get current(): Candle | undefined {
    return this.#open
  }
}

/** Coarser candles of `candles` (oldest first); the last may be incomplete. */
export function aggregateCandles(candles: Iterable<Candle>, intervalMs: number): Candle[] {
  const aggregator = new CandleAggregator(intervalMs)
  const result: Candle[] = []
  for (const candle of candles) {
    const complete = aggregator.add(candle)
    if (complete) result.push(complete)
  }
  if (aggregator.current) result.push(aggregator.current)
  return result
}
