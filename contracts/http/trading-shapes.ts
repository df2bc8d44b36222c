import type { TSchema } from 'typebox'
import { Type } from '../type.ts'
import { Decimal, Timestamp } from '../schemas.ts'

/** What the trading service answers with. */

export const OrderId = Type.String({
  minLength: 1,
  maxLength: 32,
  pattern: '^[0-9A-Za-z]+$',
  description: 'The id of an order, of letters and digits.',
})
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
export const OrderStatus = Type.Union([
  Type.Literal('PENDING'),
  Type.Literal('PARTIALLY_FILLED'),
  Type.Literal('FILLED'),
  Type.Literal('CANCELLED'),
  Type.Literal('REJECTED'),
  Type.Literal('EXPIRED'),
])

export const Fill = Type.Object({
  trade_id: Type.String(),
  price: Decimal,
  quantity: Decimal,
  fee: Decimal,
  fee_asset: Type.String(),
  liquidity: Type.String({ description: 'MAKER or TAKER.' }),
  timestamp: Timestamp,
})

/** What only the orders have that asked for it. */
const orderDetailShapes = {
  post_only: Type.Optional(Type.Boolean()),
  reduce_only: Type.Optional(Type.Boolean()),
  self_trade_prevention: Type.Optional(Type.String({ description: 'EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH or DECREMENT.' })),
  trigger_by: Type.Optional(Type.String({ description: 'LAST_OR_MARK, LAST or MARK.' })),
  display_quantity: Type.Optional(Decimal),
  expires_at: Type.Optional(Timestamp),
  trailing_delta: Type.Optional(Type.String({ description: 'As it was given: in quote, or a percentage such as 1.5%.' })),
  quote_quantity: Type.Optional(Decimal),
  prevented_quantity: Type.Optional(Type.String({ description: 'What was taken off rather than traded with an order of your own.' })),
  order_list_id: Type.Optional(Type.String()),
  is_waiting: Type.Optional(Type.Boolean({ description: 'It waits for another order of its list.' })),
}

export const Order = Type.Object({
  id: OrderId,
  client_order_id: Type.String(),
  user_id: Type.String(),
  symbol: Type.String(),
  side: Type.String({ description: 'BUY or SELL.' }),
  order_type: Type.String({ description: 'MARKET, LIMIT, STOP, STOP_LIMIT or TRAILING_STOP.' }),
  time_in_force: Type.String({ description: 'GTC, IOC, FOK or GTD.' }),
  quantity: Decimal,
  filled_quantity: Decimal,
  price: nullable(Decimal),
  stop_price: Type.Union([Decimal, Type.Null()], { description: 'Of a trailing stop: where it stands now.' }),
  average_price: nullable(Decimal),
  fee: Decimal,
  status: OrderStatus,
  reject_code: nullable(Type.String()),
  created_at: Timestamp,
  updated_at: Timestamp,
  ...orderDetailShapes,
  fills: Type.Optional(Type.Array(Fill, { description: 'On the answer to placing the order: its fills so far.' })),
})

export const OrderListStatus = Type.Union([Type.Literal('OPEN'), Type.Literal('CLOSED')], {
  description: 'OPEN while one of its orders is, waiting ones too; CLOSED once all are final.',
})

export const OrderList = Type.Object({
  id: Type.String(),
  client_list_id: nullable(Type.String()),
  user_id: Type.String(),
  type: Type.String({ description: 'OCO, OTO or BRACKET.' }),
  symbol: Type.String(),
  status: OrderListStatus,
  created_at: Timestamp,
  updated_at: Type.String({ description: 'When one of its orders last changed.' }),
  orders: Type.Array(Order, { description: 'OCO: limit order, stop. OTO: first, second. BRACKET: entry, limit exit, stop exit.' }),
})

export const Position = Type.Object({
  symbol: Type.String(),
  quantity: Decimal,
  average_price: Decimal,
  mark_price: nullable(Decimal),
  realized_pnl: Type.String({ description: 'After fees.' }),
  unrealized_pnl: nullable(Decimal),
  fees: Decimal,
  created_at: Timestamp,
  updated_at: Timestamp,
})

