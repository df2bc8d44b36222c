import type { Static, TSchema } from 'typebox'
import { Type } from '../type.ts'
import { endpoint } from '../endpoint.ts'
import { Decimal, Strict, Timestamp, UserId } from '../schemas.ts'

/** Endpoints of the analytics service: what the events say about the profit and the equity of an account. All values are in USDT. */

export const equityIntervals = ['1m', '5m', '15m', '30m', '1h', '4h', '1d', '1w'] as const
export type EquityInterval = (typeof equityIntervals)[number]

/** Most points of an equity curve; a finer interval over a longer time is refused. */
export const equityPointsMax = 1_000

const SignedDecimal = Type.String({ description: 'A decimal as a string, signed, for example "-12.50".' })

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

const Instant = Type.String({
  maxLength: 40,
  pattern: '^(\\d{1,15}|\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}:\\d{2}))?)$',
  description: 'ISO 8601 with its zone (2026-01-31T09:30:00Z), a day (its start in UTC), or milliseconds since 1970.',
})

const AsOf = Type.Object(
  {
    time: Timestamp,
    sequence: Type.Integer({ minimum: 0, description: 'Number of the newest event of the account that is counted in.' }),
  },
  { description: 'How far the events are read: everything up to here is counted, nothing after it is promised to be.' },
)

export const EquityPoint = Type.Object({
  time: Timestamp,
  equity: SignedDecimal,
  cash: Type.String({ description: 'The USDT of the account, a signed decimal.' }),
  positions_value: Type.String({ description: 'All other assets at the marks of the time, a signed decimal.' }),
})
export type EquityPoint = Static<typeof EquityPoint>

const figures = {
  total_pnl: Type.String({
    description:
      'What the account earned: its change of equity less deposits, a signed decimal. That is realized_pnl plus the change of unrealized profit between from and to, plus what withdrawals of the base asset carried away unrealised.',
  }),
  realized_pnl: Type.String({ description: 'Of the fills between from and to, after their fees, a signed decimal.' }),
  unrealized_pnl: Type.String({ description: 'At to, a signed decimal.' }),
  fees: Decimal,
  volume: Type.String({ description: 'Price times quantity of all fills, a decimal.' }),
  trades: Type.Integer({ minimum: 0, description: 'Number of fills.' }),
  win_rate: Nullable(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'Share of the fills that reduced a position which did so at a profit after their fee; null without any.',
    }),
  ),
}

export const SymbolPerformance = Type.Object({
  symbol: Type.String(),
  quantity: Type.String({ description: 'Position at to; negative when short.' }),
  ...figures,
})
export type SymbolPerformance = Static<typeof SymbolPerformance>

export const Performance = Type.Object({
  user_id: UserId,
  from: Timestamp,
  to: Timestamp,
  currency: Type.Literal('USDT'),
  symbols: Type.Array(SymbolPerformance, { description: 'By symbol, the most profitable first.' }),
  total: Type.Object(figures),
  start_equity: SignedDecimal,
  end_equity: SignedDecimal,
  net_deposits: Type.String({
    description: 'Grants and deposits less withdrawals between from and to, at the marks of their time. They are not profit.',
  }),
  return: Nullable(
    Type.Number({ description: 'Time-weighted: 0.05 is +5 %, whatever was deposited meanwhile. Null where there was nothing to earn on.' }),
  ),
  max_drawdown: Nullable(Type.Number({ description: 'Deepest fall from a high of the time-weighted curve: -0.1 is 10 % below it.' })),
  sharpe_ratio: Nullable(
    Type.Number({ description: 'Of daily returns (UTC), annualised by 365 days, without a risk-free rate. Null under two days.' }),
  ),
  as_of: AsOf,
})
export type Performance = Static<typeof Performance>

const params = Strict({ user_id: UserId })

export const analyticsEndpoints = {
  equity: endpoint({
    service: 'analytics',
    method: 'GET',
    path: '/equity/:user_id',
    access: 'user',
    keyScope: 'read',
    summary: 'Equity curve of an account',
    description:
      'Equity in USDT at the marks of the time, oldest first: the first point is the opening of the account (or `from`), the last is now (or `to`), between them the whole intervals. ' +
      `At most ${equityPointsMax} points; without \`interval\` one is chosen that fits.`,
    params,
    query: Strict({
      from: Type.Optional(Instant),
      to: Type.Optional(Instant),
      interval: Type.Optional(Type.Union(equityIntervals.map((name) => Type.Literal(name)))),
    }),
    status: 200,
    reply: Type.Object({
      items: Type.Array(EquityPoint, { maxItems: equityPointsMax + 2 }),
      next_cursor: Type.Null(),
      interval: Type.String(),
      as_of: AsOf,
    }),
    errors: ['forbidden', 'account_not_found', 'unavailable'],
  }),
  performance: endpoint({
    service: 'analytics',
    method: 'GET',
    path: '/performance/:user_id',
    access: 'user',
    keyScope: 'read',
    summary: 'Profit by symbol and in all',
    description: 'Deposits and grants are not profit. Without `from` since the opening of the account, without `to` until now.',
    params,
    query: Strict({ from: Type.Optional(Instant), to: Type.Optional(Instant) }),
    status: 200,
    reply: Performance,
    errors: ['forbidden', 'account_not_found', 'unavailable'],
  }),
} as const
