import { SelfTrade } from '@maru/contracts/commands'
import { groupFlag as groupBit } from './account-controls.ts'
import type { Core } from './core.ts'
import type { Market } from './markets.ts'
import { closeResting, shrink } from './open-orders.ts'
import { detailsOf } from './order-details.ts'
import { OrderStatus } from './outcome.ts'
import { Refusal } from './refusals.ts'
import { isDetailed, isQuote } from './traits.ts'
import { hasThirdRules } from './rules.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const groupFlag: number = groupBit
const { decrement, expireMaker, expireTaker } = SelfTrade
const { expired } = OrderStatus

/** Group of the account of a position, 0 for none: accounts of one group are as one owner. */
export function groupOf(core: Core, position: number): number {
  const account = core.positions.account(position)
  return (core.accounts.flags(account) & groupFlag) === 0 ? 0 : core.accounts.controls(account).tradeGroup
}

/** The mode of a taker decides, whatever that of the resting order is. */
export function selfTradeOf(core: Core, taker: number): SelfTrade {
  const { orders } = core
  return isDetailed(orders.traits(taker)) ? orders.details(taker).selfTrade : expireTaker
}

/**
 * What happens where a taker meets a resting order of the same owner. Decrementing takes the smaller quantity off both; who has nothing
 * left expires.
 *
 * @returns 0 where the taker goes on, else why its rest must expire
 */
export function preventSelfTrade(core: Core, market: Market, taker: number, maker: number, mode: SelfTrade): number {
  if (mode === expireTaker) return Refusal.self_trade_prevented
  if (mode === decrement) return decrementBoth(core, market, taker, maker)
  closeResting(core, market, maker, expired, Refusal.self_trade_prevented)
  return mode === expireMaker ? 0 : Refusal.self_trade_prevented
}

function decrementBoth(core: Core, market: Market, taker: number, maker: number): number {
  const { orders } = core
  const lots = Math.min(orders.remaining(taker), orders.remaining(maker))
  if (lots === orders.remaining(maker)) closeResting(core, market, maker, expired, Refusal.self_trade_prevented)
  else {
    shrink(core, market, maker, lots)
    notePrevented(core, maker, lots)
    core.emitOrderUpdated(maker)
  }
  if (lots === orders.remaining(taker)) return Refusal.self_trade_prevented
  orders.setQuantity(taker, orders.quantity(taker) - lots)
  notePrevented(core, taker, lots)
  return 0
}

function notePrevented(core: Core, slot: number, lots: number): void {
  const { orders } = core
  if (!isDetailed(orders.traits(slot))) {
    // A quote shows no such figure: the next mass quote replaces it.
    if (isQuote(orders.traits(slot))) return
    orders.setDetails(slot, { ...detailsOf(null), shown: orders.remaining(slot) })
  }
  const details = orders.details(slot)
  details.prevented += lots
  if (hasThirdRules(core)) details.updatedAtMs = core.timeMs
}
