import { SelfTrade, Side } from '@maru/contracts/commands'
import { amountMax as unitsMax } from '../money/index.ts'
import * as bookSide from './book-side.ts'
import type { BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import * as feeTiers from './fee-tiers.ts'
import * as fees from './fees.ts'
import type { Market } from './markets.ts'
import * as openOrders from './open-orders.ts'
import { back, closeOrder, closeResting } from './open-orders.ts'
import { legFilled } from './list-legs.ts'
import { none as noSlot } from './no-slot.ts'
import { EventKind, OrderStatus } from './outcome.ts'
import { Refusal } from './refusals.ts'
import * as settlement from './settlement.ts'
import { reducibleLots } from './reduce-only.ts'
import * as selfTrade from './self-trade.ts'
import { preventSelfTrade } from './self-trade.ts'
import * as orderTraits from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { leaveQueue } = bookSide
const { makerPpmOf, takerPpmOf } = feeTiers
const { feeOf, holdFor } = fees
const { unlist } = openOrders
const { settle } = settlement
const { groupOf, selfTradeOf } = selfTrade
const { isDetailed, isReduceOnly, sideOf } = orderTraits
const { trade: tradeEvent } = EventKind
const { expired, filled: filledWhole, partiallyFilled } = OrderStatus
const { buy } = Side
const { allow } = SelfTrade
const none: number = noSlot
const amountMax: number = unitsMax

/** The side a taker trades against. */
export function oppositeOf(market: Market, side: Side): BookSide {
  return side === buy ? market.asks : market.bids
}

/**
 * The worst key of the opposite side that a limit price still trades with: keys grow towards better prices (see BookSide). With no limit (0) any.
 */
export function leastKey(side: Side, limitPrice: number): number {
  if (limitPrice === 0) return Number.NEGATIVE_INFINITY
  return side === buy ? -limitPrice : limitPrice
}

/**
 * Trades an order against the other side, best price first and within a price oldest first, each at the resting price, until it is
 * filled, prices no longer cross, or it must not go on. The order itself is not in the book.
 *
 * @returns 0, or why the rest must expire: `self_trade_prevented`, `amount_too_large`, `reduce_only_would_increase`
 */
export function match(core: Core, market: Market, taker: number, minKey: number): number {
  const { orders, levels } = core
  const takerTraits = orders.traits(taker)
  const takerSide = sideOf(takerTraits)
  const takerPosition = orders.position(taker)
  const takerGroup = groupOf(core, takerPosition)
  const book = oppositeOf(market, takerSide)
  let remaining = orders.remaining(taker)
  if (isReduceOnly(takerTraits)) {
    const reducible = reducibleLots(core, takerPosition, takerSide)
    if (reducible < remaining) return matchReducing(core, market, taker, minKey, reducible)
  }
  while (remaining > 0 && book.bestLevel !== none) {
    const level = book.bestLevel
    const price = levels.price(level)
    if (price * book.sign < minKey) return 0
    const maker = levels.first(level)
    const makerPosition = orders.position(maker)
    if (makerPosition === takerPosition || (takerGroup !== 0 && groupOf(core, makerPosition) === takerGroup)) {
      const mode = selfTradeOf(core, taker)
      if (mode !== allow) {
        const stopped = preventSelfTrade(core, market, taker, maker, mode)
        if (stopped !== 0) return stopped
        remaining = orders.remaining(taker)
        continue
      }
    }
    const open = isDetailed(orders.traits(maker)) ? offeredBy(core, market, maker) : orders.remaining(maker)
    if (open === 0) continue
    const lots = remaining < open ? remaining : open
    const notional = price * lots * market.notionalFactor
    if (orders.filledNotional(taker) + notional > amountMax || !isCountable(core, market, takerPosition, takerSide, lots, notional)) {
      return Refusal.amount_too_large
    }
    if (!isCountable(core, market, makerPosition, (1 - takerSide) as Side, lots, notional)) {
      closeResting(core, market, maker, expired, Refusal.amount_too_large)
      continue
    }
    trade(core, market, book, taker, maker, lots, price, notional)
    remaining -= lots
  }
  return 0
}

/** Matches what a reduce-only order may trade of all it asks for; the rest must expire. */
function matchReducing(core: Core, market: Market, taker: number, minKey: number, reducible: number): number {
  const { orders } = core
  const beyond = orders.remaining(taker) - reducible
  orders.setQuantity(taker, orders.quantity(taker) - beyond)
  const stopped = reducible === 0 ? 0 : match(core, market, taker, minKey)
  const isDone = orders.remaining(taker) === 0
  orders.setQuantity(taker, orders.quantity(taker) + beyond)
  return stopped !== 0 || !isDone ? stopped : Refusal.reduce_only_would_increase
}

/** Lots of an order that has details which a taker may have now. 0 where it had to go: it could not trade any more. */
export function offeredBy(core: Core, market: Market, maker: number): number {
  const { orders } = core
  const traits = orders.traits(maker)
  const { shown } = orders.details(maker)
  if (!isReduceOnly(traits)) return shown
  const reducible = reducibleLots(core, orders.position(maker), sideOf(traits))
  if (reducible > 0) return shown < reducible ? shown : reducible
  closeResting(core, market, maker, expired, Refusal.reduce_only_would_increase)
  return 0
}

/** Whether what a fill brings and takes keeps every figure of its owner within 2^53. Always so, but for fortunes of that size. */
export function isCountable(core: Core, market: Market, position: number, side: Side, lots: number, notional: number): boolean {
  const { positions, balances } = core
  const base = balances.total(positions.baseBalance(position))
  const quote = balances.total(positions.quoteBalance(position))
  const units = lots * market.lotFactor
  // Twice the notional is more than it is with its fee.
  if (
    side === buy ? base + units > amountMax || quote - 2 * notional < -amountMax : quote + notional > amountMax || base - units < -amountMax
  ) {
    return false
  }
  return positions.openCost(position) + notional <= amountMax
}

/** One fill: both sides settled, the maker's order brought up to date, and told. */
function trade(
  core: Core,
  market: Market,
  book: BookSide,
  taker: number,
  maker: number,
  lots: number,
  price: number,
  notional: number,
): void {
  const { orders, accounts, positions, outcome } = core
  const takerSide = sideOf(orders.traits(taker))
  const takerPosition = orders.position(taker)
  const makerPosition = orders.position(maker)
  const takerAccount = positions.account(takerPosition)
  const makerAccount = positions.account(makerPosition)
  const takerFee = feeOf(notional, takerPpmOf(core, market, takerAccount))
  const makerFee = feeOf(notional, makerPpmOf(core, market, makerAccount))
  const takerRealized = settle(core, market, takerPosition, takerSide, lots, price, takerFee)
  const makerRealized = settle(core, market, makerPosition, (1 - takerSide) as Side, lots, price, makerFee)
  market.lastPrice = price
  market.latestPrice = price
  core.touch(price)
  core.lastTrade += 1

  const at = outcome.begin(tradeEvent, 16)
  const { data } = outcome
  data[at] = core.lastTrade
  data[at + 1] = market.symbol
  data[at + 2] = price
  data[at + 3] = lots
  data[at + 4] = notional
  data[at + 5] = takerSide
  data[at + 6] = orders.id(taker)
  data[at + 7] = takerAccount
  data[at + 8] = accounts.nextSequence(takerAccount)
  data[at + 9] = takerFee
  data[at + 10] = takerRealized
  data[at + 11] = orders.id(maker)
  data[at + 12] = makerAccount
  data[at + 13] = accounts.nextSequence(makerAccount)
  data[at + 14] = makerFee
  data[at + 15] = makerRealized

  orders.addFill(taker, lots, notional, takerFee, core.timeMs)
  orders.addFill(maker, lots, notional, makerFee, core.timeMs)
  updateMaker(core, market, book, maker, lots, price)
  if (isDetailed(orders.traits(taker) | orders.traits(maker))) {
    legFilled(core, market, taker, lots)
    legFilled(core, market, maker, lots)
  }
}

/** The maker's hold, queue and lists after a fill that is already in its figures. */
export function updateMaker(core: Core, market: Market, book: BookSide, maker: number, lots: number, price: number): void {
  const { orders, positions, balances } = core
  const traits = orders.traits(maker)
  if (isDetailed(traits)) {
    updateDetailedMaker(core, market, book, maker, lots)
    return
  }
  const side = sideOf(traits)
  const position = orders.position(maker)
  const remaining = orders.remaining(maker)
  const hold = remaining === 0 ? 0 : holdFor(market, side, price, remaining)
  balances.addHeld(positions.heldBalance(position, side), hold - holdFor(market, side, price, remaining + lots))
  positions.addOpen(position, side, -lots)
  if (remaining === 0) {
    leaveQueue(orders, core.levels, book, maker, lots)
    unlist(core, maker)
    orders.close(maker, filledWhole, 0)
  } else {
    book.reduce(maker, lots)
    orders.setStatus(maker, partiallyFilled)
  }
  core.emitOrderUpdated(maker)
}

/** The same for an order with details: an iceberg whose shown part is gone shows the next at the end of the queue; the other leg of an OCO follows. */
function updateDetailedMaker(core: Core, market: Market, book: BookSide, maker: number, lots: number): void {
  const { orders, levels } = core
  const details = orders.details(maker)
  const remaining = orders.remaining(maker)
  back(core, market, maker, -1, remaining + lots)
  if (remaining > 0) back(core, market, maker, 1, remaining)
  const shownBefore = details.shown
  details.shown -= lots
  if (details.shown > 0) book.reduce(maker, lots)
  else leaveQueue(orders, levels, book, maker, shownBefore)
  if (remaining === 0) {
    unlist(core, maker)
    closeOrder(core, maker, filledWhole, 0)
  } else {
    if (details.shown === 0) {
      details.shown = details.displayQuantity === 0 ? remaining : Math.min(details.displayQuantity, remaining)
      book.append(maker, orders.price(maker), details.shown)
    }
    orders.setStatus(maker, partiallyFilled)
    core.emitOrderUpdated(maker)
  }
}
