import type { TSchema } from 'typebox'
import { Type } from '../type.ts'
import { endpoint } from '../endpoint.ts'
import { Decimal, Strict, SymbolInPath, SymbolName, Timestamp, UserId } from '../schemas.ts'
import { placeOrderProperties } from './trading.ts'
import { Market } from './trading-shapes.ts'

const userParams = Strict({ user_id: UserId })
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/** A share such as 0.05, with at most six decimals; 0 switches off what it sets. */
const FractionIn = Type.Union(
  [Type.String({ pattern: '^[0-9]{1,2}(\\.[0-9]{1,18})?$', maxLength: 24 }), Type.Number({ minimum: 0, maximum: 10 })],
  {
    description: 'A share, as a decimal such as "0.05"; at most six decimals. 0 switches it off.',
  },
)
const SecondsIn = Type.Number({ minimum: 0, maximum: 86_400, description: 'Seconds, at most a day and three decimals.' })

const Controls = Type.Object({
  user_id: Type.String(),
  trade_group: nullable(Type.Integer()),
  fee_tier: nullable(Type.Integer()),
  reduce_only: Type.Boolean({ description: 'Only orders that reduce are taken.' }),
  messages_per_second: nullable(Type.Integer()),
  max_open_orders: nullable(Type.Integer({ description: 'In one market; where it is null, 200.' })),
  kill_switch: nullable(Type.String({ description: 'OWNER or OPERATOR, who switched it on; null: it is off.' })),
  liquidation: Type.Boolean({ description: 'It is below its maintenance margin, and the venue closes its positions.' }),
  cancels_all_at: nullable(Timestamp),
})

/** What keeps trading safe: controls of accounts and markets, switches, timers, and a look at an order before it is placed. */
export const tradingControlEndpoints = {
  controls: endpoint({
    service: 'trading',
    method: 'GET',
    path: '/accounts/:user_id/controls',
    access: 'user',
    keyScope: 'read',
    summary: 'What operators, its kill switch and its timer have set of an account',
    params: userParams,
    status: 200,
    reply: Controls,
    errors: ['forbidden', 'account_not_found'],
  }),
  setControls: endpoint({
    service: 'trading',
    method: 'PUT',
    path: '/accounts/:user_id/controls',
    access: 'operator',
    summary: 'Set controls of an account',
    description:
      'What is not named stays, null takes it away. Accounts of one trade_group do not trade with each other. Beyond messages_per_second orders, amendments and lists are refused with rate_limited; cancels never are.',
    params: userParams,
    body: Strict(
      {
        trade_group: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 1_000_000_000 }))),
        fee_tier: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 100 }))),
        reduce_only: Type.Optional(Type.Boolean()),
        messages_per_second: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 1_000_000 }))),
        max_open_orders: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 10_000 }))),
      },
      { minProperties: 1 },
    ),
    status: 200,
    reply: Controls,
    errors: ['account_not_found', 'rules_not_switched_on'],
  }),
  killSwitch: endpoint({
    service: 'trading',
    method: 'POST',
    path: '/kill-switch',
    access: 'user',
    keyScope: 'trade',
    summary: 'Switch trading off, or on again',
    description:
      'Switched on it cancels every open order in its scope and refuses whatever is not a cancel, with kill_switch. Of SYMBOL and ALL by operators only. You may switch your own account, but not off what an operator switched on. Of a market, 1,000 orders are cancelled at once and the others within moments.',
    body: Strict({
      scope: Type.Union([Type.Literal('ACCOUNT'), Type.Literal('SYMBOL'), Type.Literal('ALL')]),
      user_id: Type.Optional(UserId),
      symbol: Type.Optional(SymbolName),
      active: Type.Boolean(),
    }),
    status: 200,
    reply: Type.Object({
      scope: Type.String(),
      user_id: nullable(Type.String()),
      symbol: nullable(Type.String()),
      active: Type.Boolean(),
      cancelled_orders: Type.Integer({ description: 'With this answer; quotes are not counted.' }),
    }),
    errors: ['forbidden', 'account_not_found', 'symbol_not_found', 'rules_not_switched_on'],
  }),
  cancelAllAfter: endpoint({
    service: 'trading',
    method: 'POST',
    path: '/orders/cancel-all-after',
    access: 'user',
    keyScope: 'trade',
    summary: 'Cancel all your open orders unless this is asked again in time',
    description: 'A dead-man switch: ask it every few seconds. It cancels once; 0 switches it off.',
    body: Strict({ timeout_ms: Type.Integer({ minimum: 0, maximum: 86_400_000 }) }),
    status: 200,
    reply: Type.Object({ timeout_ms: Type.Integer(), triggers_at: nullable(Timestamp) }),
    errors: ['rules_not_switched_on'],
  }),
  previewOrder: endpoint({
    service: 'trading',
    method: 'POST',
    path: '/orders/preview',
    access: 'user',
    keyScope: 'read',
    summary: 'What would become of an order',
    description: 'Asks the same questions as placing it, at the book as it is now, and changes nothing.',
    body: Strict(placeOrderProperties),
    status: 200,
    reply: Type.Object({
      accepted: Type.Boolean(),
      reject_code: nullable(Type.String({ description: 'Why it would be refused, or expire without a fill.' })),
      estimated_quantity: Type.String({ description: 'What it would trade at once.' }),
      estimated_average_price: nullable(Decimal),
      worst_price: nullable(Decimal),
      estimated_fee: Decimal,
      required_asset: Type.String({ description: 'What it pays with: quote for a buy, base for a sell.' }),
      required_amount: Type.String({ description: 'What it would pay and hold, fees included.' }),
      available_after: Type.String({ description: 'Of that asset. Below zero where a margin account would borrow.' }),
      initial_margin: nullable(Type.String({ description: 'Of a margin account: equity that this order binds at the leverage limit.' })),
    }),
    errors: ['account_not_found', 'forbidden', 'symbol_not_found', 'lot_size', 'tick_size', 'invalid_quantity', 'invalid_price'],
  }),
  setMarketRules: endpoint({
    service: 'trading',
    method: 'PUT',
    path: '/markets/:symbol/rules',
    access: 'operator',
    summary: 'Set price collars, maintenance margin and the volatility halt of a market',
    description: 'What is not named stays. A volatility halt takes halt_move, halt_window_seconds and halt_seconds together.',
    params: Strict({ symbol: SymbolInPath }),
    body: Strict(
      {
        collar: Type.Optional(FractionIn),
        limit_band: Type.Optional(FractionIn),
        maintenance_margin: Type.Optional(FractionIn),
        halt_move: Type.Optional(FractionIn),
        halt_window_seconds: Type.Optional(SecondsIn),
        halt_seconds: Type.Optional(SecondsIn),
        auction_seconds: Type.Optional(SecondsIn),
      },
      { minProperties: 1 },
    ),
    status: 200,
    reply: Market,
    errors: ['symbol_not_found', 'rules_not_switched_on'],
  }),
} as const
