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
  // From rules 2 on.
  setRules: 14,
  tick: 15,
  amendOrder: 16,
  replaceOrder: 17,
  placeList: 18,
  setKillSwitch: 19,
  cancelAllAfter: 20,
  setMarketRules: 21,
  setAccountControls: 22,
  setFees: 23,
  transferFunds: 24,
  moveInsurance: 25,
} as const
export type CommandKind = (typeof CommandKind)[keyof typeof CommandKind]

export const Side = { buy: 0, sell: 1 } as const
export type Side = (typeof Side)[keyof typeof Side]

export const OrderType = { market: 0, limit: 1, stop: 2, stopLimit: 3, trailingStop: 4 } as const
export type OrderType = (typeof OrderType)[keyof typeof OrderType]

export const TimeInForce = { gtc: 0, ioc: 1, fok: 2, gtd: 3 } as const
export type TimeInForce = (typeof TimeInForce)[keyof typeof TimeInForce]

/**
 * What happens where an order would trade with one of the same owner: the mode of the taker decides. `allow` lets them trade; it is for markets
 * that are made to be compared with others, and no request asks for it.
 */
export const SelfTrade = { expireTaker: 0, expireMaker: 1, expireBoth: 2, decrement: 3, allow: 4 } as const
export type SelfTrade = (typeof SelfTrade)[keyof typeof SelfTrade]

/** Which price wakes a stop: trades or marks, trades alone, marks alone. */
export const TriggerPrice = { lastOrMark: 0, last: 1, mark: 2 } as const
export type TriggerPrice = (typeof TriggerPrice)[keyof typeof TriggerPrice]

/** How the distance of a trailing stop is counted. */
export const TrailingUnit = { ticks: 0, basisPoints: 1 } as const
export type TrailingUnit = (typeof TrailingUnit)[keyof typeof TrailingUnit]

/** OCO: two legs, one cancels the other. OTO: the second is placed once the first has ended. Bracket: OTO whose second is an OCO. */
export const ListKind = { oco: 0, oto: 1, bracket: 2 } as const
export type ListKind = (typeof ListKind)[keyof typeof ListKind]

export const MarketStatus = { open: 0, cancelOnly: 1, halted: 2, auction: 3 } as const
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
  /** What most orders do without; null for them. From rules 2 on. */
  extras: OrderExtras | null
}

/** The less common terms of an order. Every figure is 0 where the order has none. */
export interface OrderExtras {
  /** Refused rather than trade as taker. */
  isPostOnly: boolean
  /** Only ever brings the position nearer to zero. */
  isReduceOnly: boolean
  selfTrade: SelfTrade
  trigger: TriggerPrice
  /** Lots shown at a time; the rest follows as they are filled. */
  displayQuantity: number
  /** GTD: the moment it expires, milliseconds since 1970. */
  expiresAtMs: number
  /** Distance of a trailing stop from the best price since it was placed. */
  trailingOffset: number
  trailingUnit: TrailingUnit
  /** A market order by value: most quote minor units to trade, fees left out. Its quantity is 0. */
  quoteQuantity: number
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
  /** Of an opening: milliseconds of the auction before it; 0 for none. From rules 2 on. */
  auctionMs: number
  actor: string
}

/** Switches the rules of the state machine on, so that replicas of two releases agree; never back. */
export interface SetRules extends Stamped {
  kind: typeof CommandKind.setRules
  rules: number
  actor: string
}

/** Lets time pass: whatever is due by it happens. */
export interface Tick extends Stamped {
  kind: typeof CommandKind.tick
}

/** -1 leaves a figure as it is. An order keeps its place in the queue where its prices stay and neither its quantity nor what it shows grows. */
export interface AmendOrder extends Stamped {
  kind: typeof CommandKind.amendOrder
  account: number
  order: number
  /** The whole quantity, with what is filled. */
  quantity: number
  price: number
  stopPrice: number
  /** Of a trailing stop, with its unit. */
  trailingOffset: number
  trailingUnit: TrailingUnit
  /** Of a GTD order. */
  expiresAtMs: number
  displayQuantity: number
}

