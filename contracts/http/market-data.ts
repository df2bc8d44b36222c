import type { Static, TSchema } from 'typebox'
import { Type } from '../type.ts'
import { endpoint } from '../endpoint.ts'
import { Cursor, Decimal, Limit, ListOf, PageQuery, Strict, SymbolInPath, SymbolName, Timestamp } from '../schemas.ts'

/** Endpoints of the market-data service: public reads of prices, candles, trades and the state of the sources. */

export const candleIntervals = ['1m', '3m', '5m', '15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d'] as const
export type CandleInterval = (typeof candleIntervals)[number]

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

const SourceNames = Type.Array(Type.String(), {
  description: 'Where the figures come from: names of exchanges, `replay`, or `synthetic` (an invented market).',
})

export const Price = Type.Object({
  symbol: SymbolName,
  price: Decimal,
  bid: Decimal,
  ask: Decimal,
  volume: Type.String({ description: 'Base asset traded within the last 24 hours, a decimal.' }),
  change_24h: Type.String({
    description:
      'Percent, a signed decimal with up to four decimals: price against the open of the oldest 1-minute candle of the last 24 hours. "1.25" is +1.25 %.',
  }),
  high_24h: Decimal,
  low_24h: Decimal,
  timestamp: Timestamp,
  sources: SourceNames,
  age_ms: Type.Integer({ minimum: 0, description: 'Milliseconds since a source last gave or confirmed this price.' }),
  stale: Type.Boolean({ description: 'True when the price is older than 5 seconds; it is shown all the same, with its age.' }),
})
export type Price = Static<typeof Price>

export const Candle = Type.Object({
  start: Timestamp,
  open: Decimal,
  high: Decimal,
  low: Decimal,
  close: Decimal,
  volume: Decimal,
  trades: Nullable(Type.Integer({ minimum: 0, description: 'Number of trades; null where the source does not tell.' })),
})
export type Candle = Static<typeof Candle>

export const MarketTrade = Type.Object({
  id: Type.String(),
  symbol: SymbolName,
  price: Decimal,
  quantity: Decimal,
  side: Type.Union([Type.Literal('BUY'), Type.Literal('SELL')], { description: 'Side of the taker.' }),
  timestamp: Timestamp,
})
export type MarketTrade = Static<typeof MarketTrade>

const BookSide = Type.Array(Type.Object({ price: Decimal, quantity: Type.Null({ description: 'The sources give no size.' }) }), {
  maxItems: 1,
})

export const ReferenceBook = Type.Object({
  symbol: SymbolName,
  bids: BookSide,
  asks: BookSide,
  timestamp: Timestamp,
  sources: SourceNames,
})
export type ReferenceBook = Static<typeof ReferenceBook>

export const MarketSymbol = Type.Object({
  symbol: SymbolName,
  base: Type.String(),
  quote: Type.String(),
  tick_size: Type.String({ description: 'Prices of this service are rounded to it.' }),
  has_price: Type.Boolean(),
})

export const SourceState = Type.Object({
  name: Type.String(),
  state: Type.Union([Type.Literal('connecting'), Type.Literal('live'), Type.Literal('stale'), Type.Literal('down')]),
  symbols: Type.Array(SymbolName, { description: 'What it gives prices for now.' }),
  last_price_at: Nullable(Timestamp),
  last_error: Nullable(Type.String()),
})

export const Sources = Type.Object({
  mode: Type.Union([Type.Literal('live'), Type.Literal('replay'), Type.Literal('synthetic'), Type.Literal('none')], {
    description: '`none` before an instance has chosen a source.',
  }),
  reason: Type.String({ description: 'Why this mode, in a sentence.' }),
  sources: Type.Array(SourceState),
  replay: Type.Optional(
    Type.Object({
      folder: Type.String({ description: 'Name of the folder, without its path.' }),
      feed: Type.Union([Type.Literal('candles'), Type.Literal('trades')]),
      speed: Type.Integer(),
      shift_ms: Type.Integer({
        description: 'Wall time minus file time. Whole minutes at speed 1; at other speeds it holds for the candles before `started_at`.',
      }),
      started_at: Timestamp,
      file_started_at: Timestamp,
      file_time_now: Timestamp,
      loops: Type.Integer({ minimum: 0 }),
    }),
  ),
  synthetic: Type.Optional(Type.Object({ seed: Type.Integer() })),
})
export type Sources = Static<typeof Sources>

