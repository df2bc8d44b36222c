import { AccountMode, OrderType, Side, TimeInForce } from '@maru/contracts/commands'
import { amountMax as unitsMax } from '../money/index.ts'
import type { BookSide } from './book-side.ts'
import { walkBook } from './book-walk.ts'
import type { Core } from './core.ts'
import type { Market } from './markets.ts'
import { leastKey, match, oppositeOf } from './matching.ts'
import { rest } from './open-orders.ts'
import { none as noSlot } from './no-slot.ts'
import { OrderStatus } from './outcome.ts'
import { Refusal } from './refusals.ts'
import { orderTypeOf, sideOf, timeInForceOf } from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { margin } = AccountMode
const { expired, filled: filledWhole, partiallyFilled } = OrderStatus
const { limit } = OrderType
const { buy } = Side
const { fok, gtc } = TimeInForce
const none: number = noSlot
const amountMax: number = unitsMax

/** Trades an accepted order and settles what becomes of its rest: it waits in the book, or the order is final. */
export function execute(core: Core, market: Market, slot: number): void {
  const { orders } = core
  const traits = orders.traits(slot)
  const isLimit = orderTypeOf(traits) === limit
  const timeInForce = timeInForceOf(traits)
  const minKey = leastKey(sideOf(traits), isLimit ? orders.price(slot) : 0)
  if (timeInForce === fok && !canFillWhole(core, market, slot, minKey)) {
    expire(core, slot, Refusal.fok_not_filled)
    return
  }
  if (isLimit && timeInForce === gtc && !meets(core, oppositeOf(market, sideOf(traits)), minKey)) {
    rest(core, market, slot)
    return
  }
  const stopped = match(core, market, slot, minKey)
  const filled = orders.filled(slot)
  if (filled === orders.quantity(slot)) {
    orders.close(slot, filledWhole, 0)
    core.emitOrderUpdated(slot)
  } else if (stopped !== 0) {
    expire(core, slot, stopped)
  } else if (!isLimit) {
    expire(core, slot, Refusal.no_liquidity)
  } else if (timeInForce !== gtc) {
    expire(core, slot, filled === 0 ? Refusal.ioc_not_filled : 0)
  } else {
    rest(core, market, slot)
    if (filled > 0) {
      orders.setStatus(slot, partiallyFilled)
      core.emitOrderUpdated(slot)
    }
  }
}

/** Whether the best level of a side is one that a taker down to `minKey` trades with. */
function meets(core: Core, opposite: BookSide, minKey: number): boolean {
  const best = opposite.bestLevel
  return best !== none && core.levels.price(best) * opposite.sign >= minKey
}

/** Executes a stop that has just been triggered, as a market order. Its hold is released already; funds are looked at anew. */
export function executeTriggered(core: Core, market: Market, slot: number): void {
  const { orders } = core
  const side = sideOf(orders.traits(slot))
  if (oppositeOf(market, side).bestLevel === none) {
    expire(core, slot, Refusal.no_liquidity)
    return
  }
  const position = orders.position(slot)
  const lots = orders.quantity(slot)
  if (side === buy) walkBook(core, market, position, side, lots, Number.NEGATIVE_INFINITY)
  const refusal = side === buy && core.walk.isTooLarge ? Refusal.amount_too_large : marketFundsRefusal(core, market, position, side, lots)
  if (refusal === 0) execute(core, market, slot)
  else expire(core, slot, refusal)
}

/** Whether a cash account can pay for a market order: for a buy exactly what `core.walk` found, for a sell all of its lots. */
export function marketFundsRefusal(core: Core, market: Market, position: number, side: Side, lots: number): number {
  const { positions, balances, accounts, walk } = core
  if (accounts.mode(positions.account(position)) === margin) return 0
  const needed = side === buy ? walk.notional + walk.fees : lots * market.lotFactor
  const balance = positions.heldBalance(position, side)
  return needed > balances.available(balance) ? Refusal.insufficient_funds : 0
}

function canFillWhole(core: Core, market: Market, slot: number, minKey: number): boolean {
  const { orders, walk } = core
  const lots = orders.remaining(slot)
  walkBook(core, market, orders.position(slot), sideOf(orders.traits(slot)), lots, minKey)
  return walk.lots === lots && !walk.isTooLarge && walk.notional <= amountMax
}

/** Ends an order that is not resting; what was filled stays filled. */
export function expire(core: Core, slot: number, refusal: number): void {
  core.orders.close(slot, expired, refusal)
  core.emitOrderUpdated(slot)
}
