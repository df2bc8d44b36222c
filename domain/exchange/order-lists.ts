import { ListKind, MarketStatus, OrderType, Side } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import { enter, expire } from './execution.ts'
import type { Market } from './markets.ts'
import { openLegs, type OrderList } from './list-legs.ts'
import { closeResting, withdraw } from './open-orders.ts'
import { none } from './no-slot.ts'
import { activationRefusal } from './order-checks.ts'
import { OrderStatus } from './outcome.ts'
import { termsOf } from './order-terms.ts'
import { followedPrice, trailedPrice } from './trailing.ts'
import { orderTypeOf, pendingTrait, sideOf } from './traits.ts'
import { hasThirdRules } from './rules.ts'

/** Brings a list of which an order was closed to where it belongs now; returns its market where something may have been traded. */
export function advanceList(core: Core, id: number): Market | undefined {
  const list = core.lists.get(id)
  if (!list) return undefined
  const market = core.markets[list.symbol]!
  const open = openLegs(core, list)
  const first = core.orders.find(list.legs[0]!)
  const isFirstOpen = open.includes(first)
  const expected = list.isWaiting || list.kind === ListKind.oco ? list.legs.length : list.legs.length - 1
  if (open.length === expected) return undefined
  if (list.isWaiting && !isFirstOpen) {
    const filled = list.filled || (first === none ? 0 : core.orders.filled(first))
    const isWhole = open.length === list.legs.length - 1
    if (filled > 0 && isWhole && market.status === MarketStatus.open) return follow(core, market, list, open, filled)
    if (filled > 0 && isWhole) {
      // What would protect the position must not be lost to a halt: it is placed when the market opens.
      list.filled = filled
      return undefined
    }
  }
  // One of an OCO is gone, or what would have followed is no longer wanted, or never will be.
  core.lists.delete(id)
  for (const slot of open) if (slot !== first || list.kind === ListKind.oco) closeResting(core, market, slot, OrderStatus.cancelled, 0)
  return market
}

/** A market has opened: lists whose first order has ended meanwhile go on. */
export function resumeLists(core: Core, symbol: number): void {
  for (const list of core.lists.values()) if (list.symbol === symbol && list.filled > 0) core.listsToAdvance.push(list.id)
}

/** The first order has ended with so many lots filled: what waited for it is placed, for as many. */
function follow(core: Core, market: Market, list: OrderList, legs: readonly number[], filled: number): Market {
  const { orders } = core
  list.isWaiting = false
  list.filled = 0
  const isPair = list.kind === ListKind.bracket && legs.length === 2
  if (!isPair) core.lists.delete(list.id)
  // The stop first: it holds for both, so without it there is neither.
  let refused = 0
  for (const slot of legs.toReversed()) {
    withdraw(core, market, slot)
    orders.setTraits(slot, orders.traits(slot) & ~pendingTrait)
    orders.setQuantity(slot, Math.min(orders.quantity(slot), filled))
    // A buy that begins to trail below the limit leg holds for that one, which may still trade at its price.
    startTrailing(core, market, slot, isPair && sideOf(orders.traits(slot)) === Side.buy ? orders.price(legs[0]!) : 0)
    const details = orders.details(slot)
    if (hasThirdRules(core)) details.updatedAtMs = core.timeMs
    details.isShared = isPair && slot === legs[0]
    const isLimitLeg = details.isShared
    if (refused === 0) {
      refused = activationRefusal(core, market, orders.position(slot), termsOf(core, slot), orders.price(slot), isLimitLeg)
    }
    if (refused === 0) {
      // It waits no more, and may be for less: its owner is told before it trades.
      if (hasThirdRules(core)) core.emitOrderUpdated(slot)
      enter(core, market, slot)
    } else expire(core, slot, refused)
    // Without its limit leg the stop goes on alone: a position must not lose its protection to a price that is not taken.
    if (isLimitLeg && orders.status(slot) === OrderStatus.expired && orders.filled(slot) === 0) core.lists.delete(list.id)
  }
  // A stop whose price was passed meanwhile is triggered now.
  core.hasOpened = true
  return market
}

/** A trailing stop begins to trail from the price as it is now. It holds for where it begins, but for no less than `priceMin`. */
function startTrailing(core: Core, market: Market, slot: number, priceMin: number): void {
  const { orders } = core
  const traits = orders.traits(slot)
  if (orderTypeOf(traits) !== OrderType.trailingStop) return
  const details = orders.details(slot)
  details.stopPrice = trailedPrice(sideOf(traits), followedPrice(market, details.trigger), details.trailingUnit, details.trailingOffset)
  orders.setPrice(slot, Math.max(details.stopPrice, priceMin))
}
