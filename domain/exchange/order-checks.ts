import {
  AccountMode,
  MarketStatus,
  OrderType,
  SelfTrade,
  Side,
  TimeInForce,
  TrailingUnit,
  type OrderExtras,
  type PlaceOrder,
} from '@maru/contracts/commands'
import * as bookWalk from './book-walk.ts'
import type { Core } from './core.ts'
import * as execution from './execution.ts'
import * as fees from './fees.ts'
import type { Market } from './markets.ts'
import * as matching from './matching.ts'
import { none as noSlot } from './no-slot.ts'
import * as priceBands from './price-bands.ts'
import { Refusal } from './refusals.ts'
import { reducibleLots } from './reduce-only.ts'
import * as restrictions from './restrictions.ts'
import { entryRefusal } from './restrictions.ts'
import * as risk from './risk.ts'
import { followedPrice, trailedPrice } from './trailing.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { walkBook } = bookWalk
const { marketFundsRefusal } = execution
const { holdFor, notionalMax } = fees
const { leastKey, oppositeOf } = matching
const { bandRefusal, marketKey } = priceBands
const { isRestricted, openOrdersMaxOf } = restrictions
const { riskRefusal } = risk
const { margin } = AccountMode
const { auction, open } = MarketStatus
const { limit, market: marketType, stop, stopLimit, trailingStop } = OrderType
const { buy } = Side
const { fok, gtc, gtd } = TimeInForce
const { expireTaker } = SelfTrade
const none: number = noSlot

/** Parts in which an iceberg may show itself. */
const icebergPartsMax = 100
/** A trailing stop stays below the whole price. */
const trailingPointsMax = 9_999

/**
 * Whether an order may be taken, in the order written in README.md. Nothing is changed.
 *
 * @returns 0 or the first refusal that applies
 */
export function orderRefusal(core: Core, market: Market, position: number, order: PlaceOrder): number {
  return unbackedRefusal(core, market, position, order) || backingRefusal(core, market, position, order, restPrice(market, order))
}

/** What can be said of the order by itself: market status, quantity, price, size. */
export function termsRefusal(core: Core, market: Market, order: PlaceOrder): number {
  const { quantity, extras } = order
  if (market.status !== open || market.isStopped || isRestricted(core, order.account)) {
    const refusal = entryRefusal(core, market, order)
    if (refusal !== 0) return refusal
  }
  if (!Number.isSafeInteger(quantity) || quantity <= 0) return Refusal.invalid_quantity
  if (quantity < market.terms.quantityMinLots) return Refusal.quantity_too_small
  if (quantity > market.terms.quantityMaxLots) return Refusal.quantity_too_large
  const refusal = pricesRefusal(market, order)
  if (refusal !== 0) return refusal
  const price = pricedAt(market, order)
  const notional = price * quantity * market.notionalFactor
  if (notional > notionalMax) return Refusal.amount_too_large
  if (price !== 0 && notional < market.terms.notionalMin) return Refusal.min_notional
  return extras === null ? 0 : extrasRefusal(core, market, order, extras)
}

function pricesRefusal(market: Market, order: PlaceOrder): number {
  const { orderType, price, stopPrice, side } = order
  if (orderType === limit) return priceRefusal(market, price) || bandRefusal(market, side, price, market.referencePrice)
  if (orderType === stop) return priceRefusal(market, stopPrice)
  // It trades when the market is at its stop price, so that is what its limit is held against.
  if (orderType === stopLimit)
    return priceRefusal(market, stopPrice) || priceRefusal(market, price) || bandRefusal(market, side, price, stopPrice)
  if (orderType === trailingStop) return trailingRefusal(market, order, order.extras!)
  return 0
}

/** Whether a trailing stop can stay so far behind. */
export function isOffset(market: Market, { trailingOffset, trailingUnit }: OrderExtras): boolean {
  const max = trailingUnit === TrailingUnit.ticks ? market.priceMax : trailingPointsMax
  return Number.isSafeInteger(trailingOffset) && trailingOffset > 0 && trailingOffset <= max
}

function trailingRefusal(market: Market, order: PlaceOrder, extras: OrderExtras): number {
  if (!isOffset(market, extras)) return Refusal.invalid_trailing_delta
  if (followedPrice(market, extras.trigger) === 0) return Refusal.no_reference_price
  return priceRefusal(market, restPrice(market, order))
}

/** Expiry and display quantity. */
function extrasRefusal(core: Core, market: Market, { quantity, timeInForce }: PlaceOrder, extras: OrderExtras): number {
  const { displayQuantity: shown, expiresAtMs } = extras
  if (timeInForce === gtd && expiresAtMs <= core.timeMs) return Refusal.invalid_expiry
  if (shown === 0) return 0
  const isShowable = shown >= market.terms.quantityMinLots && shown <= quantity && Math.ceil(quantity / shown) <= icebergPartsMax
  return isShowable ? 0 : Refusal.invalid_display_quantity
}

