import Type from 'typebox'
import { endpoint } from '../endpoint.ts'
import { AssetName, Cursor, Decimal, DecimalIn, Limit, ListOf, Strict, SymbolInPath, SymbolName, Timestamp, UserId } from '../schemas.ts'

const OrderId = Type.String({ minLength: 1, maxLength: 32, pattern: '^[0-9A-Za-z]+$' })
const ClientOrderId = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._:-]+$', description: 'Yours, unique to your account: a retry with the same one returns the first outcome.' })
const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const OrderStatus = Type.Union([
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

export const Order = Type.Object({
  id: OrderId,
  client_order_id: Type.String(),
  user_id: Type.String(),
  symbol: Type.String(),
  side: Type.String({ description: 'BUY or SELL.' }),
  order_type: Type.String({ description: 'MARKET, LIMIT or STOP.' }),
  time_in_force: Type.String({ description: 'GTC, IOC or FOK.' }),
  quantity: Decimal,
  filled_quantity: Decimal,
  price: nullable(Decimal),
  stop_price: nullable(Decimal),
  average_price: nullable(Decimal),
  fee: Decimal,
  status: OrderStatus,
  reject_code: nullable(Type.String()),
  created_at: Timestamp,
  updated_at: Timestamp,
  fills: Type.Optional(Type.Array(Fill, { description: 'On the answer to placing the order: its fills so far.' })),
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

const Market = Type.Object({
  symbol: Type.String(),
  base_asset: Type.String(),
  quote_asset: Type.String(),
  status: Type.String({ description: 'OPEN, CANCEL_ONLY or HALTED.' }),
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
})

const Level = Type.Tuple([Decimal, Decimal], { description: 'Price and quantity.' })

const Risk = Type.Object({
  user_id: Type.String(),
  mode: Type.String({ description: 'CASH or MARGIN.' }),
  equity: Decimal,
  exposure: Decimal,
  leverage: Decimal,
  daily_realized_pnl: Decimal,
  borrowed: Decimal,
  limits: Type.Object({
    position_size: Decimal,
    leverage: Decimal,
    daily_loss: Decimal,
    position_size_by_symbol: Type.Record(Type.String(), Decimal),
  }),
})

const LedgerEntry = Type.Object({
  id: Type.String(),
  asset: Type.String(),
  amount: Type.String({ description: 'Signed.' }),
  reason: Type.String({ description: 'grant, deposit, withdrawal, trade, fee or off_venue_fill.' }),
  reference: Type.String(),
  event_sequence: Type.Integer(),
  timestamp: Timestamp,
})

const Reconciliation = Type.Object({
  assets: Type.Array(
    Type.Object({ asset: Type.String(), accounts: Decimal, fees: Decimal, insurance: Decimal, deposits: Decimal, withdrawals: Decimal, difference: Decimal }),
  ),
  replicas: Type.Array(Type.Object({ id: Type.String(), position: Type.Integer(), state_hash: Type.String() })),
})

const userParams = Strict({ user_id: UserId })
const orderParams = Strict({ id: OrderId })
const symbolParams = Strict({ symbol: SymbolInPath })
const Reference = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._:-]+$', description: 'Makes a retry safe: the same reference with the same terms is booked once.' })

const orderRefusals = [
  'client_order_id_reused', 'symbol_not_found', 'market_halted', 'cancel_only', 'invalid_quantity', 'lot_size', 'quantity_too_small', 'quantity_too_large',
  'invalid_price', 'tick_size', 'price_out_of_range', 'amount_too_large', 'min_notional', 'stop_would_trigger', 'no_reference_price', 'no_liquidity',
  'open_order_limit', 'position_limit', 'leverage_limit', 'daily_loss_limit', 'insufficient_funds', 'overloaded', 'outcome_pending',
] as const

export const tradingEndpoints = {
  placeOrder: endpoint({
    service: 'trading', method: 'POST', path: '/orders', access: 'user', summary: 'Place an order',
    description: 'The answer is final: durable, risk-checked and matched. LIMIT needs price, STOP needs stop_price. Retry safely with the same client_order_id.',
    body: Strict({
      symbol: SymbolName,
      side: Type.Union([Type.Literal('BUY'), Type.Literal('SELL')]),
      order_type: Type.Union([Type.Literal('MARKET'), Type.Literal('LIMIT'), Type.Literal('STOP')]),
      quantity: DecimalIn,
      price: Type.Optional(DecimalIn),
      stop_price: Type.Optional(DecimalIn),
      time_in_force: Type.Optional(Type.Union([Type.Literal('GTC'), Type.Literal('IOC'), Type.Literal('FOK')])),
      client_order_id: Type.Optional(ClientOrderId),
      user_id: Type.Optional(UserId),
    }),
    status: 201, reply: Order, errors: orderRefusals,
  }),
  order: endpoint({
    service: 'trading', method: 'GET', path: '/orders/:id', access: 'user', summary: 'What became of an order',
    params: orderParams, status: 200, reply: Order, errors: ['order_not_found'],
  }),
  orders: endpoint({
    service: 'trading', method: 'GET', path: '/orders', access: 'user', summary: 'Your orders, newest first; or the one of a client order id',
    query: Strict({ client_order_id: Type.Optional(ClientOrderId), status: Type.Optional(OrderStatus), symbol: Type.Optional(SymbolName), limit: Limit(50, 500), cursor: Cursor, offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000 })) }),
    status: 200, reply: ListOf(Order), errors: [],
  }),
  userOrders: endpoint({
    service: 'trading', method: 'GET', path: '/orders/user/:user_id', access: 'user', summary: 'Orders of a user, newest first',
    params: userParams,
    query: Strict({ status: Type.Optional(OrderStatus), symbol: Type.Optional(SymbolName), limit: Limit(50, 500), cursor: Cursor, offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000 })) }),
    status: 200, reply: ListOf(Order), errors: ['forbidden', 'account_not_found'],
  }),
  setOrderStatus: endpoint({
    service: 'trading', method: 'PUT', path: '/orders/:id/status', access: 'user', summary: 'Cancel an order',
    params: orderParams, body: Strict({ status: OrderStatus }), status: 200, reply: Order, errors: ['order_not_found', 'order_not_open', 'status_not_settable'],
  }),
  cancelOrder: endpoint({
    service: 'trading', method: 'DELETE', path: '/orders/:id', access: 'user', summary: 'Cancel an order',
    params: orderParams, status: 200, reply: Order, errors: ['order_not_found', 'order_not_open'],
  }),
  cancelOrders: endpoint({
    service: 'trading', method: 'DELETE', path: '/orders', access: 'user', summary: 'Cancel all your open orders, or those of one symbol',
    query: Strict({ symbol: Type.Optional(SymbolName) }), status: 200, reply: ListOf(Order), errors: ['symbol_not_found'],
  }),
  positions: endpoint({
    service: 'trading', method: 'GET', path: '/positions/:user_id', access: 'user', summary: 'Positions of a user',
    params: userParams, status: 200, reply: ListOf(Position), errors: ['forbidden', 'account_not_found'],
  }),
  positionsPnl: endpoint({
    service: 'trading', method: 'GET', path: '/positions/:user_id/pnl', access: 'user', summary: 'Profit and loss over all positions',
    params: userParams, status: 200,
    reply: Type.Object({ total_pnl: Decimal, realized_pnl: Decimal, unrealized_pnl: Decimal, positions_count: Type.Integer() }),
    errors: ['forbidden', 'account_not_found'],
  }),
  bookFill: endpoint({
    service: 'trading', method: 'POST', path: '/positions/update', access: 'operator', summary: 'Book an off-venue fill',
    description: 'By operators only: through the same risk checks and double entry as an order.',
    body: Strict({ user_id: UserId, symbol: SymbolName, side: Type.Union([Type.Literal('BUY'), Type.Literal('SELL')]), quantity: DecimalIn, price: DecimalIn, reference: Type.Optional(Reference) }),
    status: 200, reply: Position,
    errors: ['account_not_found', 'symbol_not_found', 'invalid_quantity', 'lot_size', 'tick_size', 'amount_too_large', 'position_limit', 'leverage_limit', 'daily_loss_limit', 'insufficient_funds', 'reference_reused'],
  }),
  balances: endpoint({
    service: 'trading', method: 'GET', path: '/accounts/:user_id/balances', access: 'user', summary: 'Balances by asset',
    params: userParams, status: 200, reply: ListOf(Balance), errors: ['forbidden', 'account_not_found'],
  }),
  ledger: endpoint({
    service: 'trading', method: 'GET', path: '/accounts/:user_id/ledger', access: 'user', summary: 'The journal of the account, newest first',
    params: userParams, query: Strict({ asset: Type.Optional(AssetName), limit: Limit(100, 1000), cursor: Cursor }),
    status: 200, reply: ListOf(LedgerEntry), errors: ['forbidden', 'account_not_found'],
  }),
  risk: endpoint({
    service: 'trading', method: 'GET', path: '/accounts/:user_id/risk', access: 'user', summary: 'Exposure and limits',
    params: userParams, status: 200, reply: Risk, errors: ['forbidden', 'account_not_found'],
  }),
  setRisk: endpoint({
    service: 'trading', method: 'PUT', path: '/accounts/:user_id/risk', access: 'operator', summary: 'Set limits, of the account or of one symbol',
    params: userParams,
    body: Strict({ symbol: Type.Optional(SymbolName), position_size: Type.Optional(DecimalIn), leverage: Type.Optional(DecimalIn), daily_loss: Type.Optional(DecimalIn) }, { minProperties: 1 }),
    status: 200, reply: Risk, errors: ['account_not_found', 'symbol_not_found', 'invalid_amount'],
  }),
  deposit: endpoint({
    service: 'trading', method: 'POST', path: '/accounts/:user_id/deposits', access: 'operator', summary: 'Deposit',
    params: userParams, body: Strict({ asset: AssetName, amount: DecimalIn, reference: Type.Optional(Reference) }),
    status: 201, reply: Balance, errors: ['account_not_found', 'asset_not_found', 'invalid_amount', 'amount_too_large', 'reference_reused'],
  }),
  withdraw: endpoint({
    service: 'trading', method: 'POST', path: '/accounts/:user_id/withdrawals', access: 'operator', summary: 'Withdraw',
    params: userParams, body: Strict({ asset: AssetName, amount: DecimalIn, reference: Type.Optional(Reference) }),
    status: 201, reply: Balance, errors: ['account_not_found', 'asset_not_found', 'invalid_amount', 'amount_too_large', 'insufficient_funds', 'reference_reused'],
  }),
  setMode: endpoint({
    service: 'trading', method: 'PUT', path: '/accounts/:user_id/mode', access: 'operator', summary: 'Make it a cash or a margin account',
    params: userParams, body: Strict({ mode: Type.Union([Type.Literal('CASH'), Type.Literal('MARGIN')]) }),
    status: 200, reply: Risk, errors: ['account_not_found', 'borrowing_outstanding'],
  }),
  accountEvents: endpoint({
    service: 'trading', method: 'GET', path: '/accounts/:user_id/events', access: 'user', summary: 'The gap-free numbered stream of the account, oldest first',
    description: 'Pages of JSON; with `Accept: text/event-stream` the same live as Server-Sent Events, where `Last-Event-ID` resumes.',
    params: userParams, query: Strict({ after: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 })), limit: Limit(100, 1000) }),
    status: 200, reply: ListOf(AccountEventItem), errors: ['forbidden', 'account_not_found'],
  }),
  markets: endpoint({
    service: 'trading', method: 'GET', path: '/markets', access: 'public', summary: 'Markets and their rules', status: 200, reply: ListOf(Market),
  }),
  market: endpoint({
    service: 'trading', method: 'GET', path: '/markets/:symbol', access: 'public', summary: 'One market', params: symbolParams, status: 200, reply: Market, errors: ['symbol_not_found'],
  }),
  book: endpoint({
    service: 'trading', method: 'GET', path: '/markets/:symbol/book', access: 'public', summary: 'The order book', params: symbolParams,
    query: Strict({ depth: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 20 })) }),
    status: 200, reply: Type.Object({ symbol: Type.String(), position: Type.Integer(), bids: Type.Array(Level), asks: Type.Array(Level), timestamp: Timestamp }), errors: ['symbol_not_found'],
  }),
  setMarketStatus: endpoint({
    service: 'trading', method: 'PUT', path: '/markets/:symbol/status', access: 'operator', summary: 'Open, restrict or halt a market', params: symbolParams,
    body: Strict({ status: Type.Union([Type.Literal('OPEN'), Type.Literal('CANCEL_ONLY'), Type.Literal('HALTED')]) }),
    status: 200, reply: Market, errors: ['symbol_not_found'],
  }),
  reconciliation: endpoint({
    service: 'trading', method: 'GET', path: '/reconciliation', access: 'operator', summary: 'Every asset added up over all accounts, and the state of the replicas', status: 200, reply: Reconciliation,
  }),
} as const
