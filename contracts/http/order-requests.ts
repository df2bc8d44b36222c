import { Type } from '../type.ts'
import { DecimalIn, Strict, SymbolName, UserId } from '../schemas.ts'

/** What is asked for of orders, by HTTP or by socket. */

export const ClientOrderId = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: '^[A-Za-z0-9._:-]+$',
  description:
    'An id of yours, 1 to 64 of letters, digits, dot, dash, underscore and colon, unique to your account: a retry with the same one returns the first outcome.',
})

const TrailingDelta = Type.Union([DecimalIn, Type.String({ pattern: '^[0-9]{1,2}(\\.[0-9]{1,2})?%$', maxLength: 6 })], {
  description: 'How far a trailing stop stays behind the best price: a distance such as "150.5", or a percentage such as "1.5%".',
})

/** Of one order, its market left out. */
export const orderProperties = {
  side: Type.Union([Type.Literal('BUY'), Type.Literal('SELL')]),
  order_type: Type.Union([
    Type.Literal('MARKET'),
    Type.Literal('LIMIT'),
    Type.Literal('STOP'),
    Type.Literal('STOP_LIMIT'),
    Type.Literal('TRAILING_STOP'),
  ]),
  quantity: Type.Optional(DecimalIn),
  quote_quantity: Type.Optional(
    Type.Union([DecimalIn], {
      description: 'Instead of quantity, of a MARKET order: the most to trade, in the quote asset and without fees.',
    }),
  ),
  price: Type.Optional(DecimalIn),
  stop_price: Type.Optional(DecimalIn),
  trailing_delta: Type.Optional(TrailingDelta),
  trigger_by: Type.Optional(
    Type.Union([Type.Literal('LAST_OR_MARK'), Type.Literal('LAST'), Type.Literal('MARK')], {
      description: 'Which price wakes a stop; LAST_OR_MARK where it is not given.',
    }),
  ),
  time_in_force: Type.Optional(
    Type.Union([Type.Literal('GTC'), Type.Literal('IOC'), Type.Literal('FOK'), Type.Literal('GTD')], {
      description: 'MARKET orders are IOC where it is not given, others GTC.',
    }),
  ),
  expires_at: Type.Optional(
    Type.String({ maxLength: 40, pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T', description: 'Of a GTD order: ISO 8601 with a time zone.' }),
  ),
  post_only: Type.Optional(Type.Boolean()),
  reduce_only: Type.Optional(Type.Boolean()),
  display_quantity: Type.Optional(DecimalIn),
  self_trade_prevention: Type.Optional(
    Type.Union([Type.Literal('EXPIRE_TAKER'), Type.Literal('EXPIRE_MAKER'), Type.Literal('EXPIRE_BOTH'), Type.Literal('DECREMENT')], {
      description: 'What happens where it would trade with an order of your own; EXPIRE_TAKER where it is not given.',
    }),
  ),
  client_order_id: Type.Optional(ClientOrderId),
}

const { price, stop_price, trailing_delta, expires_at, display_quantity } = orderProperties
export const amendment = Strict(
  {
    quantity: Type.Optional(Type.Union([DecimalIn], { description: 'The whole quantity, with what is filled.' })),
    price,
    stop_price,
    trailing_delta,
    expires_at,
    display_quantity,
  },
  { minProperties: 1 },
)

export const placeListProperties = {
  type: Type.Union([Type.Literal('OCO'), Type.Literal('OTO'), Type.Literal('BRACKET')], {
    description: 'How the orders depend on each other.',
  }),
  symbol: SymbolName,
  orders: Type.Array(Strict(orderProperties), {
    minItems: 2,
    maxItems: 3,
    description: 'OCO: limit order, stop. OTO: first, second. BRACKET: entry, limit exit, stop exit.',
  }),
  client_list_id: Type.Optional(ClientOrderId),
  user_id: Type.Optional(UserId),
}

export const amendRefusals = [
  'market_halted',
  'cancel_only',
  'invalid_quantity',
  'lot_size',
  'quantity_too_small',
  'quantity_too_large',
  'invalid_price',
  'tick_size',
  'price_out_of_range',
  'amount_too_large',
  'min_notional',
  'invalid_expiry',
  'invalid_display_quantity',
  'invalid_trailing_delta',
  'stop_would_trigger',
  'no_reference_price',
  'post_only_would_take',
  'reduce_only_would_increase',
  'price_collar',
  'market_auction',
  'rate_limited',
  'liquidation',
  'rules_not_switched_on',
  'kill_switch',
  'reduce_only_mode',
  'position_limit',
  'leverage_limit',
  'daily_loss_limit',
  'insufficient_funds',
  'overloaded',
  'outcome_pending',
] as const

export const orderRefusals = ['client_order_id_reused', 'symbol_not_found', 'no_liquidity', 'open_order_limit', ...amendRefusals] as const