/** The price an order rests, waits and holds at: its limit or stop price, of a trailing stop where it would stand now; 0 of a market order. */
export function restPrice(market: Market, order: PlaceOrder): number {
  switch (order.orderType) {
    case limit:
    case stopLimit:
      return order.price
    case stop:
      return order.stopPrice
    case trailingStop: {
      const { trigger, trailingUnit, trailingOffset } = order.extras!
      return trailedPrice(order.side, followedPrice(market, trigger), trailingUnit, trailingOffset)
    }
    default:
      return 0
  }
}

export function priceRefusal(market: Market, price: number): number {
  if (!Number.isSafeInteger(price) || price <= 0) return Refusal.invalid_price
  return price > market.priceMax ? Refusal.price_out_of_range : 0
}

/** The price an order is measured at: its own, for a market order the mark, the last price or the best opposite one; 0 where there is none. */
function pricedAt(market: Market, order: PlaceOrder): number {
  if (order.orderType !== marketType) return restPrice(market, order)
  return market.referencePrice || oppositeOf(market, order.side).bestPrice
}

/** What the market as it stands says: triggers already reached, nothing to trade against or to reduce, too many open orders. */
function bookRefusal(core: Core, market: Market, position: number, order: PlaceOrder): number {
  const { orderType, timeInForce, side, extras } = order
  if ((orderType === stop || orderType === stopLimit) && isReached(market, order)) return Refusal.stop_would_trigger
  const opposite = oppositeOf(market, side)
  if (orderType === marketType && opposite.bestLevel === none) {
    return market.referencePrice === 0 ? Refusal.no_reference_price : Refusal.no_liquidity
  }
  if (extras !== null) {
    if (extras.isPostOnly && orderType === limit && market.status !== auction && opposite.bestKey >= leastKey(side, order.price)) {
      return Refusal.post_only_would_take
    }
    if (extras.isReduceOnly && reducibleLots(core, position, side) === 0) return Refusal.reduce_only_would_increase
  }
  const mayRest = orderType !== marketType && (timeInForce === gtc || timeInForce === gtd)
  // The order that this one replaces makes room for it.
  const places = openOrdersMaxOf(core, order.account) + (core.replaced === none ? 0 : 1)
  return mayRest && core.positions.openCount(position) >= places ? Refusal.open_order_limit : 0
}

/** Whether the price a stop looks at has reached it already. */
function isReached(market: Market, { side, stopPrice, extras }: PlaceOrder): boolean {
  const price = extras === null ? market.latestPrice : followedPrice(market, extras.trigger)
  if (price === 0) return false
  return side === buy ? price >= stopPrice : price <= stopPrice
}

/**
 * Whether an order whose time has come may be placed now. Another of its list holds for it where it is shared.
 *
 * @param price what it will hold at; nothing of a market order
 */
export function activationRefusal(
  core: Core,
  market: Market,
  position: number,
  order: PlaceOrder,
  price: number,
  isShared: boolean,
): number {
  const isUseless = order.extras?.isReduceOnly === true && reducibleLots(core, position, order.side) === 0
  const refusal = entryRefusal(core, market, order) || pricesRefusal(market, order) || (isUseless ? Refusal.reduce_only_would_increase : 0)
  return refusal !== 0 || isShared ? refusal : backingRefusal(core, market, position, order, price)
}

/** Risk limits, then funds. */
function backingRefusal(core: Core, market: Market, position: number, order: PlaceOrder, price: number): number {
  const { side, quantity, extras } = order
  const isReduceOnly = extras !== null && extras.isReduceOnly
  if (order.orderType === marketType) {
    let worstPrice = 0
    if (side === buy || order.timeInForce === fok) {
      walkBook(core, market, position, side, quantity, marketKey(market, side), extras === null ? expireTaker : extras.selfTrade)
      if (core.walk.isTooLarge) return Refusal.amount_too_large
      worstPrice = core.walk.worstPrice
    }
    const unpaid = marketFundsRefusal(
      core,
      market,
      position,
      side,
      isReduceOnly ? Math.min(quantity, reducibleLots(core, position, side)) : quantity,
    )
    if (isReduceOnly) return unpaid
    return riskRefusal(core, market, position, side, quantity, worstPrice || oppositeOf(market, side).bestPrice, unpaid === 0) || unpaid
  }
  const unpaid = holdRefusal(core, position, side, holdFor(market, side, price, quantity))
  return isReduceOnly ? unpaid : riskRefusal(core, market, position, side, quantity, price, unpaid === 0) || unpaid
}

/** All that is asked of an order for which another holds: the checks without limits and funds. */
export function unbackedRefusal(core: Core, market: Market, position: number, order: PlaceOrder): number {
  return termsRefusal(core, market, order) || bookRefusal(core, market, position, order)
}

/** Whether a cash account has so much available to hold. */
export function holdRefusal(core: Core, position: number, side: Side, hold: number): number {
  const { positions, balances, accounts } = core
  if (accounts.mode(positions.account(position)) === margin) return 0
  const balance = positions.heldBalance(position, side)
  return hold > balances.available(balance) ? Refusal.insufficient_funds : 0
}
