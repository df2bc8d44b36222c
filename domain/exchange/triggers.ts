import { MarketStatus, Side, TriggerPrice } from '@maru/contracts/commands'
import type { BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import { executeTriggered } from './execution.ts'
import { watchMove } from './market-phases.ts'
import type { Market } from './markets.ts'
import { withdraw } from './open-orders.ts'
import { none as noSlot } from './no-slot.ts'
import { cancelOtherLeg } from './list-legs.ts'
import { EventKind } from './outcome.ts'
import { trailingReached } from './trailing.ts'
import { isDetailed, waitingTrait } from './traits.ts'

/** A constant of this module is folded into the machine code; an imported one is looked up at each use. */
const none: number = noSlot

/** What this command has brought of one kind of price: the lowest and the highest, both 0 where nothing. */
const reach = { low: 0, high: 0 }

/**
 * Wakes every waiting stop whose price was reached by a trade or the mark during this command: of each kind and side the nearest first, then the
 * oldest; among those the oldest. What they trade may wake more, until none is left. Each stop wakes once, so this ends.
 */
export function runTriggers(core: Core, market: Market): void {
  if (market.rules.haltMovePpm !== 0) watchMove(core, market)
  if (market.waitingCount === 0 || market.status !== MarketStatus.open || market.isStopped) return
  const { orders } = core
  for (let slot = nextReached(core, market); slot !== none; slot = nextReached(core, market)) {
    wake(core, market, slot)
    core.emitOrder(EventKind.orderTriggered, core.positions.account(orders.position(slot)), orders.id(slot), none)
    executeTriggered(core, market, slot)
    // What the stop traded may have halted the market: the others wait then.
    if (market.rules.haltMovePpm !== 0 && watchMove(core, market)) return
  }
}

/** Takes a stop out of those that wait. One with a limit goes on as a limit order at its price. */
function wake(core: Core, market: Market, slot: number): void {
  const { orders } = core
  withdraw(core, market, slot)
  orders.setTraits(slot, orders.traits(slot) & ~waitingTrait)
  if (isDetailed(orders.traits(slot))) orders.details(slot).updatedAtMs = core.timeMs
  cancelOtherLeg(core, market, slot)
}

function nextReached(core: Core, market: Market): number {
  let found = none
  for (const trigger of [TriggerPrice.lastOrMark, TriggerPrice.last, TriggerPrice.mark]) {
    if (!hasReach(core, market, trigger)) continue
    found = older(
      core,
      found,
      firstOf(core, market.stops[trigger * 2 + Side.buy]!, (price) => price <= reach.high),
    )
    found = older(
      core,
      found,
      firstOf(core, market.stops[trigger * 2 + Side.sell]!, (price) => price >= reach.low),
    )
    const { low, high } = reach
    found = older(core, found, trailingReached(core, market, trigger, low, high))
  }
  return found
}

function firstOf(core: Core, stops: BookSide, isReached: (price: number) => boolean): number {
  return stops.bestLevel !== none && isReached(stops.bestPrice) ? core.levels.first(stops.bestLevel) : none
}

function older(core: Core, a: number, b: number): number {
  if (a === none) return b
  if (b === none) return a
  return core.orders.id(a) < core.orders.id(b) ? a : b
}

/** Finds the range of prices of one kind that this command brought; false where it brought none. */
function hasReach(core: Core, market: Market, trigger: TriggerPrice): boolean {
  reach.low = Number.POSITIVE_INFINITY
  reach.high = 0
  if (trigger !== TriggerPrice.mark && core.touchedHigh !== 0) widen(core.touchedLow, core.touchedHigh)
  if (trigger !== TriggerPrice.last && core.marked !== 0) widen(core.marked, core.marked)
  if (core.hasOpened) {
    const price = {
      [TriggerPrice.lastOrMark]: market.latestPrice,
      [TriggerPrice.last]: market.lastPrice,
      [TriggerPrice.mark]: market.mark,
    }[trigger]
    if (price !== 0) widen(price, price)
  }
  return reach.high !== 0
}

function widen(low: number, high: number): void {
  if (low < reach.low) reach.low = low
  if (high > reach.high) reach.high = high
}
