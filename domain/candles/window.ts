import { minuteMs, type Candle } from './candle.ts'

export interface WindowFigures {
  open: number
  high: number
  low: number
  volume: bigint
}

const dayMs = 1_440 * minuteMs

/**
 * The last 24 hours of 1-minute candles, oldest first, the newest still forming. At most 1,441 candles; older ones fall out.
 */
export class DayWindow {
  #candles: Candle[] = []
  #closedFigures: { uptoMs: number; fromMs: number; figures: WindowFigures } | undefined

  /** Oldest first. */
  get candles(): readonly Candle[] {
    return this.#candles
  }

  get newest(): Candle | undefined {
    return this.#candles.at(-1)
  }

  /** The candle of the minute that starts at `startMs`, if there is one. */
  at(startMs: number): Candle | undefined {
    const candle = this.#candles[this.#placeOf(startMs)]
    return candle?.startMs === startMs ? candle : undefined
  }

  has(startMs: number): boolean {
    return this.at(startMs) !== undefined
  }

  /** Puts a candle in its place: a new newest one, or in place of the one with the same start, or into a gap. */
  put(candle: Candle): void {
    const newest = this.newest
    if (newest === undefined || candle.startMs > newest.startMs) {
      this.#candles.push(candle)
      this.#trim(candle.startMs)
      return
    }
    if (candle.startMs === newest.startMs) {
      this.#candles[this.#candles.length - 1] = candle
      return
    }
    if (candle.startMs <= newest.startMs - dayMs) return
    this.#closedFigures = undefined
    const at = this.#placeOf(candle.startMs)
    const replaces = this.#candles[at]?.startMs === candle.startMs
    this.#candles.splice(at, replaces ? 1 : 0, candle)
  }

  /** Drops candles that start at `startMs` or later. */
  dropFrom(startMs: number): void {
    this.#closedFigures = undefined
    this.#candles = this.#candles.filter((candle) => candle.startMs < startMs)
  }

  /** Open of the oldest, highest high, lowest low and volume of the candles of the 24 hours before `nowMs`. */
  figures(nowMs: number): WindowFigures | undefined {
    const newest = this.newest
    if (newest === undefined) return undefined
    const fromMs = Math.floor(nowMs / minuteMs) * minuteMs - dayMs + minuteMs
    // The closed candles change once a minute; only the forming one is looked at each time.
    let closed = this.#closedFigures
    if (closed === undefined || closed.uptoMs !== newest.startMs || closed.fromMs !== fromMs) {
      const figures = { open: 0, high: 0, low: Number.MAX_SAFE_INTEGER, volume: 0n }
      for (let index = 0; index < this.#candles.length - 1; index++) {
        const candle = this.#candles[index]!
        if (candle.startMs < fromMs) continue
        if (figures.open === 0) figures.open = candle.open
        if (candle.high > figures.high) figures.high = candle.high
        if (candle.low < figures.low) figures.low = candle.low
        figures.volume += candle.volume
      }
      closed = { uptoMs: newest.startMs, fromMs, figures }
      this.#closedFigures = closed
    }
    const { open, high, low, volume } = closed.figures
    return {
      open: open === 0 ? newest.open : open,
      high: Math.max(high, newest.high),
      low: Math.min(low, newest.low),
      volume: volume + newest.volume,
    }
  }

  /** Index of the first candle that starts at `startMs` or later. */
  #placeOf(startMs: number): number {
    let [low, high] = [0, this.#candles.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#candles[middle]!.startMs < startMs) low = middle + 1
      else high = middle
    }
    return low
  }

  #trim(newestMs: number): void {
    let drop = 0
    while (drop < this.#candles.length && this.#candles[drop]!.startMs < newestMs - dayMs) drop++
    if (drop > 0) this.#candles.splice(0, drop)
  }
}
