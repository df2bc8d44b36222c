import { candleIntervals, type CandleInterval } from '@maru/contracts/http/market-data'
import { aggregateCandles, bucketStart, intervalsMs } from '@maru/domain/candles'
import { findMarket } from '../market/symbols.ts'
import type { Changes, MarketState } from './market-state.ts'
import { viewBook, viewCandle, viewPrice, viewTrade } from './views.ts'

/** `prices:BTC/USDT`, `book:BTC/USDT`, `trades:BTC/USDT`, `candles:BTC/USDT:1m`. */
export interface Channel {
  readonly name: string
  readonly kind: 'prices' | 'book' | 'trades' | 'candles'
  readonly symbol: string
  readonly interval: CandleInterval
}

/** The channel of this name, or the code and reason of the refusal. */
export function parseChannel(text: unknown): Channel | { code: 'invalid_request' | 'symbol_not_found'; detail: string } {
  if (typeof text !== 'string' || text.length > 64)
    return { code: 'invalid_request', detail: 'A channel is a text such as "prices:BTC/USDT".' }
  const [kind, symbol, interval, ...rest] = text.split(':')
  if ((kind !== 'prices' && kind !== 'book' && kind !== 'trades' && kind !== 'candles') || symbol === undefined || rest.length > 0)
    return { code: 'invalid_request', detail: `There is no channel "${text}"; there are prices, book, trades and candles.` }
  if ((kind === 'candles') !== (interval !== undefined))
    return { code: 'invalid_request', detail: 'Only candles have an interval: "candles:BTC/USDT:1m".' }
  if (interval !== undefined && !(candleIntervals as readonly string[]).includes(interval))
    return { code: 'invalid_request', detail: `There is no interval "${interval}"; there are ${candleIntervals.join(', ')}.` }
  if (findMarket(symbol) === undefined) return { code: 'symbol_not_found', detail: `There is no market ${symbol}.` }
  return { name: text, kind, symbol, interval: (interval ?? '1m') as CandleInterval }
}

const snapshotTrades = 50

/** What a subscriber is shown first; null where nothing is known yet. */
export function snapshotOf(channel: Channel, state: MarketState, nowMs: number): unknown {
  switch (channel.kind) {
    case 'prices':
      return viewPrice(state, channel.symbol, nowMs) ?? null
    case 'book':
      return viewBook(state, channel.symbol) ?? null
    case 'trades':
      return state.bySymbol.get(channel.symbol)!.trades.slice(-snapshotTrades).map(viewTrade)
    case 'candles':
      return currentCandle(channel, state)
  }
}

/** What a change says on this channel, or undefined where it says nothing. */
export function deltaOf(channel: Channel, changes: Changes, state: MarketState, nowMs: number): unknown {
  if (channel.kind === 'trades') return changes.trades.get(channel.symbol)?.map(viewTrade)
  if (!changes.symbols.has(channel.symbol)) return undefined
  return snapshotOf(channel, state, nowMs) ?? undefined
}

/** The newest candle of the interval, which is still forming; all its minutes are within the 24 hours in memory. */
function currentCandle(channel: Channel, state: MarketState): unknown {
  const { candles } = state.bySymbol.get(channel.symbol)!.window
  const newest = candles.at(-1)
  if (newest === undefined) return null
  const intervalMs = intervalsMs[channel.interval]
  const startMs = bucketStart(newest.startMs, intervalMs)
  let first = candles.length - 1
  while (first > 0 && candles[first - 1]!.startMs >= startMs) first--
  return viewCandle(aggregateCandles(candles.slice(first), intervalMs)[0]!)
}
