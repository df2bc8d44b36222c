import { Side, TrailingUnit, TriggerPrice } from '@maru/contracts/commands'
import { mulDiv } from '../money/index.ts'
import { BookSide, leaveQueue } from './book-side.ts'
import type { Core } from './core.ts'
import type { Market } from './markets.ts'
import type { LevelStore } from './levels.ts'
import { none as noSlot } from './no-slot.ts'
import type { OrderDetails } from './order-details.ts'
import type { OrderStore } from './orders.ts'
import { TrailHeads } from './trail-heads.ts'
import { sideOf } from './traits.ts'

/** A constant of this module is folded into the machine code; an imported one is looked up at each use. */
const none: number = noSlot
const basisPointsPerWhole = 10_000

/**
 * Trailing stops that have seen the same best price: the highest since they were placed where they sell, the lowest where they buy. Those of one group
 * differ only in their distance, so a price that moves them all is one assignment. They queue by distance, the nearest first.
 */
export interface TrailGroup {
  best: number
  count: number
  /** Place `TrailingUnit`. */
  readonly byOffset: readonly BookSide[]
}

/**
 * The groups of a market, by what triggers them and side: place `trigger × 2 + side`. Each list begins with the group whose best price is the furthest from the
 * price now; the last is the nearest. A price beyond the best of the last groups joins them into one, so each order moves from group to group
 * seldom, however often prices do.
 */
export type TrailGroups = TrailGroup[][]

export const noTrails = (): TrailGroups => Array.from({ length: 6 }, () => [])

/** Which trailing stop of each of those lists comes first, in the same places. Derived from the groups. */
export function noTrailHeads(orders: OrderStore, levels: LevelStore): TrailHeads[] {
  return Array.from({ length: 6 }, (_, place) => {
    const side = (place & 1) as Side
    return new TrailHeads(side, ({ stop, order, group, unit }) => {
      // An empty group is gone for good, and what its queues had is others'.
      if (group.count === 0) return false
      const queue = group.byOffset[unit]!
      if (queue.bestLevel === none || orders.id(levels.first(queue.bestLevel)) !== order) return false
      return trailedPrice(side, group.best, unit as TrailingUnit, queue.bestPrice) === stop
    })
  })
}

/** Notes the nearest orders of a group, after whatever may have changed which they are or where they stand. */
function noteHeads(core: Core, market: Market, place: number, group: TrailGroup): void {
  for (const unit of [TrailingUnit.ticks, TrailingUnit.basisPoints]) {
    const queue = group.byOffset[unit]!
    if (queue.bestLevel === none) continue
    const stop = trailedPrice((place & 1) as Side, group.best, unit, queue.bestPrice)
    market.trailHeads[place]!.note({ stop, order: core.orders.id(core.levels.first(queue.bestLevel)), group, unit })
  }
}

/** The price that trailing stops of a kind follow; 0 before the first. */
export function followedPrice(market: Market, trigger: TriggerPrice): number {
  if (trigger === TriggerPrice.last) return market.lastPrice
  return trigger === TriggerPrice.mark ? market.mark : market.latestPrice
}

/** Where a stop trails a price: `offset` ticks, or basis points of the price and at least a tick, on the other side of it. May be 0 or less. */
export function trailedPrice(side: Side, best: number, unit: TrailingUnit, offset: number): number {
  const ticks = unit === TrailingUnit.ticks ? offset : Math.max(1, mulDiv(best, offset, basisPointsPerWhole, 'up'))
  return side === Side.buy ? best + ticks : best - ticks
}

/** The stop price of a waiting trailing stop as it is now. */
export function trailingStopPrice(core: Core, slot: number, details: OrderDetails): number {
  return trailedPrice(sideOf(core.orders.traits(slot)), details.trail!.best, details.trailingUnit, details.trailingOffset)
}

