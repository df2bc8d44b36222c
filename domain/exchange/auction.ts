import { SelfTrade, Side } from '@maru/contracts/commands'
import { amountMax } from '../money/index.ts'
import type { BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import { makerPpmOf } from './fee-tiers.ts'
import { feeOf } from './fees.ts'
import { legFilled } from './list-legs.ts'
import type { Market } from './markets.ts'
import { isCountable, offeredBy, updateMaker } from './matching.ts'
import { none } from './no-slot.ts'
import { closeResting } from './open-orders.ts'
import { EventKind, OrderStatus } from './outcome.ts'
import { reducibleLots } from './reduce-only.ts'
import { Refusal } from './refusals.ts'
import { groupOf, selfTradeOf } from './self-trade.ts'
import { settle } from './settlement.ts'
import { isDetailed, isReduceOnly, sideOf } from './traits.ts'

/** What an auction would trade now. */
export interface AuctionPrice {
  price: number
  /** Lots. */
  volume: number
  /** Lots by which one side is more than the other at this price. */
  imbalance: number
}

interface Offer {
  price: number
  lots: number
}

/** Whether buyers and sellers have met without having been matched: only where an auction collected them. */
export function isCrossed({ bids, asks }: Market): boolean {
  return bids.bestLevel !== none && asks.bestLevel !== none && bids.bestPrice >= asks.bestPrice
}

/**
 * The one price at which most lots trade; of several the one that leaves the least imbalance, then the nearest to the reference price, then the lowest.
 * Between two prices of the book all prices trade alike, so of each such gap the one nearest to the reference is looked at.
 */
export function auctionPrice(core: Core, market: Market): AuctionPrice | undefined {
  if (!isCrossed(market)) return undefined
  const asks = offersTo(core, market.asks, market.bids.bestPrice)
  const bids = offersTo(core, market.bids, market.asks.bestPrice).toReversed()
  const reference = market.referencePrice
  let demand = bids.reduce((sum, { lots }) => sum + lots, 0)
  let supply = 0
  let [nextBid, nextAsk] = [0, 0]
  let best: AuctionPrice | undefined
  const consider = (price: number): void => {
    const found = { price, volume: Math.min(demand, supply), imbalance: Math.abs(demand - supply) }
    if (best === undefined || isBetter(found, best, reference)) best = found
  }
  let before = none
  while (nextAsk < asks.length || nextBid < bids.length) {
    const price = Math.min(asks[nextAsk]?.price ?? Infinity, bids[nextBid]?.price ?? Infinity)
    if (before !== none && price - before > 1) consider(Math.min(Math.max(reference, before + 1), price - 1))
    for (; asks[nextAsk]?.price === price; nextAsk++) supply += asks[nextAsk]!.lots
    consider(price)
    for (; bids[nextBid]?.price === price; nextBid++) demand -= bids[nextBid]!.lots
    before = price
  }
  return best
}

function isBetter(found: AuctionPrice, best: AuctionPrice, reference: number): boolean {
  if (found.volume !== best.volume) return found.volume > best.volume
  if (found.imbalance !== best.imbalance) return found.imbalance < best.imbalance
  return Math.abs(found.price - reference) < Math.abs(best.price - reference)
}

/** What a side offers from its best price to another, best first; what icebergs hide as well. */
function offersTo(core: Core, side: BookSide, worst: number): Offer[] {
  const offers: Offer[] = []
  for (let level = side.bestLevel; level !== none; level = side.levelAfter(level)) {
    const price = core.levels.price(level)
    if (price * side.sign < worst * side.sign) break
    let lots = 0
    for (let slot = core.levels.first(level); slot !== none; slot = core.orders.next(slot)) lots += offered(core, slot)
    offers.push({ price, lots })
  }
  return offers
}

function offered(core: Core, slot: number): number {
  const { orders } = core
  const traits = orders.traits(slot)
  const remaining = orders.remaining(slot)
  return isReduceOnly(traits) ? Math.min(remaining, reducibleLots(core, orders.position(slot), sideOf(traits))) : remaining
}

/**
 * Trades all that crosses, at one price. Only where orders had to go on the way (their own owner stood against them, or they had nothing left to reduce)
 * what is left may cross again: it trades at a price of its own.
 *
 * @returns the last price; 0 where nothing was traded
 */
export function uncross(core: Core, market: Market): number {
  let traded = 0
  for (let found = auctionPrice(core, market); found; found = auctionPrice(core, market)) {
    traded = uncrossAt(core, market, found.price) || traded
  }
  return traded
}

/** Trades by price, then time, on both sides until no two orders meet at a price. */
function uncrossAt(core: Core, market: Market, price: number): number {
  const { levels } = core
  const { bids, asks } = market
  let traded = 0
  while (bids.bestLevel !== none && asks.bestLevel !== none && bids.bestPrice >= price && asks.bestPrice <= price) {
    if (meet(core, market, levels.first(bids.bestLevel), levels.first(asks.bestLevel), price)) traded = price
  }
  return traded
}

/** Trades two orders with each other, or lets the one go that must not. True where they traded. */
function meet(core: Core, market: Market, bid: number, ask: number, price: number): boolean {
  const { orders } = core
  const newer = orders.id(bid) > orders.id(ask) ? bid : ask
  if (isSameOwner(core, orders.position(bid), orders.position(ask)) && selfTradeOf(core, newer) !== SelfTrade.allow) {
    closeResting(core, market, newer, OrderStatus.expired, Refusal.self_trade_prevented)
    return false
  }
  const wanted = shownOf(core, market, bid)
  const given = wanted === 0 ? 0 : shownOf(core, market, ask)
  if (given === 0) return false
  const lots = Math.min(wanted, given)
  const notional = price * lots * market.notionalFactor
  for (const [slot, side] of [
    [bid, Side.buy],
    [ask, Side.sell],
  ] as const) {
    if (orders.filledNotional(slot) + notional <= amountMax && isCountable(core, market, orders.position(slot), side, lots, notional))
      continue
    closeResting(core, market, slot, OrderStatus.expired, Refusal.amount_too_large)
    return false
  }
  trade(core, market, newer, newer === bid ? ask : bid, lots, price, notional)
  return true
}

function isSameOwner(core: Core, a: number, b: number): boolean {
  if (a === b) return true
  const group = groupOf(core, a)
  return group !== 0 && group === groupOf(core, b)
}

/** Lots an order trades before it goes to the end of its queue; 0 where it had to go. */
function shownOf(core: Core, market: Market, slot: number): number {
  return isDetailed(core.orders.traits(slot)) ? offeredBy(core, market, slot) : core.orders.remaining(slot)
}

/** One fill of two resting orders. Both pay as makers: neither came to what was there. */
function trade(core: Core, market: Market, newer: number, older: number, lots: number, price: number, notional: number): void {
  const { orders, positions, accounts, outcome } = core
  core.lastTrade += 1
  const fill = (slot: number): { order: number; account: number; fee: number; realized: number } => {
    const position = orders.position(slot)
    const account = positions.account(position)
    const fee = feeOf(notional, makerPpmOf(core, market, account))
    const realized = settle(core, market, position, sideOf(orders.traits(slot)), lots, price, fee)
    orders.addFill(slot, lots, notional, fee, core.timeMs)
    return { order: orders.id(slot), account, fee, realized }
  }
  const [first, second] = [fill(newer), fill(older)]
  market.lastPrice = price
  market.latestPrice = price
  core.touch(price)
  const at = outcome.begin(EventKind.auctionTrade, 16)
  const { data } = outcome
  data.set([core.lastTrade, market.symbol, price, lots, notional, sideOf(orders.traits(newer))], at)
  data.set([first.order, first.account, accounts.nextSequence(first.account), first.fee, first.realized], at + 6)
  data.set([second.order, second.account, accounts.nextSequence(second.account), second.fee, second.realized], at + 11)
  for (const slot of [newer, older]) {
    const book = sideOf(orders.traits(slot)) === Side.buy ? market.bids : market.asks
    updateMaker(core, market, book, slot, lots, orders.price(slot))
  }
  for (const slot of [newer, older]) legFilled(core, market, slot, lots)
}
