import { bucketStart, candleOf, DayWindow, joinCandles, minuteMs, type Candle } from '@maru/domain/candles'
import type { Sources } from '@maru/contracts/http/market-data'
import { markets } from '../market/symbols.ts'
import type { TickBatch } from '../store/batch-store.ts'
import type { Tick } from '../source.ts'

/** Trades kept in memory for each market; older ones are forgotten. */
export const recentTradesMax = 1_000

export interface RecentTrade {
  id: string
  tick: Tick
}

export interface SymbolState {
  latest: Tick | undefined
  readonly window: DayWindow
  /** Newest last. */
  trades: RecentTrade[]
}

/** What a batch changed. */
export interface Changes {
  symbols: Set<string>
  trades: Map<string, RecentTrade[]>
}

/**
 * What all instances know of the markets, made from batches alone, so that all know the same: the latest price, the 1-minute candles of
 * 24 hours with the one that is forming, recent trades, and the state of the sources.
 */
export class MarketState {
  readonly bySymbol = new Map<string, SymbolState>()
  feed: string | undefined
  sources: Sources | undefined
  countsTrades = false
  /** True once the leader has completed the stored candles of this feed, as far as its source goes. */
  historyComplete = false
  /** Candles of minutes before this come from the table, not from batches. */
  #candlesFromMs = 0

  constructor() {
    for (const market of markets) this.bySymbol.set(market.symbol, emptySymbol())
  }

  /** Forgets everything that came from another feed. */
  begin(feed: string, candlesFromMs: number): void {
    this.feed = feed
    this.sources = undefined
    this.historyComplete = false
    this.#candlesFromMs = candlesFromMs
    for (const market of markets) this.bySymbol.set(market.symbol, emptySymbol())
  }

  /** Time of the newest tick of any market; 0 where there is none. */
  lastTickMs(): number {
    let last = 0
    for (const { latest } of this.bySymbol.values()) last = Math.max(last, latest?.timeMs ?? 0)
    return last
  }

  /** Batches are missing before those that come next: candles from `lostFromMs` on are forgotten, and those before `candlesFromMs` come from the table. */
  skip(lostFromMs: number, candlesFromMs: number): void {
    this.#candlesFromMs = candlesFromMs
    for (const { window } of this.bySymbol.values()) window.dropFrom(bucketStart(lostFromMs, minuteMs))
  }

  /**
   * Takes a stored candle. One of a minute from `trustedUptoMs` on is left where batches tell the minute, even if they have not yet: what was traded in it
   * would be counted twice.
   */
  restore(symbol: string, candle: Candle, trustedUptoMs: number): void {
    if (candle.startMs >= trustedUptoMs && candle.startMs >= this.#candlesFromMs) return
    this.bySymbol.get(symbol)?.window.put(candle)
  }

  apply(batch: TickBatch): Changes {
    const changes: Changes = { symbols: new Set(), trades: new Map() }
    this.countsTrades = batch.countsTrades
    if (batch.sources !== undefined) this.sources = batch.sources
    if (batch.reloadUptoMs !== undefined || batch.isHistoryComplete) this.historyComplete = true
    if (batch.resetFromMs !== undefined) this.#reset(batch.resetFromMs)
    for (const [index, tick] of batch.ticks.entries()) {
      const state = this.bySymbol.get(tick.symbol)
      if (state === undefined) continue
      if (tick.quantity > 0) {
        const trade = { id: `${String(batch.id).padStart(12, '0')}-${String(index).padStart(4, '0')}`, tick }
        state.trades.push(trade)
        const list = changes.trades.get(tick.symbol)
        if (list) list.push(trade)
        else changes.trades.set(tick.symbol, [trade])
      }
      if (tick.outside !== true && (state.latest === undefined || tick.timeMs >= state.latest.timeMs)) state.latest = tick
      if (bucketStart(tick.timeMs, minuteMs) >= this.#candlesFromMs) this.#addToCandle(state, tick)
      changes.symbols.add(tick.symbol)
    }
    for (const symbol of changes.trades.keys()) {
      const state = this.bySymbol.get(symbol)!
      if (state.trades.length > recentTradesMax) state.trades.splice(0, state.trades.length - recentTradesMax)
    }
    return changes
  }

  #reset(fromMs: number): void {
    this.#candlesFromMs = Math.min(this.#candlesFromMs, fromMs)
    for (const state of this.bySymbol.values()) {
      state.window.dropFrom(fromMs)
      state.trades = state.trades.filter((trade) => trade.tick.timeMs < fromMs)
      // What comes again may be older than what was shown last.
      if (state.latest !== undefined && state.latest.timeMs >= fromMs) state.latest = { ...state.latest, timeMs: fromMs }
    }
  }

  #addToCandle(state: SymbolState, tick: Tick): void {
    const startMs = bucketStart(tick.timeMs, minuteMs)
    const { newest } = state.window
    const volume = BigInt(tick.quantity)
    const trades = this.countsTrades ? (tick.quantity > 0 ? 1 : 0) : null
    const known = newest !== undefined && newest.startMs >= startMs ? state.window.at(startMs) : undefined
    if (tick.outside === true || (newest !== undefined && newest.startMs > startMs)) {
      // A trade beside the reference price, or a late one, adds its volume to a candle that is there and moves no price.
      if (known)
        state.window.put({
          ...known,
          volume: known.volume + volume,
          trades: known.trades === null || trades === null ? null : known.trades + trades,
        })
      return
    }
    const part = candleOf(startMs, tick.price, volume, trades)
    state.window.put(known ? joinCandles(known, part) : part)
  }
}

function emptySymbol(): SymbolState {
  return { latest: undefined, window: new DayWindow(), trades: [] }
}
