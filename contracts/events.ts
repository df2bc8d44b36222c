/**
 * Events on the log, JSON, past tense, versioned by `v`. Each topic record is a batch: a JSON array of these.
 * Names are immutable: a changed meaning is a new type.
 */

/** Fields of every event. `id` is unique and, within a topic, ordered; a reader drops an id it has already applied. */
export interface EventEnvelope<Type extends string, Data> {
  id: string
  type: Type
  v: 1
  /** ISO 8601 UTC, from the command that caused it. */
  timestamp: string
  data: Data
}

// ---- topic trading-events -------------------------------------------------------------------------------------------

/** An event of one trading account. `sequence` counts from 1 within the account, without a gap. */
export interface AccountEvent<Type extends string, Data> extends EventEnvelope<Type, Data> {
  user_id: string
  sequence: number
}

export interface BalanceData {
  asset: string
  total: string
  held: string
  available: string
}

export interface PositionData {
  symbol: string
  /** Negative when short. */
  quantity: string
  average_price: string
  /** After fees. */
  realized_pnl: string
  fees: string
}

export interface OrderData {
  id: string
  client_order_id: string
  user_id: string
  symbol: string
  side: 'BUY' | 'SELL'
  order_type: 'MARKET' | 'LIMIT' | 'STOP' | 'STOP_LIMIT' | 'TRAILING_STOP'
  time_in_force: 'GTC' | 'IOC' | 'FOK' | 'GTD'
  quantity: string
  filled_quantity: string
  price: string | null
  stop_price: string | null
  average_price: string | null
  fee: string
  status: 'PENDING' | 'PARTIALLY_FILLED' | 'FILLED' | 'CANCELLED' | 'REJECTED' | 'EXPIRED'
  reject_code: string | null
  created_at: string
  updated_at: string
  /** What follows only the orders have that asked for it. */
  post_only?: true
  reduce_only?: true
  self_trade_prevention?: 'EXPIRE_TAKER' | 'EXPIRE_MAKER' | 'EXPIRE_BOTH' | 'DECREMENT' | 'NONE'
  trigger_by?: 'LAST_OR_MARK' | 'LAST' | 'MARK'
  display_quantity?: string
  expires_at?: string
  /** In quote, or with a per cent sign. */
  trailing_delta?: string
  quote_quantity?: string
  prevented_quantity?: string
  order_list_id?: string
  is_waiting?: true
}

/** Orders that depend on each other, as they were placed. What became of them is told of each. */
export interface OrderListData {
  id: string
  type: 'OCO' | 'OTO' | 'BRACKET'
  client_list_id: string | null
  symbol: string
  /** OCO: limit order, stop. OTO: first, second. BRACKET: entry, limit exit, stop exit. */
  order_ids: string[]
}

/** A fill as its order's owner sees it. */
export interface FillData {
  trade_id: string
  price: string
  quantity: string
  fee: string
  fee_asset: string
  liquidity: 'MAKER' | 'TAKER'
  timestamp: string
}

/** What a posting of the double-entry ledger is for. */
export type LedgerReason =
  | 'grant'
  | 'deposit'
  | 'withdrawal'
  | 'trade'
  | 'fee'
  | 'off_venue_fill'
  | 'transfer'
  | 'liquidation_fee'
  | 'insurance'

/** One leg of a movement as it touched this account; the other legs are on the accounts it names. */
export interface Posting {
  asset: string
  /** Signed. */
  amount: string
  reason: LedgerReason
  /** Trade id, or the reference of the movement. */
  reference: string
}

export type TradingEvent =
  | AccountEvent<'account.opened', { mode: 'CASH' | 'MARGIN' }>
  | AccountEvent<'order.created', OrderData>
  | AccountEvent<'order.rejected', OrderData>
  | AccountEvent<'order.triggered', OrderData>
  | AccountEvent<'order.status_updated', OrderData>
  | AccountEvent<'order.amended', OrderData>
  /** Its orders follow, each with an event of its own. */
  | AccountEvent<'order_list.created', OrderListData>
  | AccountEvent<
      'trade.executed',
      {
        trade_id: string
        order_id: string
        client_order_id: string
        symbol: string
        side: 'BUY' | 'SELL'
        price: string
        quantity: string
        /** Price times quantity, in the fee asset; with the fee it says what the ledger posted. */
        notional: string
        fee: string
        /** The quote asset of the market. */
        fee_asset: string
        liquidity: 'MAKER' | 'TAKER'
        /** Of this fill, before its fee. */
        realized_pnl: string
        position: PositionData
        balances: BalanceData[]
      }
    >
  | AccountEvent<
      'funds.moved',
      {
        amount: string
        asset: string
        reference: string
        actor: string
        balance: BalanceData
        postings: Posting[]
        /** Of a transfer: the user on its other side. */
        counterparty?: string
      }
    >
  /** It fell below its maintenance margin: its orders are cancelled and its positions closed. */
  | AccountEvent<'account.liquidated', { equity: string; maintenance_margin: string; asset: string }>
  | AccountEvent<
      'liquidation.fee_paid',
      { amount: string; asset: string; order_id: string; symbol: string; balance: BalanceData; postings: Posting[] }
    >
  /** What the account owed and could not pay, from the insurance fund. */
  | AccountEvent<'insurance.paid', { amount: string; asset: string; balance: BalanceData; postings: Posting[] }>
  | AccountEvent<
      'fill.booked',
      {
        symbol: string
        side: 'BUY' | 'SELL'
        price: string
        quantity: string
        notional: string
        reference: string
        actor: string
        realized_pnl: string
        position: PositionData
        balances: BalanceData[]
      }
    >
  | AccountEvent<
      'limits.changed',
      {
        symbol: string | null
        position_notional_max: string | null
        leverage_max: string | null
        daily_loss_max: string | null
        actor: string
      }
    >
  | AccountEvent<
      'controls.changed',
      {
        trade_group: number | null
        fee_tier: number | null
        reduce_only: boolean
        messages_per_second: number | null
        max_open_orders: number | null
        kill_switch: 'OWNER' | 'OPERATOR' | null
        actor: string
      }
    >
  | AccountEvent<'mode.changed', { mode: 'CASH' | 'MARGIN'; actor: string }>

// ---- topic user-events ----------------------------------------------------------------------------------------------

export type UserEvent =
  | EventEnvelope<'user.registered', { user_id: string; email: string; username: string; roles: string[]; language?: string }>
  | EventEnvelope<'user.profile_changed', { user_id: string; username: string; language: string }>

// ---- topic market-data ----------------------------------------------------------------------------------------------

/** At most one a second and symbol: the reference price of a market. */
export type MarketDataEvent = EventEnvelope<
  'price.updated',
  {
    symbol: string
    price: string
    bid: string
    ask: string
    /** Where the figures come from: names of exchanges, `replay`, or `synthetic`. */
    sources: string[]
  }
>

export const topics = {
  tradingCommands: 'trading.commands',
  tradingEvents: 'trading-events',
  marketData: 'market-data',
  userEvents: 'user-events',
} as const
export type Topic = (typeof topics)[keyof typeof topics]

/** Prefix for system accounts (house liquidity …), which no user can register. */
export const systemUserPrefix = 'system-'