/** Lets a trailing stop wait, from the price as it is or, where it did before, from the best it has seen. */
export function addTrailing(core: Core, market: Market, slot: number, best: number = 0): void {
  const details = core.orders.details(slot)
  const side = sideOf(core.orders.traits(slot))
  const place = details.trigger * 2 + side
  const groups = market.trails[place]!
  const from = best === 0 ? followedPrice(market, details.trigger) : best
  if (best === 0) raise(core, market, place, from)
  let at = groups.length
  while (at > 0 && (side === Side.buy ? groups[at - 1]!.best > from : groups[at - 1]!.best < from)) at -= 1
  let group = groups[at - 1]
  if (group?.best !== from) {
    group = newGroup(core, from)
    groups.splice(at, 0, group)
  }
  join(core, group, slot)
  noteHeads(core, market, place, group)
}

export function removeTrailing(core: Core, market: Market, slot: number): void {
  const { orders } = core
  const details = orders.details(slot)
  const group = details.trail!
  leave(core, group, slot)
  const place = details.trigger * 2 + sideOf(orders.traits(slot))
  if (group.count > 0) {
    noteHeads(core, market, place, group)
    return
  }
  const groups = market.trails[place]!
  groups.splice(groups.indexOf(group), 1)
  releaseQueues(group)
}

/**
 * Follows a price range of this command, and gives the trailing stop that the price as it is now has reached: of each side the one with the nearest stop price,
 * then the oldest; of both the older. -1 where none is.
 */
export function trailingReached(core: Core, market: Market, trigger: TriggerPrice, low: number, high: number): number {
  let found = none
  const price = followedPrice(market, trigger)
  for (const side of [Side.buy, Side.sell]) {
    const place = trigger * 2 + side
    if (market.trails[place]!.length === 0) continue
    raise(core, market, place, side === Side.buy ? low : high)
    const nearest = market.trailHeads[place]!.nearest()
    if (!nearest || (side === Side.buy ? price < nearest.stop : price > nearest.stop)) continue
    if (found === none || nearest.order < core.orders.id(found)) found = core.orders.find(nearest.order)
  }
  return found
}

/** Takes a new price into the best ones: the groups it is beyond become one. The larger takes the smaller in. */
function raise(core: Core, market: Market, place: number, price: number): void {
  const groups = market.trails[place]!
  const isBuy = (place & 1) === Side.buy
  let joined: TrailGroup | undefined
  for (let last = groups.at(-1); last && (isBuy ? last.best >= price : last.best <= price); last = groups.at(-1)) {
    // The price it has seen already moves nothing.
    if (last.best === price && joined === undefined) return
    groups.pop()
    joined = joined === undefined ? last : merged(core, last, joined)
  }
  if (joined === undefined) return
  joined.best = price
  groups.push(joined)
  noteHeads(core, market, place, joined)
}

function merged(core: Core, a: TrailGroup, b: TrailGroup): TrailGroup {
  const [into, from] = a.count >= b.count ? [a, b] : [b, a]
  for (const queue of from.byOffset) {
    while (queue.bestLevel !== none) {
      const slot = core.levels.first(queue.bestLevel)
      leave(core, from, slot)
      join(core, into, slot)
    }
  }
  releaseQueues(from)
  return into
}

function newGroup(core: Core, best: number): TrailGroup {
  const queue = (): BookSide => new BookSide('lowest', core, core.waitingRecords)
  return { best, count: 0, byOffset: [queue(), queue()] }
}

function releaseQueues(group: TrailGroup): void {
  for (const queue of group.byOffset) queue.release()
}

function join(core: Core, group: TrailGroup, slot: number): void {
  const details = core.orders.details(slot)
  details.trail = group
  group.count += 1
  group.byOffset[details.trailingUnit]!.append(slot, details.trailingOffset, core.orders.remaining(slot))
}

function leave(core: Core, group: TrailGroup, slot: number): void {
  const { orders, levels } = core
  const details = orders.details(slot)
  group.count -= 1
  leaveQueue(orders, levels, group.byOffset[details.trailingUnit]!, slot, orders.remaining(slot))
  details.trail = null
}
