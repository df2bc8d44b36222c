import { AccountMode, MarketStatus, OrderType, Side, TimeInForce, type PlaceOrder } from '@maru/contracts/commands'
import { walkBook } from './book-walk.ts'
import type { Core } from './core.ts'
import { marketFundsRefusal } from './execution.ts'
import { holdFor, notionalMax } from './fees.ts'
import type { Market } from './markets.ts'
import { oppositeOf } from './matching.ts'
import { none as noSlot } from './no-slot.ts'
import { Refusal } from './refusals.ts'
import { riskRefusal } from './risk.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { margin } = AccountMode
const { halted, open } = MarketStatus
const { limit, market: marketType, stop } = OrderType
const { buy } = Side
const { fok, gtc } = TimeInForce
const none: number = noSlot

/** Open orders of an account in one market, quotes left out. */
export const openOrdersMax = 200

/**
 * Whether an order may be taken, in the order written in README.md. Nothing is changed.
 *
 * @returns 0 or the first refusal that applies
 */
export function orderRefusal(core: Core, market: Market, position: number, order: PlaceOrder): number {
  return termsRefusal(market, order) || bookRefusal(core, market, position, order) || backingRefusal(core, market, position, order)
}

/** What can be said of the order by itself: market status, quantity, price, size. */
function termsRefusal(market: Market, order: PlaceOrder): number {
  const { quantity } = order
  if (market.status !== open) return market.status === halted ? Refusal.market_halted : Refusal.cancel_only
  if (!Number.isSafeInteger(quantity) || quantity <= 0) return Refusal.invalid_quantity
  if (quantity < market.terms.quantityMinLots) return Refusal.quantity_too_small
  if (quantity > market.terms.quantityMaxLots) return Refusal.quantity_too_large
  if (order.orderType !== marketType) {
    const price = order.orderType === stop ? order.stopPrice : order.price
    const refusal = priceRefusal(market, price)
    if (refusal !== 0) return refusal
  }
  const price = pricedAt(market, order)
  const notional = price * quantity * market.notionalFactor
  if (notional > notionalMax) return Refusal.amount_too_large
  if (price !== 0 && notional < market.terms.notionalMin) return Refusal.min_notional
  return 0
}

export function priceRefusal(market: Market, price: number): number {
  if (!Number.isSafeInteger(price) || price <= 0) return Refusal.invalid_price
  return price > market.priceMax ? Refusal.price_out_of_range : 0
}

/** The price an order is measured at: its own, for a market order the mark, the last price or the best opposite one; 0 where there is none. */
function pricedAt(market: Market, order: PlaceOrder): number {
  if (order.orderType === limit) return order.price
  if (order.orderType === stop) return order.stopPrice
  return market.referencePrice || oppositeOf(market, order.side).bestPrice
}

/** What the market as it stands says: triggers already reached, nothing to trade against, too many open orders. */
function bookRefusal(core: Core, market: Market, position: number, order: PlaceOrder): number {
  const { latestPrice } = market
  if (order.orderType === stop && latestPrice !== 0) {
    const isReached = order.side === buy ? latestPrice >= order.stopPrice : latestPrice <= order.stopPrice
    if (isReached) return Refusal.stop_would_trigger
  }
  if (order.orderType === marketType && oppositeOf(market, order.side).bestLevel === none) {
    return market.referencePrice === 0 ? Refusal.no_reference_price : Refusal.no_liquidity
  }
  const mayRest = order.orderType !== marketType && order.timeInForce === gtc
  return mayRest && core.positions.openCount(position) >= openOrdersMax ? Refusal.open_order_limit : 0
}

/** Risk limits, then funds. */
function backingRefusal(core: Core, market: Market, position: number, order: PlaceOrder): number {
  const { side, quantity } = order
  if (order.orderType === marketType) {
    let price = 0
    if (side === buy || order.timeInForce === fok) {
      walkBook(core, market, position, side, quantity, Number.NEGATIVE_INFINITY)
      if (core.walk.isTooLarge) return Refusal.amount_too_large
      price = core.walk.worstPrice
    }
    const unpaid = marketFundsRefusal(core, market, position, side, quantity)
    return riskRefusal(core, market, position, side, quantity, price || oppositeOf(market, side).bestPrice, unpaid === 0) || unpaid
  }
  const price = order.orderType === stop ? order.stopPrice : order.price
  const unpaid = holdRefusal(core, position, side, holdFor(market, side, price, quantity))
  return riskRefusal(core, market, position, side, quantity, price, unpaid === 0) || unpaid
}

/** Whether a cash account has so much available to hold. */
export function holdRefusal(core: Core, position: number, side: Side, hold: number): number {
  const { positions, balances, accounts } = core
  if (accounts.mode(positions.account(position)) === margin) return 0
  const balance = positions.heldBalance(position, side)
  return hold > balances.available(balance) ? Refusal.insufficient_funds : 0
}
