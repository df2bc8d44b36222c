import { MarketStatus, type SetMarketRules, type SetMarketStatus } from '@maru/contracts/commands'
import { isCrossed, uncross } from './auction.ts'
import type { Core } from './core.ts'
import { sweepMarket } from './kill-switch.ts'
import type { Market } from './markets.ts'
import { EventKind } from './outcome.ts'
import { defaultMarketRules, isMove, type MarketRules } from './price-bands.ts'
import { Refusal } from './refusals.ts'
import { TimerKind } from './timers.ts'

const { auction, halted, open } = MarketStatus

/** A day. */
const phaseMsMax = 86_400_000
const unchanged = -1

/** What each figure may be at most. A market order that may fall by all of the price is not held by a collar. */
export const marketRulesMax: Readonly<MarketRules> = {
  collarPpm: 1_000_000,
  limitBandPpm: 10_000_000,
  maintenancePpm: 1_000_000,
  haltMovePpm: 10_000_000,
  haltWindowMs: phaseMsMax,
  haltForMs: phaseMsMax,
  auctionForMs: phaseMsMax,
}
const figures = Object.keys(defaultMarketRules) as (keyof MarketRules)[]

/** Sets rules of a market; -1 leaves a figure as it is. A volatility halt needs its window and its length. */
export function setMarketRules(core: Core, command: SetMarketRules): void {
  const market = core.market(command.symbol)
  if (!market) {
    core.emitRefused(Refusal.symbol_not_found)
    return
  }
  const rules = { ...market.rules }
  for (const figure of figures) if (command[figure] !== unchanged) rules[figure] = command[figure]
  const areWithin = figures.every(
    (figure) => Number.isSafeInteger(rules[figure]) && rules[figure] >= 0 && rules[figure] <= marketRulesMax[figure],
  )
  if (!areWithin || (rules.haltMovePpm > 0 && (rules.haltWindowMs === 0 || rules.haltForMs === 0))) {
    core.emitRefused(Refusal.invalid_request)
    return
  }
  if (market.rules.haltMovePpm === 0) watchFrom(core, market, market.lastPrice)
  market.setRules(rules)
  core.outcome.data[core.outcome.begin(EventKind.marketRulesChanged, 1)] = market.symbol
}

/** Opens, restricts or halts a market by hand, or calls an auction, after which it opens. From rules 2 on. */
export function setPhase(core: Core, market: Market, { status, auctionMs }: SetMarketStatus): void {
  const isKnown = Object.values(MarketStatus).includes(status)
  const isAuction = status === auction || (status === open && auctionMs !== 0)
  const isDuration = Number.isSafeInteger(auctionMs) && auctionMs >= 0 && auctionMs <= phaseMsMax
  if (!isKnown || !isDuration || isAuction !== auctionMs > 0) core.emitRefused(Refusal.invalid_request)
  else if (isAuction) change(core, market, auction, core.timeMs + auctionMs)
  else if (market.status === status && market.phaseEndsMs === 0) core.emitRepeated()
  else if (status === open) openMarket(core, market)
  else change(core, market, status, 0)
}

/** A halt or an auction may have run its time; it has not where its status was changed meanwhile. */
export function phaseDue(core: Core, market: Market): void {
  if (market.phaseEndsMs === 0 || market.phaseEndsMs > core.timeMs) return
  const { auctionForMs } = market.rules
  if (market.status === halted && auctionForMs > 0) change(core, market, auction, core.timeMs + auctionForMs)
  else openMarket(core, market)
}

/** Whatever orders came together while nothing was matched trade first, at one price, unless a kill switch has yet to cancel them; then stops look at the prices as they are. */
function openMarket(core: Core, market: Market): void {
  if (market.isStopped) sweepMarket(core, market, Number.POSITIVE_INFINITY)
  if (isCrossed(market)) {
    const price = uncross(core, market)
    if (price !== 0) watchFrom(core, market, price)
  }
  change(core, market, open, 0)
  core.hasOpened = true
}

function change(core: Core, market: Market, status: MarketStatus, endsMs: number): void {
  market.setStatus(status, endsMs)
  if (endsMs !== 0) core.timers.add({ dueMs: endsMs, kind: TimerKind.market, subject: market.symbol })
  const at = core.outcome.begin(EventKind.marketStatusChanged, 2)
  core.outcome.data[at] = market.symbol
  core.outcome.data[at + 1] = status
}

function watchFrom(core: Core, market: Market, price: number): void {
  market.watched.sinceMs = core.timeMs
  market.watched.price = price
  market.watched.lastPrice = price
}

/**
 * Holds what a market has traded in this command against the price at the start of the window, which is the last one before it, and halts the market
 * where that moved too far. An order is never stopped amid its matching: a halt comes after it.
 *
 * @returns whether the market is halted
 */
export function watchMove(core: Core, market: Market): boolean {
  if (core.touchedHigh === 0 || market.status !== open) return market.status === halted
  const { watched, rules } = market
  if (watched.price === 0 || core.timeMs >= watched.sinceMs + rules.haltWindowMs) {
    watched.sinceMs = core.timeMs
    watched.price = watched.lastPrice || core.touchedLow
  }
  watched.lastPrice = market.lastPrice
  if (!isMove(watched.price, core.touchedLow, core.touchedHigh, rules.haltMovePpm)) return false
  change(core, market, halted, core.timeMs + rules.haltForMs)
  return true
}