export const Balance = Type.Object({ asset: Type.String(), total: Decimal, held: Decimal, available: Decimal })

export const AccountEventItem = Type.Object({
  sequence: Type.Integer(),
  type: Type.String(),
  timestamp: Timestamp,
  data: Type.Any(),
  hash: Type.String({ description: 'SHA-256 over previous_hash and this event; see docs.' }),
  previous_hash: Type.String(),
})

export const Market = Type.Object({
  symbol: Type.String(),
  base_asset: Type.String(),
  quote_asset: Type.String(),
  status: Type.String({ description: 'OPEN, CANCEL_ONLY, HALTED or AUCTION.' }),
  tick_size: Decimal,
  lot_size: Decimal,
  min_quantity: Decimal,
  max_quantity: Decimal,
  max_price: Decimal,
  min_notional: Decimal,
  maker_fee: Decimal,
  taker_fee: Decimal,
  last_price: nullable(Decimal),
  mark_price: nullable(Decimal),
  kill_switch: Type.Boolean({ description: 'Trading is switched off here or everywhere; only cancels are taken.' }),
  phase_ends_at: nullable(Type.String({ description: 'When a halt or an auction ends by itself.' })),
  indicative_price: nullable(Type.String({ description: 'In AUCTION: where it would trade now.' })),
  indicative_volume: nullable(Decimal),
  fee_tiers: Type.Array(Type.Object({ tier: Type.Integer(), maker_fee: Decimal, taker_fee: Decimal }), {
    description: 'What accounts of a tier pay here instead.',
  }),
  rules: Type.Object({
    collar: Type.String({
      description: 'How far from the reference price a market order trades at most, as a share; "0" is off, here and below.',
    }),
    limit_band: Type.String({ description: 'How far beyond it a limit order may be priced.' }),
    maintenance_margin: Decimal,
    halt_move: Type.String({ description: 'A move of so much within halt_window_seconds halts the market.' }),
    halt_window_seconds: Type.Number(),
    halt_seconds: Type.Number(),
    auction_seconds: Type.Number(),
  }),
})

export const Level = Type.Tuple([Decimal, Decimal], { description: 'Price and quantity.' })

export const Risk = Type.Object({
  user_id: Type.String(),
  mode: Type.String({ description: 'CASH or MARGIN.' }),
  equity: Decimal,
  exposure: Decimal,
  leverage: Decimal,
  daily_realized_pnl: Decimal,
  borrowed: Decimal,
  initial_margin: Type.String({ description: 'Equity that positions and open orders ask for at the leverage limit.' }),
  maintenance_margin: Type.String({ description: 'Of an account that owes: with less equity than this it is liquidated.' }),
  margin_level: nullable(
    Type.String({ description: 'Equity over maintenance margin; below 1 it is liquidated. null where nothing is owed.' }),
  ),
  liquidation: Type.Boolean({ description: 'It is being liquidated: only orders that reduce are taken.' }),
  limits: Type.Object({
    position_size: Decimal,
    leverage: Decimal,
    daily_loss: Decimal,
    position_size_by_symbol: Type.Record(Type.String(), Decimal),
  }),
})

export const LedgerEntry = Type.Object({
  id: Type.String(),
  asset: Type.String(),
  amount: Type.String({ description: 'Signed.' }),
  reason: Type.String({ description: 'grant, deposit, withdrawal, transfer, trade, fee, off_venue_fill, liquidation_fee or insurance.' }),
  reference: Type.String(),
  event_sequence: Type.Integer(),
  timestamp: Timestamp,
})

export const Reconciliation = Type.Object({
  assets: Type.Array(
    Type.Object({
      asset: Type.String(),
      accounts: Decimal,
      fees: Decimal,
      insurance: Decimal,
      deposits: Decimal,
      withdrawals: Decimal,
      difference: Decimal,
    }),
  ),
  replicas: Type.Array(Type.Object({ id: Type.String(), position: Type.Integer(), state_hash: Type.String() })),
})
