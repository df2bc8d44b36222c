import { Side } from '@maru/contracts/commands'
import { amountMax as unitsMax } from '../money/index.ts'
import { leaveQueue, type BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import { feeOf, holdFor } from './fees.ts'
import type { Market } from './markets.ts'
import { closeResting, unlist } from './open-orders.ts'
import { none as noSlot } from './no-slot.ts'
import { EventKind, OrderStatus } from './outcome.ts'
import { Refusal } from './refusals.ts'
import { settle } from './settlement.ts'
import { sideOf } from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { trade: tradeEvent } = EventKind
const { expired, filled: filledWhole, partiallyFilled } = OrderStatus
const { buy } = Side
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
 * @returns 0, or why the rest must expire: `self_trade_prevented`, `amount_too_large`
 */
export function match(core: Core, market: Market, taker: number, minKey: number): number {
  const { orders, levels } = core
  const takerSide = sideOf(orders.traits(taker))
  const takerPosition = orders.position(taker)
  const book = oppositeOf(market, takerSide)
  let remaining = orders.remaining(taker)
  while (remaining > 0 && book.bestLevel !== none) {
    const level = book.bestLevel
    const price = levels.price(level)
    if (price * book.sign < minKey) return 0
    const maker = levels.first(level)
    const makerPosition = orders.position(maker)
    if (makerPosition === takerPosition) return Refusal.self_trade_prevented
    const open = orders.remaining(maker)
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

/** Whether what a fill brings and takes keeps every figure of its owner within 2^53. Always so, but for fortunes of that size. */
function isCountable(core: Core, market: Market, position: number, side: Side, lots: number, notional: number): boolean {
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
  const takerFee = feeOf(notional, market.takerFeePpm)
  const makerFee = feeOf(notional, market.makerFeePpm)
  const takerPosition = orders.position(taker)
  const makerPosition = orders.position(maker)
  const takerRealized = settle(core, market, takerPosition, takerSide, lots, price, takerFee)
  const makerRealized = settle(core, market, makerPosition, (1 - takerSide) as Side, lots, price, makerFee)
  market.lastPrice = price
  market.latestPrice = price
  core.touch(price)
  core.lastTrade += 1

  const takerAccount = positions.account(takerPosition)
  const makerAccount = positions.account(makerPosition)
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
}

/** The maker's hold, queue and lists after a fill that is already in its figures. */
function updateMaker(core: Core, market: Market, book: BookSide, maker: number, lots: number, price: number): void {
  const { orders, positions, balances } = core
  const side = sideOf(orders.traits(maker))
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
