/**
 * The one catalogue of refusals. Every problem answer of every service carries a `code` from here; a test fails when a
 * code is missing from the documentation. `retryable` says whether the same request may succeed later unchanged.
 */

interface ErrorEntry {
  readonly status: number
  readonly retryable: boolean
  /** What it means and what to do, for the person who reads the answer. */
  readonly meaning: string
}

export const errorCatalogue = {
  // The shape of a request
  invalid_request: {
    status: 400,
    retryable: false,
    meaning: 'The request does not have the documented shape; `errors` names each field at fault.',
  },
  invalid_json: { status: 400, retryable: false, meaning: 'The body is not valid JSON.' },
  unsupported_media_type: { status: 415, retryable: false, meaning: 'Send the documented content type.' },
  payload_too_large: { status: 413, retryable: false, meaning: 'The body is larger than this endpoint accepts.' },
  headers_too_large: { status: 431, retryable: false, meaning: 'The request headers are larger than accepted.' },
  uri_too_long: { status: 414, retryable: false, meaning: 'The request target is longer than accepted.' },
  method_not_allowed: { status: 405, retryable: false, meaning: 'The path exists but not with this method.' },
  not_found: { status: 404, retryable: false, meaning: 'Nothing is at this path, or it is not yours to see.' },
  upgrade_required: { status: 426, retryable: false, meaning: 'This path is a WebSocket; ask for an upgrade.' },
  expectation_failed: { status: 417, retryable: false, meaning: 'The only expectation understood is `100-continue`.' },
  request_timeout: { status: 408, retryable: true, meaning: 'The request did not arrive in time.' },

  // Who asks
  unauthenticated: { status: 401, retryable: false, meaning: 'Send a valid access token as `Authorization: Bearer …`.' },
  token_expired: { status: 401, retryable: false, meaning: 'The token has expired; use the refresh token or log in again.' },
  invalid_credentials: { status: 401, retryable: false, meaning: 'The login or the password is wrong.' },
  invalid_signature: {
    status: 401,
    retryable: false,
    meaning: 'The API key is not known or not good any more, or the signature is not that of this request (docs/api-keys.md).',
  },
  timestamp_outside_window: {
    status: 401,
    retryable: false,
    meaning: 'The request was signed too long ago, or in the future: sign it with the time of now; `server_time_ms` says what that is.',
  },
  signature_used: {
    status: 409,
    retryable: false,
    meaning: 'This very request was taken before. Sign another one, with a new timestamp.',
  },
  address_not_allowed: { status: 403, retryable: false, meaning: 'The API key may not be used from this address.' },
  insufficient_scope: { status: 403, retryable: false, meaning: 'The API key lacks the scope for this, or no key may do it.' },
  forbidden: { status: 403, retryable: false, meaning: 'You may not do this, or not for this user.' },
  account_disabled: { status: 403, retryable: false, meaning: 'The user has been disabled by an operator.' },
  origin_not_allowed: { status: 403, retryable: false, meaning: 'This web origin is not on the allow-list.' },

  // Users
  email_taken: { status: 409, retryable: false, meaning: 'A user with this e-mail address exists.' },
  username_taken: { status: 409, retryable: false, meaning: 'A user with this name exists.' },
  invalid_refresh_token: {
    status: 401,
    retryable: false,
    meaning: 'The refresh token is unknown, expired, or was used already; log in again.',
  },
  api_key_limit: { status: 409, retryable: false, meaning: 'You have as many API keys as you may have: revoke one first.' },
  user_not_found: { status: 404, retryable: false, meaning: 'There is no such user.' },

  // Orders, in the order in which they are checked (see docs/orders.md)
  client_order_id_reused: {
    status: 409,
    retryable: false,
    meaning: 'The client order id belongs to an earlier order of yours with other terms.',
  },
  account_not_found: { status: 404, retryable: false, meaning: 'The trading account does not exist.' },
  symbol_not_found: { status: 404, retryable: false, meaning: 'There is no market of this symbol.' },
  asset_not_found: { status: 404, retryable: false, meaning: 'There is no asset of this name.' },
  market_halted: { status: 422, retryable: true, meaning: 'The market takes no orders now.' },
  cancel_only: { status: 422, retryable: true, meaning: 'The market takes only cancels now.' },
  invalid_quantity: { status: 422, retryable: false, meaning: 'The quantity must be positive and representable.' },
  lot_size: { status: 422, retryable: false, meaning: 'The quantity must be a whole multiple of the lot size of the market.' },
  quantity_too_small: { status: 422, retryable: false, meaning: 'The quantity is under the smallest the market takes.' },
  quantity_too_large: { status: 422, retryable: false, meaning: 'The quantity is over the largest the market takes.' },
  invalid_price: { status: 422, retryable: false, meaning: 'The price must be positive and representable.' },
  tick_size: { status: 422, retryable: false, meaning: 'The price must be a whole multiple of the tick size of the market.' },
  price_out_of_range: { status: 422, retryable: false, meaning: 'The price is outside the range of the market.' },
  min_notional: { status: 422, retryable: false, meaning: 'Price times quantity is under the smallest value the market takes.' },
  amount_too_large: { status: 422, retryable: false, meaning: 'The amount is larger than the venue can count exactly.' },
  invalid_amount: {
    status: 422,
    retryable: false,
    meaning: 'The amount must be positive and a whole number of the smallest units of the asset.',
  },
  stop_would_trigger: { status: 422, retryable: false, meaning: 'The stop price is already reached; the order would trigger at once.' },
  invalid_expiry: { status: 422, retryable: false, meaning: 'The order would expire at once: `expires_at` must be in the future.' },
  invalid_display_quantity: {
    status: 422,
    retryable: false,
    meaning: 'An iceberg shows from the smallest quantity of the market to all of its own, in at most 100 parts.',
  },
  invalid_trailing_delta: {
    status: 422,
    retryable: false,
    meaning: 'The distance of a trailing stop must be positive, and leave its stop price above zero.',
  },
  post_only_would_take: { status: 422, retryable: true, meaning: 'The order is post-only and would trade at once.' },
  reduce_only_would_increase: {
    status: 422,
    retryable: false,
    meaning: 'The order is reduce-only, and there is no position on the other side left for it to reduce.',
  },
  price_collar: { status: 422, retryable: true, meaning: 'The price is too far from the reference price of the market.' },
  kill_switch: {
    status: 422,
    retryable: false,
    meaning: 'Trading is switched off, for you, this market or everyone; only cancels are taken.',
  },
  reduce_only_mode: { status: 422, retryable: false, meaning: 'The account takes only orders that reduce a position.' },
  order_not_amendable: { status: 409, retryable: false, meaning: 'This cannot be changed of this order: cancel it and place another.' },
  rules_not_switched_on: {
    status: 503,
    retryable: true,
    meaning: 'Not every part of the venue knows this kind of request yet; it will soon.',
  },
  liquidation: {
    status: 422,
    retryable: false,
    meaning: 'The account fell below its maintenance margin, so the venue closed its positions.',
  },
  market_auction: {
    status: 422,
    retryable: true,
    meaning: 'The market is about to open by auction and takes only limit orders that may rest.',
  },
  no_reference_price: { status: 422, retryable: true, meaning: 'The market has no price yet to hold the order against.' },
  position_limit: { status: 422, retryable: false, meaning: 'With open orders counted the position would pass its limit.' },
  leverage_limit: { status: 422, retryable: false, meaning: 'Exposure over equity would pass the leverage limit of the account.' },
  daily_loss_limit: {
    status: 422,
    retryable: false,
    meaning: 'The loss of the day has reached its limit; only orders that reduce risk are taken.',
  },
  insufficient_funds: { status: 422, retryable: false, meaning: 'The available balance does not cover it, fees included.' },
  open_order_limit: { status: 422, retryable: false, meaning: 'The account has as many open orders as it may have.' },
  no_liquidity: { status: 422, retryable: true, meaning: 'Nothing to trade against; a market order does not rest.' },
  fok_not_filled: { status: 422, retryable: true, meaning: 'The order could not be filled whole at once and was not filled at all.' },
  ioc_not_filled: { status: 422, retryable: true, meaning: 'Nothing could be filled at once at this price; an IOC order does not rest.' },
  self_trade_prevented: { status: 422, retryable: false, meaning: 'The rest would have traded with an order of your own, so it expired.' },
  order_not_found: { status: 404, retryable: false, meaning: 'You have no order of this id.' },
  order_list_not_found: { status: 404, retryable: false, meaning: 'You have no order list of this id.' },
  order_not_open: { status: 409, retryable: false, meaning: 'The order is final: filled, cancelled, expired or rejected.' },
  status_not_settable: { status: 409, retryable: false, meaning: 'An owner may only cancel; other states are reached by trading alone.' },
  reference_reused: { status: 409, retryable: false, meaning: 'The reference belongs to an earlier movement with other terms.' },
  borrowing_outstanding: { status: 422, retryable: false, meaning: 'The account owes assets or has short positions; settle them first.' },
  already_exists: { status: 409, retryable: false, meaning: 'It exists already, with other terms.' },

  // Notifications
  delivery_not_retryable: { status: 409, retryable: false, meaning: 'Only a mail that failed or was not sent can be queued again.' },

  // The platform
  rate_limited: { status: 429, retryable: true, meaning: 'Too many requests; wait as long as `Retry-After` says.' },
  overloaded: { status: 503, retryable: true, meaning: 'The queue is full; nothing was done. Retry after `Retry-After`.' },
  unavailable: { status: 503, retryable: true, meaning: 'The service cannot answer now; nothing was done. Retry after `Retry-After`.' },
  outcome_pending: {
    status: 503,
    retryable: true,
    meaning: 'Taken, but not confirmed in time. Ask by its client order id, or retry with the same one: it cannot be doubled.',
  },
  bad_gateway: {
    status: 502,
    retryable: true,
    meaning: 'The service broke off before it had answered. What was asked may have been done: ask before you repeat it.',
  },
  gateway_timeout: {
    status: 504,
    retryable: true,
    meaning: 'The service did not answer in time. What was asked may have been done: ask before you repeat it.',
  },
  deadline_exceeded: {
    status: 504,
    retryable: true,
    meaning: 'The time that the caller gave for an answer had passed before this was begun; nothing was done.',
  },
  price_unavailable: { status: 503, retryable: true, meaning: 'No source has given a price for this symbol yet.' },
  internal: { status: 500, retryable: false, meaning: 'A fault of ours; it has been logged under `request_id`.' },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorCatalogue

/** RFC 9457 problem details, as every error answer is. */
export interface ProblemBody {
  type: string
  title: string
  status: number
  code: ErrorCode
  detail: string
  request_id?: string
  errors?: { path: string; message: string }[]
  [extension: string]: unknown
}
