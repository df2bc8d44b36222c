import type { Candle as CandleView, MarketTrade, Price, ReferenceBook } from '@maru/contracts/http/market-data'
import type { Candle } from '@maru/domain/candles'
import { formatUnits, percentChange } from '../market/units.ts'
import type { MarketState, RecentTrade } from './market-state.ts'

/** A price older than this is marked stale. */
export const freshMs = 5_000

/** The price of a market as the API shows it; undefined where none has been seen. */
export function viewPrice(state: MarketState, symbol: string, nowMs: number): Price | undefined {
  const known = state.bySymbol.get(symbol)
  const latest = known?.latest
  if (known === undefined || latest === undefined) return undefined
  const figures = known.window.figures(nowMs) ?? { open: latest.price, high: latest.price, low: latest.price, volume: 0n }
  const ageMs = Math.max(0, nowMs - latest.timeMs)
  return {
    symbol,
    price: formatUnits(latest.price),
    bid: formatUnits(latest.bid),
    ask: formatUnits(latest.ask),
    volume: formatUnits(figures.volume),
    change_24h: percentChange(figures.open, latest.price),
    high_24h: formatUnits(Math.max(figures.high, latest.price)),
    low_24h: formatUnits(Math.min(figures.low, latest.price)),
    timestamp: new Date(latest.timeMs).toISOString(),
    sources: [...latest.sources],
    age_ms: ageMs,
    stale: ageMs > freshMs,
  }
}

export function viewBook(state: MarketState, symbol: string): ReferenceBook | undefined {
  const latest = state.bySymbol.get(symbol)?.latest
  if (latest === undefined) return undefined
  return {
    symbol,
    bids: [{ price: formatUnits(latest.bid), quantity: null }],
    asks: [{ price: formatUnits(latest.ask), quantity: null }],
    timestamp: new Date(latest.timeMs).toISOString(),
    sources: [...latest.sources],
  }
}

export function viewCandle(candle: Candle): CandleView {
  return {
    start: new Date(candle.startMs).toISOString(),
    open: formatUnits(candle.open),
    high: formatUnits(candle.high),
    low: formatUnits(candle.low),
    close: formatUnits(candle.close),
    volume: formatUnits(candle.volume),
    trades: candle.trades,
  }
}

export function viewTrade({ id, tick }: RecentTrade): MarketTrade {
  return {
    id,
    symbol: tick.symbol,
    price: formatUnits(tick.price),
    quantity: formatUnits(tick.quantity),
    side: tick.side,
    timestamp: new Date(tick.timeMs).toISOString(),
  }
}
