import { MarketStatus, OrderType, TimeInForce, type PlaceOrder } from '@maru/contracts/commands'
import { restrictedFlag as restrictedBit } from './account-controls.ts'
import type { Core } from './core.ts'
import type { Market } from './markets.ts'
import { Refusal } from './refusals.ts'

/** A constant of this module is folded into the machine code; an imported one is looked up at each use. */
const restrictedFlag: number = restrictedBit

const msPerSecond = 1_000
/** Open orders of an account in one market, quotes left out, where it was given no cap of its own. */
export const openOrdersMax = 200

/** Whether some control of the account bears on its orders; of most, none does. */
export function isRestricted(core: Core, account: number): boolean {
  return (core.accounts.flags(account) & restrictedFlag) !== 0
}

/** Counts an order, amendment, replacement, list or mass quote of an account that has a cap on them in a second of the clock of commands; cancels do not count. */
export function rateRefusal(core: Core, account: number): number {
  if (!isRestricted(core, account)) return 0
  const { messagesPerSecondMax, countedSecond, counted } = core.accounts.controls(account)
  if (messagesPerSecondMax === 0) return 0
  const second = Math.floor(core.timeMs / msPerSecond)
  const before = second === countedSecond ? counted : 0
  if (before >= messagesPerSecondMax) return Refusal.rate_limited
  core.accounts.changeControls(account, { countedSecond: second, counted: before + 1 })
  return 0
}

/** Why an account may not enter a market now, whatever it asks for. */
export function closedRefusal(core: Core, market: Market, account: number): number {
  if (market.isStopped || (isRestricted(core, account) && core.accounts.controls(account).killed !== 0)) return Refusal.kill_switch
  if (market.status === MarketStatus.halted) return Refusal.market_halted
  return market.status === MarketStatus.cancelOnly ? Refusal.cancel_only : 0
}

/** The same for an order: an auction takes limit orders that may rest. */
export function entryRefusal(core: Core, market: Market, { account, orderType, timeInForce }: PlaceOrder): number {
  const refusal = closedRefusal(core, market, account)
  if (refusal !== 0 || market.status !== MarketStatus.auction) return refusal
  const mayRest = timeInForce === TimeInForce.gtc || timeInForce === TimeInForce.gtd
  return orderType === OrderType.limit && mayRest ? 0 : Refusal.market_auction
}

/** Why an account takes no orders that do more than reduce. */
export function reducingRefusal(core: Core, account: number): number {
  const { liquidating, reduceOnly } = core.accounts.controls(account)
  if (liquidating !== 0) return Refusal.liquidation
  return reduceOnly === 0 ? 0 : Refusal.reduce_only_mode
}

export function openOrdersMaxOf(core: Core, account: number): number {
  const cap = isRestricted(core, account) ? core.accounts.controls(account).openOrdersMax : 0
  return cap === 0 ? openOrdersMax : cap
}
