import {
  OrderType,
  type MarketStatus,
  type SelfTrade,
  type Side,
  type TimeInForce,
  type TrailingUnit,
  type TriggerPrice,
} from '@maru/contracts/commands'
import type { BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import type { MarketTerms } from './markets.ts'
import { none } from './no-slot.ts'
import { openOrdersOf } from './open-orders.ts'
import { OrderStatus } from './outcome.ts'
import type { MarketRules } from './price-bands.ts'
import { Refusal } from './refusals.ts'
import { trailingStopPrice } from './trailing.ts'
import { isDetailed, isPending, isPostOnly, isReduceOnly, orderTypeOf, sideOf, timeInForceOf } from './traits.ts'

export interface AssetView {
  readonly name: string
  /** Decimals: one minor unit is 10^-scale of the asset. */
  readonly scale: number
}

export interface MarketView extends MarketTerms {
  readonly symbol: number
  /** Asset indices. */
  readonly base: number
  readonly quote: number
  /** Quote minor units of one tick times one lot. */
  readonly notionalFactor: number
  /** Base minor units of one lot. */
  readonly lotFactor: number
  readonly status: MarketStatus
  readonly rules: Readonly<MarketRules>
  /** Its kill switch, or that of all markets, is on. */
  readonly isStopped: boolean
  /** When a halt or an auction ends by itself, milliseconds since 1970; 0: it does not. */
  readonly phaseEndsMs: number
}

export interface OrderView {
  order: number
  account: number
  symbol: number
  side: Side
  orderType: OrderType
  timeInForce: TimeInForce
  /** Lots. */
  quantity: number
  filled: number
  /** Ticks; 0 where the order has none. */
  price: number
  stopPrice: number
  /** Quote minor units, so far. */
  filledNotional: number
  fee: number
  status: OrderStatus
  /** 0: none. */
  refusal: number
  clientOrderId: string
  createdAtMs: number
  updatedAtMs: number
  /** What it has that is more than plain; undefined of most. */
  details: OrderDetailsView | undefined
}

export interface OrderDetailsView {
  isPostOnly: boolean
  isReduceOnly: boolean
  selfTrade: SelfTrade
  trigger: TriggerPrice
  displayQuantity: number
  /** 0: none. */
  expiresAtMs: number
  trailingOffset: number
  trailingUnit: TrailingUnit
  /** Quote minor units a market order was to trade; 0 where it was by quantity. */
  quoteQuantity: number
  /** Lots that were taken off rather than traded with the same owner. */
  prevented: number
  /** Number of its list; 0 where it is in none. */
  list: number
  /** It waits for another order of its list, and holds nothing. */
  isPending: boolean
  /** Another leg of its list holds for both. */
  isShared: boolean
  /** The price it holds for: of a trailing stop where it stood when it was placed. */
  heldPrice: number
}

export interface PositionView {
  symbol: number
  /** Signed lots. */
  quantity: number
  /** The average entry, in quote minor units a lot, is entryCost ÷ entryQuantity. */
  entryCost: number
  entryQuantity: number
  /** Quote minor units, before fees. */
  realized: number
  fees: number
  openedAtMs: number
  updatedAtMs: number
  /** Lots of open orders. */
  openBuy: number
  openSell: number
}

export interface BookLevel {
  price: number
  quantity: number
  orders: number
}

/** Sums of one asset in minor units; insurance below zero is what the venue owes; `difference` is accounts + fees + insurance - (deposits - withdrawals), and is always 0. */
export interface Reconciliation {
  asset: number
  accounts: bigint
  fees: bigint
  insurance: bigint
  deposits: bigint
  withdrawals: bigint
  difference: bigint
}

export function orderView(core: Core, slot: number): OrderView {
  const { orders } = core
  const traits = orders.traits(slot)
  const position = orders.position(slot)
  const view: OrderView = {
    order: orders.id(slot),
    account: core.positions.account(position),
    symbol: core.positions.symbol(position),
    side: sideOf(traits),
    orderType: orderTypeOf(traits),
    timeInForce: timeInForceOf(traits),
    quantity: orders.quantity(slot),
    filled: orders.filled(slot),
    price: orders.limitPrice(slot),
    stopPrice: orders.stopPrice(slot),
    filledNotional: orders.filledNotional(slot),
    fee: orders.fee(slot),
    status: orders.status(slot),
    refusal: orders.refusal(slot),
    clientOrderId: orders.clientOrderId(slot),
    createdAtMs: orders.createdAtMs(slot),
    // What closed did so during this command; nothing later shows it.
    updatedAtMs: orders.status(slot) > OrderStatus.partiallyFilled ? core.timeMs : orders.updatedAtMs(slot),
    details: undefined,
  }
  if (isDetailed(traits)) showDetails(core, slot, view)
  return view
}

function showDetails(core: Core, slot: number, view: OrderView): void {
  const { orders } = core
  const traits = orders.traits(slot)
  const { selfTrade, trigger, displayQuantity, expiresAtMs, trailingOffset, trailingUnit, quoteQuantity, prevented, list, ...details } =
    orders.details(slot)
  const isTrailing = view.orderType === OrderType.trailingStop
  if (isTrailing) view.price = 0
  if (isTrailing || view.orderType === OrderType.stopLimit)
    view.stopPrice = details.trail === null ? details.stopPrice : trailingStopPrice(core, slot, orders.details(slot))
  if (view.status <= OrderStatus.partiallyFilled) view.updatedAtMs = Math.max(view.updatedAtMs, details.updatedAtMs)
  // The quantity of an order is what was asked for, whatever became of it.
  view.quantity += prevented
  const isPrevented = view.refusal === Refusal.self_trade_prevented
  view.details = {
    isPostOnly: isPostOnly(traits),
    isReduceOnly: isReduceOnly(traits),
    selfTrade,
    trigger,
    displayQuantity,
    expiresAtMs,
    trailingOffset,
    trailingUnit,
    quoteQuantity,
    prevented: isPrevented ? view.quantity - view.filled : prevented,
    list,
    isPending: isPending(traits) && view.status === OrderStatus.pending,
    isShared: details.isShared,
    heldPrice: orders.price(slot),
  }
}

export function positionView(core: Core, position: number): PositionView {
  const { positions } = core
  return {
    symbol: positions.symbol(position),
    quantity: positions.quantity(position),
    entryCost: positions.entryCost(position),
    entryQuantity: positions.entryQuantity(position),
    realized: positions.realized(position),
    fees: positions.fees(position),
    openedAtMs: positions.openedAtMs(position),
    updatedAtMs: positions.updatedAtMs(position),
    openBuy: positions.openBuy(position),
    openSell: positions.openSell(position),
  }
}

export function bookLevels(core: Core, side: BookSide, depth: number): BookLevel[] {
  const { levels } = core
  const shown: BookLevel[] = []
  for (let level = side.bestLevel; level !== none && shown.length < depth; level = side.levelAfter(level)) {
    shown.push({ price: levels.price(level), quantity: levels.quantity(level), orders: levels.count(level) })
  }
  return shown
}

export function openOrderViews(core: Core, account: number, symbol: number | undefined): OrderView[] {
  const { orders } = core
  const views: OrderView[] = []
  for (const slot of openOrdersOf(core, account)) {
    if (symbol === undefined || core.positions.symbol(orders.position(slot)) === symbol) views.push(orderView(core, slot))
  }
  return views
}

/** Adds up every asset over all accounts. Walks all balances. */
export function reconcile(core: Core): Reconciliation[] {
  const { balances } = core
  const sums = core.assets.map(() => 0n)
  for (let balance = 0; balance < balances.count; balance++) {
    const asset = balances.asset(balance)
    sums[asset] = sums[asset]! + BigInt(balances.total(balance))
  }
  return core.assets.map((of, asset) => {
    const accounts = sums[asset]!
    const fees = of.fees.toBigInt()
    const insurance = of.insurance.toBigInt() - of.insurancePaid.toBigInt()
    const deposits = of.deposits.toBigInt()
    const withdrawals = of.withdrawals.toBigInt()
    return { asset, accounts, fees, insurance, deposits, withdrawals, difference: accounts + fees + insurance - (deposits - withdrawals) }
  })
}

/** Limits as they hold; `bySymbol` has those set for one market. Minor units of the quote asset. */
export interface LimitsView {
  positionNotionalMax: number
  leverageMaxHundredths: number
  dailyLossMax: number
  bySymbol: Map<number, number>
}

/** Quote minor units of the risk asset, at marks. */
export interface RiskView {
  equity: number
  /** Worst case with all open orders filled. */
  exposure: number
  /** Exposure over equity in hundredths, rounded up; 0 without equity. */
  leverageHundredths: number
  /** Realised P&L after fees since 00:00 UTC of the last command. */
  dailyRealized: number
  borrowed: number
  /** Equity that the exposure asks for at the leverage limit; and, of an account that owes, below which it is liquidated. */
  initialMargin: number
  maintenanceMargin: number
}
