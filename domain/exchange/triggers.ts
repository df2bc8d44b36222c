import { MarketStatus } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import { executeTriggered } from './execution.ts'
import type { Market } from './markets.ts'
import { withdraw } from './open-orders.ts'
import { none } from './no-slot.ts'
import { EventKind } from './outcome.ts'

/**
 * Wakes every waiting stop whose price was reached by a trade or the mark during this command, the nearest first, then the oldest; of a
 * buy and a sell the older. What they trade may wake more, until none is left. Each stop wakes once, so this ends.
 */
export function runTriggers(core: Core, market: Market): void {
  if (market.status !== MarketStatus.open) return
  const { orders } = core
  for (let slot = reached(core, market); slot !== none; slot = reached(core, market)) {
    withdraw(core, market, slot)
    core.emitOrder(EventKind.orderTriggered, core.positions.account(orders.position(slot)), orders.id(slot), none)
    executeTriggered(core, market, slot)
  }
}

function reached(core: Core, market: Market): number {
  const { buyStops, sellStops } = market
  const { levels, orders } = core
  const buy = buyStops.bestLevel !== none && buyStops.bestPrice <= core.touchedHigh ? levels.first(buyStops.bestLevel) : none
  const sell = sellStops.bestLevel !== none && sellStops.bestPrice >= core.touchedLow ? levels.first(sellStops.bestLevel) : none
  if (buy === none) return sell
  if (sell === none) return buy
  return orders.id(buy) < orders.id(sell) ? buy : sell
}