const Interval = Type.Union(
  candleIntervals.map((interval) => Type.Literal(interval)),
  { default: '1m' },
)

const Instant = Type.String({
  maxLength: 40,
  pattern: '^([0-9]{1,15}|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2}))?)$',
  description: 'ISO 8601 with its zone (2023-04-02T21:04:00Z), a day (its start in UTC), or milliseconds since 1970.',
})

const SymbolParams = Strict({ symbol: SymbolInPath })

export const marketDataEndpoints = {
  getPrice: endpoint({
    service: 'market-data',
    method: 'GET',
    path: '/prices/:symbol',
    access: 'public',
    summary: 'The price of a market, with its 24-hour figures and its age',
    params: SymbolParams,
    status: 200,
    reply: Price,
    errors: ['symbol_not_found', 'price_unavailable'],
  }),
  getPrices: endpoint({
    service: 'market-data',
    method: 'GET',
    path: '/prices',
    access: 'public',
    summary: 'Prices of several markets, an object by symbol',
    description: 'Without `symbols`: every market that has a price. A symbol that is named but has no price yet answers 503.',
    query: Strict({
      symbols: Type.Optional(Type.String({ minLength: 1, maxLength: 1_000, description: 'Markets, with commas: BTC/USDT,ETH/USDT.' })),
    }),
    status: 200,
    reply: Type.Record(Type.String(), Price),
    errors: ['symbol_not_found', 'price_unavailable'],
  }),
  getCandles: endpoint({
    service: 'market-data',
    method: 'GET',
    path: '/candles/:symbol',
    access: 'public',
    summary: 'Candles, oldest first',
    description:
      'Candles that start at or after `start` and before `end`: the first `limit` from `start` where it is given, else those of the last `limit` intervals before `end` (now). The newest may still be forming. Minutes in which the source was silent have no candle.',
    params: SymbolParams,
    query: Strict({
      interval: Type.Optional(Interval),
      start: Type.Optional(Instant),
      end: Type.Optional(Instant),
      limit: Limit(500, 1_500),
    }),
    status: 200,
    reply: Type.Array(Candle),
    errors: ['symbol_not_found'],
  }),
  getTrades: endpoint({
    service: 'market-data',
    method: 'GET',
    path: '/trades/:symbol',
    access: 'public',
    summary: 'Recent trades of the market, newest first',
    description:
      'Trades of the source, not of this venue. A replay of candles has no recorded trades: there they are the steps by which the volume of each row is spread over its minute.',
    params: SymbolParams,
    query: Strict({ limit: Limit(100, 1_000), cursor: Cursor }),
    status: 200,
    reply: ListOf(MarketTrade),
    errors: ['symbol_not_found'],
  }),
  getBook: endpoint({
    service: 'market-data',
    method: 'GET',
    path: '/book/:symbol',
    access: 'public',
    summary: 'Best bid and ask of the reference price',
    description: 'One level a side, without sizes: what the sources really give. The book of this venue is at the trading service.',
    params: SymbolParams,
    status: 200,
    reply: ReferenceBook,
    errors: ['symbol_not_found', 'price_unavailable'],
  }),
  getSymbols: endpoint({
    service: 'market-data',
    method: 'GET',
    path: '/symbols',
    access: 'public',
    summary: 'The markets',
    query: PageQuery,
    status: 200,
    reply: ListOf(MarketSymbol),
  }),
  getSources: endpoint({
    service: 'market-data',
    method: 'GET',
    path: '/sources',
    access: 'public',
    summary: 'Where prices come from, and how each source is',
    status: 200,
    reply: Sources,
  }),
} as const