/** What an amendment leaves as it is. */
export const unamended = {
  quantity: -1,
  price: -1,
  stopPrice: -1,
  trailingOffset: -1,
  trailingUnit: TrailingUnit.ticks,
  expiresAtMs: -1,
  displayQuantity: -1,
} as const

/** Cancels an order and places another, both or neither. */
export interface ReplaceOrder extends Stamped {
  kind: typeof CommandKind.replaceOrder
  /** The order to cancel, of the same account. */
  order: number
  placement: PlaceOrder
}

/** Orders that depend on each other, all of one account and market. */
export interface PlaceList extends Stamped {
  kind: typeof CommandKind.placeList
  listKind: ListKind
  account: number
  /** Unique to the account, like a client order id; empty where the client gave none. */
  clientListId: string
  /** OCO: limit leg, stop leg. OTO: the first and what follows it. Bracket: the entry, its limit exit, its stop exit. */
  legs: PlaceOrder[]
}

/** Cancels open orders and refuses new ones until it is switched off: of an account, of a market, or of all. */
export interface SetKillSwitch extends Stamped {
  kind: typeof CommandKind.setKillSwitch
  /** -1: every account. */
  account: number
  /** -1: every market; of one account always so. */
  symbol: number
  isOn: boolean
  /** Else by the owner of the account, who cannot switch off what an operator switched on. */
  byOperator: boolean
  actor: string
}

/** Dead-man timer: cancels all orders of the account unless it is set anew in time. */
export interface CancelAllAfter extends Stamped {
  kind: typeof CommandKind.cancelAllAfter
  account: number
  /** 0 switches it off. */
  timeoutMs: number
}

/** -1 leaves a figure as it is; 0 switches it off. */
export interface SetMarketRules extends Stamped {
  kind: typeof CommandKind.setMarketRules
  symbol: number
  /** How far from the reference price a market order trades at most, millionths. */
  collarPpm: number
  /** How far beyond the reference price a limit order may be priced on its aggressive side, millionths. */
  limitBandPpm: number
  /** Maintenance margin, millionths of the notional. */
  maintenancePpm: number
  /** Volatility halt: a move of so many millionths within the window halts the market for so long, then an auction of so long. */
  haltMovePpm: number
  haltWindowMs: number
  haltForMs: number
  auctionForMs: number
  actor: string
}

/** -1 leaves a figure as it is; 0 is none. */
export interface SetAccountControls extends Stamped {
  kind: typeof CommandKind.setAccountControls
  account: number
  /** Accounts of one group do not trade with each other. */
  tradeGroup: number
  feeTier: number
  /** 1: only orders that reduce are taken. */
  reduceOnly: number
  /** Orders, amendments and cancels taken in a second. */
  messagesPerSecondMax: number
  /** Open orders in one market. */
  openOrdersMax: number
  actor: string
}

/** Fees of a tier, in one market or (-1) in all; never more than the market's own. */
export interface SetFees extends Stamped {
  kind: typeof CommandKind.setFees
  tier: number
  symbol: number
  makerFeePpm: number
  takerFeePpm: number
  actor: string
}

export interface TransferFunds extends Stamped {
  kind: typeof CommandKind.transferFunds
  from: number
  to: number
  asset: number
  amount: number
  /** Unique to the account that gives; a repeat with the same terms changes nothing. */
  reference: string
  actor: string
}

/** Money into (amount > 0) or out of the insurance fund. */
export interface MoveInsurance extends Stamped {
  kind: typeof CommandKind.moveInsurance
  asset: number
  amount: number
  reference: string
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
  | SetRules
  | Tick
  | AmendOrder
  | ReplaceOrder
  | PlaceList
  | SetKillSwitch
  | CancelAllAfter
  | SetMarketRules
  | SetAccountControls
  | SetFees
  | TransferFunds
  | MoveInsurance
