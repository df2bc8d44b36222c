import { MarketStatus, OrderType, Side, TimeInForce, type MassQuote } from '@maru/contracts/commands'
import { amountMax } from '../money/index.ts'
import type { Core } from './core.ts'
import { holdFor, notionalMax } from './fees.ts'
import type { Market } from './markets.ts'
import { leastKey, match } from './matching.ts'
import { holdOf, rest, shrink, withdraw } from './open-orders.ts'
import { holdRefusal, priceRefusal } from './order-checks.ts'
import { none } from './no-slot.ts'
import { OrderStatus } from './outcome.ts'
import { bandRefusal } from './price-bands.ts'
import { Refusal } from './refusals.ts'
import { closedRefusal, rateRefusal } from './restrictions.ts'
import { riskRefusal } from './risk.ts'
import { packTraits } from './traits.ts'

/** Levels a side of one mass quote. */
export const quoteLevelsMax = 100

/**
 * Replaces the quotes of an account in one market. A quote whose price stays keeps its place if its quantity does not grow. New levels that
 * cross the book trade as taker; what would meet an order of the same account is left out. If anything about it is refused the old quotes
 * are withdrawn and no new one is placed: a maker whose quote fails must not be left with stale ones.
 */
export function massQuote(core: Core, quote: MassQuote): void {
  if (!core.accounts.has(quote.account)) {
    core.emitRefused(Refusal.account_not_found)
    return
  }
  const market = core.market(quote.symbol)
  if (!market) {
    core.emitRefused(Refusal.symbol_not_found)
    return
  }
  const position = core.positionOf(quote.account, market)
  const refusal = rateRefusal(core, quote.account) || quoteRefusal(core, market, position, quote)
  if (refusal !== 0) {
    withdrawQuotes(core, market, position)
    core.emitRefused(refusal)
    return
  }
  reviseSide(core, market, position, Side.buy, quote.bids)
  reviseSide(core, market, position, Side.sell, quote.asks)
  addSide(core, market, position, Side.buy, quote.bids)
  addSide(core, market, position, Side.sell, quote.asks)
}

/** Withdraws all quotes of a position. */
export function withdrawQuotes(core: Core, market: Market, position: number): void {
  for (const side of [Side.buy, Side.sell]) {
    for (let slot = core.positions.firstQuote(position, side); slot !== none; slot = core.positions.firstQuote(position, side)) {
      withdrawQuote(core, market, slot)
    }
  }
}

export function withdrawQuote(core: Core, market: Market, slot: number): void {
  withdraw(core, market, slot)
  core.orders.close(slot, OrderStatus.cancelled, 0)
}

function quoteRefusal(core: Core, market: Market, position: number, quote: MassQuote): number {
  const refusal =
    closedRefusal(core, market, quote.account) ||
    (market.status === MarketStatus.auction ? Refusal.market_auction : 0) ||
    levelsRefusal(market, Side.buy, quote.bids) ||
    levelsRefusal(market, Side.sell, quote.asks)
  if (refusal !== 0) return refusal
  const [bid, ask] = [quote.bids[0], quote.asks[0]]
  if (bid !== undefined && ask !== undefined && bid >= ask) return Refusal.invalid_price
  return sideBacking(core, market, position, Side.buy, quote.bids) || sideBacking(core, market, position, Side.sell, quote.asks)
}

function levelsRefusal(market: Market, side: Side, levels: readonly number[]): number {
  if (!Array.isArray(levels) || levels.length % 2 !== 0 || levels.length > quoteLevelsMax * 2) return Refusal.invalid_request
  const { terms } = market
  let before = side === Side.buy ? Number.POSITIVE_INFINITY : 0
  for (let at = 0; at < levels.length; at += 2) {
    const price = levels[at]!
    const lots = levels[at + 1]!
    if (!Number.isSafeInteger(lots) || lots <= 0) return Refusal.invalid_quantity
    if (lots < terms.quantityMinLots) return Refusal.quantity_too_small
    if (lots > terms.quantityMaxLots) return Refusal.quantity_too_large
    const refusal = priceRefusal(market, price)
    if (refusal !== 0) return refusal
    // The best level is the most aggressive one.
    if (at === 0 && bandRefusal(market, side, price, market.referencePrice) !== 0) return Refusal.price_collar
    if (side === Side.buy ? price >= before : price <= before) return Refusal.invalid_price
    before = price
    const notional = price * lots * market.notionalFactor
    if (notional > notionalMax) return Refusal.amount_too_large
    if (notional < terms.notionalMin) return Refusal.min_notional
  }
  return 0
}

