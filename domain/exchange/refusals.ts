import type { ErrorCode } from '@maru/contracts/errors'

/**
 * Why a command or an order was refused: the number in an outcome or a snapshot is the index here. Numbers are for ever: append only.
 * Number 0 means "not refused".
 */
const codes = [
  'internal',
  'invalid_request',
  'account_not_found',
  'symbol_not_found',
  'asset_not_found',
  'client_order_id_reused',
  'market_halted',
  'cancel_only',
  'invalid_quantity',
  'quantity_too_small',
  'quantity_too_large',
  'invalid_price',
  'price_out_of_range',
  'amount_too_large',
  'invalid_amount',
  'min_notional',
  'stop_would_trigger',
  'no_reference_price',
  'no_liquidity',
  'open_order_limit',
  'position_limit',
  'leverage_limit',
  'daily_loss_limit',
  'insufficient_funds',
  'ioc_not_filled',
  'fok_not_filled',
  'self_trade_prevented',
  'order_not_found',
  'order_not_open',
  'reference_reused',
  'borrowing_outstanding',
  'already_exists',
  'overloaded',
  'invalid_expiry',
  'invalid_display_quantity',
  'invalid_trailing_delta',
  'post_only_would_take',
  'reduce_only_would_increase',
  'price_collar',
  'kill_switch',
  'reduce_only_mode',
  'rate_limited',
  'order_not_amendable',
  'rules_not_switched_on',
  'liquidation',
  'market_auction',
] as const satisfies readonly ErrorCode[]

export const refusals: readonly ErrorCode[] = codes

type RefusalCode = (typeof codes)[number]

/** Refusal numbers by code. */
export const Refusal = Object.fromEntries(codes.map((code, number) => [code, number])) as Readonly<Record<RefusalCode, number>>
