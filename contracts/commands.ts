/**
 * Commands of the exchange state machine, as they stand in the log `trading.commands` (binary form: commands-codec.ts).
 *
 * Units: a price is a whole number of the market's ticks, a quantity of its lots, an amount of the asset's minor units;
 * each is a JavaScript number and a safe integer. `time` is milliseconds since 1970, stamped once at intake; the state
 * machine never reads a clock. `account`, `symbol` and `asset` are indices the state machine gave out (accounts from 0 in
 * the order in which they were opened, markets and assets in the order in which they were added).
 */

export const CommandKind = {
  addAsset: 1,
  addMarket: 2,
  openAccount: 3,
  placeOrder: 4,
  cancelOrder: 5,
  cancelAll: 6,
  massQuote: 7,
  markPrice: 8,
  moveFunds: 9,
  setLimits: 10,
  setMode: 11,
  bookFill: 12,
  setMarketStatus: 13,
} as const
export type CommandKind = (typeof CommandKind)[keyof typeof CommandKind]

export const Side = { buy: 0, sell: 1 } as const
export type Side = (typeof Side)[keyof typeof Side]

export const OrderType = { market: 0, limit: 1, stop: 2 } as const
export type OrderType = (typeof OrderType)[keyof typeof OrderType]

export const TimeInForce = { gtc: 0, ioc: 1, fok: 2 } as const
export type TimeInForce = (typeof TimeInForce)[keyof typeof TimeInForce]

export const MarketStatus = { open: 0, cancelOnly: 1, halted: 2 } as const
export type MarketStatus = (typeof MarketStatus)[keyof typeof MarketStatus]

export const AccountMode = { cash: 0, margin: 1 } as const
export type AccountMode = (typeof AccountMode)[keyof typeof AccountMode]

interface Stamped {
  /** Milliseconds since 1970 UTC. The state machine takes the greater of this and the time of the command before. */
  time: number
}

/** Adding an asset that exists with the same scale changes nothing; with another scale it is refused. */
export interface AddAsset extends Stamped {
  kind: typeof CommandKind.addAsset
  name: string
  /** Decimals: one minor unit is 10^-scale of the asset. */
  scale: number
}

/** Adding a market that exists with the same terms changes nothing. */
export interface AddMarket extends Stamped {
  kind: typeof CommandKind.addMarket
  /** `BASE/QUOTE`; both assets must exist. */
  name: string
  /** Quote minor units in one tick for one whole base unit's worth of lots is derived; these are decimals as powers of ten. */
  priceScale: number
  quantityScale: number
  /** Ticks of the price scale: a tick is tickUnits × 10^-priceScale quote. */
  tickUnits: number
  /** A lot is lotUnits × 10^-quantityScale base. */
  lotUnits: number
  quantityMinLots: number
  quantityMaxLots: number
  priceMaxTicks: number
  /** In minor units of the quote asset. */
  notionalMin: number
  /** Millionths of the notional. */
  makerFeePpm: number
  takerFeePpm: number
}

export interface OpenAccount extends Stamped {
  kind: typeof CommandKind.openAccount
  userId: string
  /** Deposited on opening, once: pairs of asset and amount. */
  grants: { asset: number; amount: number }[]
}

export interface PlaceOrder extends Stamped {
  kind: typeof CommandKind.placeOrder
  account: number
  symbol: number
  side: Side
  orderType: OrderType
  timeInForce: TimeInForce
  quantity: number
  /** 0 where the order has none. */
  price: number
  /** 0 where the order has none. */
  stopPrice: number
  /** Empty where the client gave none. At most 64 characters of printable ASCII. */
  clientOrderId: string
}

export interface CancelOrder extends Stamped {
  kind: typeof CommandKind.cancelOrder
  account: number
  order: number
}

export interface CancelAll extends Stamped {
  kind: typeof CommandKind.cancelAll
  account: number
  /** -1: every market. */
  symbol: number
}

/** Replaces all quotes of the account in one market. Levels best first; an empty side withdraws it. */
export interface MassQuote extends Stamped {
  kind: typeof CommandKind.massQuote
  account: number
  symbol: number
  /** Price, quantity, price, quantity … */
  bids: number[]
  asks: number[]
}

export interface MarkPrice extends Stamped {
  kind: typeof CommandKind.markPrice
  symbol: number
  price: number
}

/** A deposit (amount > 0) or a withdrawal (amount < 0). The reference makes a retry safe. */
export interface MoveFunds extends Stamped {
  kind: typeof CommandKind.moveFunds
  account: number
  asset: number
  amount: number
  /** Unique to the account; a repeat with the same terms changes nothing. */
  reference: string
  /** User id of who ordered it, for the audit. */
  actor: string
}

/** -1 leaves a limit as it is. */
export interface SetLimits extends Stamped {
  kind: typeof CommandKind.setLimits
  account: number
  /** -1: the whole account (all three limits); else positionNotionalMax of that market alone. */
  symbol: number
  /** Minor units of the quote asset. */
  positionNotionalMax: number
  /** Hundredths: 1000 is 10×. */
  leverageMaxHundredths: number
  /** Minor units of the quote asset. */
  dailyLossMax: number
  actor: string
}

export interface SetMode extends Stamped {
  kind: typeof CommandKind.setMode
  account: number
  mode: AccountMode
  actor: string
}

/** An off-venue fill booked by an operator against the account `external`, through the same checks as an order. */
export interface BookFill extends Stamped {
  kind: typeof CommandKind.bookFill
  account: number
  symbol: number
  side: Side
  quantity: number
  price: number
  reference: string
  actor: string
}

export interface SetMarketStatus extends Stamped {
  kind: typeof CommandKind.setMarketStatus
  symbol: number
  status: MarketStatus
  actor: string
}

export type Command =
  | AddAsset
  | AddMarket
  | OpenAccount
  | PlaceOrder
  | CancelOrder
  | CancelAll
  | MassQuote
  | MarkPrice
  | MoveFunds
  | SetLimits
  | SetMode
  | BookFill
  | SetMarketStatus
