import { OrderType, Side, type ListKind, type PlaceOrder } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import type { Market } from './markets.ts'
import { closeResting, shrink } from './open-orders.ts'
import { none } from './no-slot.ts'
import { OrderStatus } from './outcome.ts'
import { isDetailed } from './traits.ts'
import { hasThirdRules } from './rules.ts'

/**
 * Orders that depend on each other. The limit leg of an OCO is shared: its stop leg holds and exposes for both, since only one of them can fill. What
 * one of them fills is taken off the other.
 */
export interface OrderList {
  readonly id: number
  readonly kind: ListKind
  readonly account: number
  readonly symbol: number
  readonly clientListId: string
  /** Order numbers: OCO limit leg, stop leg; OTO first, following; bracket entry, limit exit, stop exit. */
  readonly legs: readonly number[]
  /** Whether the first order of an OTO or bracket still works and the others wait for it. */
  isWaiting: boolean
  /** Lots of the first order, where it has ended and the others wait for the market to open; else 0. */
  filled: number
}

/** Lots of an order were filled: the other leg of its OCO offers as many less, and goes with the last. */
export function legFilled(core: Core, market: Market, slot: number, lots: number): void {
  const { orders } = core
  if (!isDetailed(orders.traits(slot))) return
  const list = core.lists.get(orders.details(slot).list)
  if (!list || list.isWaiting) return
  for (const other of openLegs(core, list)) {
    if (other === slot) continue
    if (orders.remaining(other) > lots && orders.remaining(slot) > 0) {
      shrink(core, market, other, lots)
      if (hasThirdRules(core)) orders.details(other).updatedAtMs = core.timeMs
      core.emitOrderUpdated(other)
    } else closeResting(core, market, other, OrderStatus.cancelled, 0)
  }
}

/** A stop of an OCO was triggered: the limit leg must be gone before it trades. */
export function cancelOtherLeg(core: Core, market: Market, slot: number): void {
  const { orders } = core
  if (!isDetailed(orders.traits(slot))) return
  const list = core.lists.get(orders.details(slot).list)
  if (!list || list.isWaiting) return
  for (const other of openLegs(core, list)) if (other !== slot) closeResting(core, market, other, OrderStatus.cancelled, 0)
}

/** The other leg of an OCO that an order is one of; -1 where it is of none, or its time has not come. */
export function pairOf(core: Core, slot: number): number {
  const { orders } = core
  const list = isDetailed(orders.traits(slot)) ? core.lists.get(orders.details(slot).list) : undefined
  if (!list || list.isWaiting) return none
  return openLegs(core, list).find((other) => other !== slot) ?? none
}

/** Whether the stop leg of a pair, which holds at `stop`, is where the limit leg is not: below it where they sell, above it where they buy. */
export function areApart(limitLeg: PlaceOrder, stopLeg: PlaceOrder, stop: number): boolean {
  const isBeyond = (price: number): boolean => (limitLeg.side === Side.sell ? limitLeg.price > price : limitLeg.price < price)
  return isBeyond(stop) && (stopLeg.orderType !== OrderType.stopLimit || isBeyond(stopLeg.stopPrice))
}

/** Slots of the orders of a list that are open, in the order of its legs. */
export function openLegs(core: Core, list: OrderList): number[] {
  const { orders } = core
  return list.legs.map((id) => orders.find(id)).filter((slot) => slot !== none && orders.status(slot) <= OrderStatus.partiallyFilled)
}
