import { SelfTrade, Side } from '@maru/contracts/commands'
import { amountMax as unitsMax } from '../money/index.ts'
import type { BookSide } from './book-side.ts'
import type { Core } from './core.ts'
import * as feeTiers from './fee-tiers.ts'
import * as fees from './fees.ts'
import type { Market } from './markets.ts'
import { none as noSlot } from './no-slot.ts'
import * as priceBands from './price-bands.ts'
import * as selfTrade from './self-trade.ts'
import * as orderTraits from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { takerPpmOf } = feeTiers
const { feeOf } = fees
const { marketKey } = priceBands
const { groupOf } = selfTrade
const { isDetailed, isReduceOnly } = orderTraits
const { buy } = Side
const { allow, decrement, expireBoth, expireTaker } = SelfTrade
const none: number = noSlot
const amountMax: number = unitsMax

/** What a taker would trade now, without trading it. Reused, so that a walk allocates nothing. */
export class BookWalk {
  lots = 0
  /** Quote minor units, fees left out. */
  notional = 0
  /** Sum of the fees of the fills, each rounded down as it would be. */
  fees = 0
  /** Price of the last fill; 0 where there is none. */
  worstPrice = 0
  /** Some figure would pass 2^53, or might. */
  isTooLarge = false
  /** Lots that would be taken off rather than traded with the same owner. */
  prevented = 0
  /** It ended at an order of the same owner. */
  isOwn = false
  /** Of a market order by value: there was less in the book than it asked for. */
  isExhausted = false
  takerFeePpm = 0
  /** Who walks, and what happens where it meets itself. */
  position = none
  group = 0
  mode: SelfTrade = expireTaker
}

/**
 * Walks the side a taker would trade against, order by order as `match` does, until `lots` are found, prices no longer cross, or an order
 * of the same owner stands in the way. The result is in `core.walk`. What reduce-only orders offer is left out, as it may be gone when its turn comes.
 */
export function walkBook(core: Core, market: Market, position: number, side: Side, lots: number, minKey: number, mode: SelfTrade): void {
  const { levels, walk } = core
  walk.lots = 0
  walk.prevented = 0
  walk.notional = 0
  walk.fees = 0
  walk.worstPrice = 0
  walk.isTooLarge = false
  walk.isOwn = false
  walk.takerFeePpm = takerPpmOf(core, market, core.positions.account(position))
  walk.position = position
  walk.group = groupOf(core, position)
  walk.mode = mode
  const book: BookSide = side === buy ? market.asks : market.bids
  for (let level = book.bestLevel; level !== none; level = book.levelAfter(level)) {
    const price = levels.price(level)
    if (price * book.sign < minKey) break
    if (!walkLevel(core, market, level, lots)) break
  }
  walk.isTooLarge ||= !hasRoom(core, market, position)
}

/** Walks the queue of a level: what is shown of each order first, as it would be traded, then what icebergs have behind it. False where the walk ends. */
function walkLevel(core: Core, market: Market, level: number, lots: number): boolean {
  const { orders, levels, walk } = core
  const price = levels.price(level)
  let hasHidden = false
  for (let maker = levels.first(level); maker !== none; maker = orders.next(maker)) {
    const missing = lots - walk.lots - walk.prevented
    if (missing === 0) return false
    if (maker === core.replaced) continue
    const makerPosition = orders.position(maker)
    if (makerPosition === walk.position || (walk.group !== 0 && groupOf(core, makerPosition) === walk.group)) {
      walk.isOwn = walk.mode === expireTaker || walk.mode === expireBoth
      if (walk.isOwn) return false
      if (walk.mode === decrement) walk.prevented += Math.min(missing, orders.remaining(maker))
      if (walk.mode !== allow) continue
    }
    const traits = orders.traits(maker)
    let open = orders.remaining(maker)
    if (isDetailed(traits)) {
      if (isReduceOnly(traits)) continue
      const { shown } = orders.details(maker)
      hasHidden ||= shown < open
      open = shown
    }
    if (!take(core, market, makerPosition, price, Math.min(missing, open))) return false
  }
  return !hasHidden || walkHidden(core, market, level, lots)
}

function walkHidden(core: Core, market: Market, level: number, lots: number): boolean {
  const { orders, levels, walk } = core
  for (let maker = levels.first(level); maker !== none; maker = orders.next(maker)) {
    const traits = orders.traits(maker)
    const makerPosition = orders.position(maker)
    if (!isDetailed(traits) || isReduceOnly(traits) || maker === core.replaced) continue
    if (makerPosition === walk.position || (walk.group !== 0 && groupOf(core, makerPosition) === walk.group)) continue
    const hidden = orders.remaining(maker) - orders.details(maker).shown
    const missing = lots - walk.lots - walk.prevented
    if (missing === 0) return false
    if (hidden > 0 && !take(core, market, makerPosition, levels.price(level), Math.min(missing, hidden))) return false
  }
  return true
}

/** Adds a fill to the walk; false where the maker could not count it. */
function take(core: Core, market: Market, makerPosition: number, price: number, lots: number): boolean {
  const { walk } = core
  const notional = price * lots * market.notionalFactor
  walk.lots += lots
  walk.notional += notional
  walk.fees += feeOf(notional, walk.takerFeePpm)
  walk.worstPrice = price
  walk.isTooLarge = !hasRoom(core, market, makerPosition)
  return !walk.isTooLarge
}

/**
 * Lots that a market order by value takes: as many as cost, or bring, no more than `quoteUnits` without fees. `core.walk.isExhausted` says that
 * there were not enough. Own orders, and those of its group, are as if they were not there: what happens at them is seen when it is traded. So are reduce-only
 * ones, which may be gone when their turn comes: counted, they would let the order go on to worse prices and past its value.
 */
export function lotsForValue(core: Core, market: Market, position: number, side: Side, quoteUnits: number): number {
  const { orders, levels, walk } = core
  const book: BookSide = side === buy ? market.asks : market.bids
  let left = quoteUnits
  let lots = 0
  walk.isExhausted = false
  const minKey = marketKey(market, side)
  const group = groupOf(core, position)
  for (let level = book.bestLevel; level !== none; level = book.levelAfter(level)) {
    if (levels.price(level) * book.sign < minKey) break
    const perLot = levels.price(level) * market.notionalFactor
    for (let maker = levels.first(level); maker !== none; maker = orders.next(maker)) {
      const makerPosition = orders.position(maker)
      if (makerPosition === position || (group !== 0 && groupOf(core, makerPosition) === group) || maker === core.replaced) continue
      if (isReduceOnly(orders.traits(maker))) continue
      const affordable = Math.floor(left / perLot)
      const taken = Math.min(orders.remaining(maker), affordable)
      lots += taken
      left -= taken * perLot
      if (taken === affordable) return lots
    }
  }
  walk.isExhausted = true
  return lots
}

/** Whether an owner could take the whole walk so far on either side and stay within 2^53; stricter than each fill by itself. */
function hasRoom(core: Core, market: Market, position: number): boolean {
  const { positions, balances, walk } = core
  const quote = balances.total(positions.quoteBalance(position))
  const base = balances.total(positions.baseBalance(position))
  return (
    Math.abs(quote) + 2 * walk.notional <= amountMax &&
    Math.abs(base) + walk.lots * market.lotFactor <= amountMax &&
    positions.openCost(position) + walk.notional <= amountMax
  )
}
