import type { Candle } from '@maru/domain/candles'
import type { Sources } from '@maru/contracts/http/market-data'

/** One observation of a market, in units of 10^-8. */
export interface Tick {
  symbol: string
  /** Milliseconds since 1970 on the wall clock. */
  timeMs: number
  price: number
  bid: number
  ask: number
  /** Above 0: a trade of this size. 0: a quote, or a source that tells no sizes. */
  quantity: number
  /** Side of the taker; of no meaning where `quantity` is 0. */
  side: 'BUY' | 'SELL'
  /** A trade of one exchange where the price is a median of several: it counts for volume and the list of trades, not for the price. */
  outside?: boolean
  /** Names of what the price was made from. */
  sources: readonly string[]
}

/** Takes ticks as they happen: oldest first within a symbol. */
export type TickSink = (ticks: readonly Tick[]) => void

/** A 1-minute candle of a symbol, in `startMs` of the wall clock. */
export interface SymbolCandle {
  symbol: string
  candle: Candle
}

/** Where prices come from: live exchanges, a replay of recorded files, or a synthetic market. One of them runs, at one instance. */
export interface MarketSource extends AsyncDisposable {
  readonly mode: 'live' | 'replay' | 'synthetic'
  /** Names the stored candles, which are never mixed with those of another feed. */
  readonly feed: string
  /**
   * True where the ticks of a span can be made again: `run` then begins with `fromMs`, in the past, and `history` is the truth about
   * any minute. False for the world: what was missed is gone but for what exchanges tell.
   */
  readonly repeatable: boolean
  /** True where ticks tell the trades of each minute; else candles have no number of trades. */
  readonly countsTrades: boolean
  /** Gives ticks from `fromMs` on until `signal` aborts. Faults of single sources stay inside; it throws only when it can give nothing more. */
  run(fromMs: number, sink: TickSink, signal: AbortSignal): Promise<void>
  /** Closed 1-minute candles that start in [`fromMs`, `toMs`), as far as the source has them, in bounded chunks, oldest first by symbol. */
  history(fromMs: number, toMs: number, signal: AbortSignal): AsyncGenerator<SymbolCandle[]>
  /** How the sources are now, as `GET /sources` shows it. */
  describe(nowMs: number): Sources
}

/** A source that finds itself this far from the wall clock (a suspended machine, a set clock) gives up and is begun anew. */
export const clockJumpMs = 5 * 60_000

export class ClockJumpError extends Error {
  override name = 'ClockJumpError'

  constructor(jumpMs: number) {
    super(`the clock jumped by ${jumpMs} ms`)
  }
}