/** Risk and funds of one side as a whole, with what the old quotes hold and expose counted as free. */
function sideBacking(core: Core, market: Market, position: number, side: Side, levels: readonly number[]): number {
  if (levels.length === 0) return 0
  const { orders, positions } = core
  let lots = 0
  let hold = 0
  for (let at = 0; at < levels.length; at += 2) {
    lots += levels[at + 1]!
    hold += holdFor(market, side, levels[at]!, levels[at + 1]!)
  }
  if (hold > amountMax) return Refusal.amount_too_large
  for (let slot = positions.firstQuote(position, side); slot !== none; slot = orders.nextQuote(slot)) {
    lots -= orders.remaining(slot)
    hold -= holdOf(core, market, slot)
  }
  const highest = side === Side.buy ? levels[0]! : levels[levels.length - 2]!
  const unpaid = holdRefusal(core, position, side, hold)
  return riskRefusal(core, market, position, side, lots, highest, unpaid === 0) || unpaid
}

/** Withdraws the quotes of a side whose price is gone or whose quantity grew, and shrinks those whose quantity fell. */
function reviseSide(core: Core, market: Market, position: number, side: Side, levels: readonly number[]): void {
  const { orders, positions } = core
  let at = 0
  let next = none
  for (let slot = positions.firstQuote(position, side); slot !== none; slot = next) {
    next = orders.nextQuote(slot)
    const price = orders.price(slot)
    while (at < levels.length && (side === Side.buy ? levels[at]! > price : levels[at]! < price)) at += 2
    const isKept = at < levels.length && levels[at] === price && levels[at + 1]! <= orders.remaining(slot)
    if (!isKept) withdrawQuote(core, market, slot)
    else if (levels[at + 1]! < orders.remaining(slot)) shrink(core, market, slot, orders.remaining(slot) - levels[at + 1]!)
  }
}

/** Places the levels of a side that no kept quote stands for, best first, and keeps the position's list of quotes in that order. */
function addSide(core: Core, market: Market, position: number, side: Side, levels: readonly number[]): void {
  const { orders, positions } = core
  let before = none
  for (let at = 0; at < levels.length; at += 2) {
    const price = levels[at]!
    const after = before === none ? positions.firstQuote(position, side) : orders.nextQuote(before)
    if (after !== none && orders.price(after) === price) {
      before = after
      continue
    }
    const slot = placeQuote(core, market, position, side, price, levels[at + 1]!)
    if (slot === none) continue
    orders.setPreviousQuote(slot, before)
    orders.setNextQuote(slot, after)
    if (before === none) positions.setFirstQuote(position, side, slot)
    else orders.setNextQuote(before, slot)
    if (after !== none) orders.setPreviousQuote(after, slot)
    before = slot
  }
}

/** The slot of a new quote if some of it rests, else -1. */
function placeQuote(core: Core, market: Market, position: number, side: Side, price: number, lots: number): number {
  const { orders } = core
  core.lastOrder += 1
  const traits = packTraits(side, OrderType.limit, TimeInForce.gtc, true)
  const slot = orders.create(core.lastOrder, position, traits, lots, price, core.timeMs)
  const stopped = match(core, market, slot, leastKey(side, price))
  if (orders.filled(slot) === lots) {
    orders.close(slot, OrderStatus.filled, 0)
    return none
  }
  if (stopped !== 0) {
    orders.close(slot, OrderStatus.expired, stopped)
    return none
  }
  if (orders.filled(slot) > 0) orders.setStatus(slot, OrderStatus.partiallyFilled)
  rest(core, market, slot)
  return slot
}
