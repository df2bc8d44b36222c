import { AccountMode, MarketStatus, OrderType, Side, TimeInForce } from '@maru/contracts/commands'
import { amountMax as unitsMax } from '../money/index.ts'
import type { BookSide } from './book-side.ts'
import * as bookWalk from './book-walk.ts'
import type { Core } from './core.ts'
import type { Market } from './markets.ts'
import * as matching from './matching.ts'
import * as openOrders from './open-orders.ts'
import { none as noSlot } from './no-slot.ts'
import { OrderStatus } from './outcome.ts'
import * as priceBands from './price-bands.ts'
import { reducibleLots } from './reduce-only.ts'
import { Refusal } from './refusals.ts'
import * as selfTrade from './self-trade.ts'
import * as orderTraits from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { walkBook } = bookWalk
const { leastKey, match, oppositeOf } = matching
const { closeOrder, rest } = openOrders
const { marketKey } = priceBands
const { selfTradeOf } = selfTrade
const { isDetailed, isPostOnly, isReduceOnly, isWaiting, orderTypeOf, sideOf, timeInForceOf } = orderTraits
const { margin } = AccountMode
const { auction } = MarketStatus
const { expired, filled: filledWhole, partiallyFilled } = OrderStatus
const { limit, stopLimit } = OrderType
const { buy } = Side
const { fok, gtc, gtd } = TimeInForce
const none: number = noSlot
const amountMax: number = unitsMax

/** Lets an order that passed every check in: a stop waits, any other trades. */
export function enter(core: Core, market: Market, slot: number): void {
  if (isWaiting(core.orders.traits(slot))) rest(core, market, slot)
  else execute(core, market, slot)
}

/** Trades an accepted order and settles what becomes of its rest: it waits in the book, or the order is final. */
export function execute(core: Core, market: Market, slot: number): void {
  const { orders } = core
  const traits = orders.traits(slot)
  const orderType = orderTypeOf(traits)
  const isLimit = orderType === limit || orderType === stopLimit
  const timeInForce = timeInForceOf(traits)
  const mayRest = isLimit && (timeInForce === gtc || timeInForce === gtd)
  const minKey = isLimit ? leastKey(sideOf(traits), orders.price(slot)) : marketKey(market, sideOf(traits))
  if (timeInForce === fok && !canFillWhole(core, market, slot, minKey)) {
    expire(core, slot, Refusal.fok_not_filled)
    return
  }
  if (mayRest && (market.status === auction || !meets(oppositeOf(market, sideOf(traits)), minKey))) {
    rest(core, market, slot)
    return
  }
  if (isPostOnly(traits)) {
    expire(core, slot, Refusal.post_only_would_take)
    return
  }
  const stopped = match(core, market, slot, minKey)
  const filled = orders.filled(slot)
  if (stopped !== 0) {
    expire(core, slot, stopped)
  } else if (filled === orders.quantity(slot)) {
    if (isDetailed(traits) && orders.details(slot).isCutShort) expire(core, slot, unfilledRefusal(market, sideOf(traits)))
    else closeOrder(core, slot, filledWhole, 0)
  } else if (!isLimit) {
    expire(core, slot, unfilledRefusal(market, sideOf(traits)))
  } else if (!mayRest) {
    expire(core, slot, filled === 0 ? Refusal.ioc_not_filled : 0)
  } else {
    rest(core, market, slot)
    if (filled > 0) {
      orders.setStatus(slot, partiallyFilled)
      core.emitOrderUpdated(slot)
    }
  }
}

/** Why a market order could not go on: there is nothing more, or only beyond the collar. */
export function unfilledRefusal(market: Market, side: Side): number {
  return oppositeOf(market, side).bestLevel === none ? Refusal.no_liquidity : Refusal.price_collar
}

/** Whether the best level of a side is one that a taker down to `minKey` trades with. */
export function meets(opposite: BookSide, minKey: number): boolean {
  return opposite.bestKey >= minKey
}

/**
 * Executes a stop that has just been triggered, as a market order or at its limit. Its hold is released already; a market order looks at funds anew, a
 * limit order needs no more than it held.
 */
export function executeTriggered(core: Core, market: Market, slot: number): void {
  const { orders } = core
  const traits = orders.traits(slot)
  const side = sideOf(traits)
  if (orderTypeOf(traits) === stopLimit) {
    execute(core, market, slot)
    return
  }
  if (oppositeOf(market, side).bestLevel === none) {
    expire(core, slot, Refusal.no_liquidity)
    return
  }
  const position = orders.position(slot)
  const lots = orders.quantity(slot)
  if (side === buy) walkBook(core, market, position, side, lots, marketKey(market, side), selfTradeOf(core, slot))
  const refusal = side === buy && core.walk.isTooLarge ? Refusal.amount_too_large : marketFundsRefusal(core, market, position, side, lots)
  if (refusal === 0) execute(core, market, slot)
  else expire(core, slot, refusal)
}

/** Whether a cash account can pay for a market order: for a buy exactly what `core.walk` found, for a sell all of its lots. */
export function marketFundsRefusal(core: Core, market: Market, position: number, side: Side, lots: number): number {
  const { positions, balances, accounts, walk } = core
  if (accounts.mode(positions.account(position)) === margin) return 0
  const needed = side === buy ? walk.notional + walk.fees : lots * market.lotFactor
  const balance = positions.heldBalance(position, side)
  return needed > balances.available(balance) ? Refusal.insufficient_funds : 0
}

function canFillWhole(core: Core, market: Market, slot: number, minKey: number): boolean {
  const { orders, walk } = core
  const traits = orders.traits(slot)
  const position = orders.position(slot)
  const lots = orders.remaining(slot)
  if (isReduceOnly(traits) && reducibleLots(core, position, sideOf(traits)) < lots) return false
  walkBook(core, market, position, sideOf(traits), lots, minKey, selfTradeOf(core, slot))
  return walk.lots === lots && !walk.isTooLarge && walk.notional <= amountMax
}

/** Ends an order that is not resting; what was filled stays filled. */
export function expire(core: Core, slot: number, refusal: number): void {
  closeOrder(core, slot, expired, refusal)
}
