import type { SetKillSwitch } from '@maru/contracts/commands'
import { KilledBy } from './account-controls.ts'
import { emitControls } from './account-settings.ts'
import { cancelOpen } from './cancels.ts'
import type { Core } from './core.ts'
import type { Market } from './markets.ts'
import { none } from './no-slot.ts'
import { closeResting } from './open-orders.ts'
import { EventKind, OrderStatus } from './outcome.ts'
import { withdrawQuote } from './quotes.ts'
import { Refusal } from './refusals.ts'
import { TimerKind } from './timers.ts'
import { isQuote } from './traits.ts'

/** Orders that one command cancels in stopped markets; the next follow a millisecond later, so that no one waits long for those of a wide book. */
const sweepMax = 1_000

/**
 * Switches trading off, or on again: of an account, of a market, or of all. Switched on it cancels every open order in its scope, quotes too. An account's
 * own orders go at once; those of markets go some at a time, while nothing new is taken and no stop wakes. Switched off before all are gone, the rest stay.
 */
export function setKillSwitch(core: Core, command: SetKillSwitch): void {
  const { account, symbol, isOn, byOperator } = command
  const market = core.market(symbol)
  if (typeof isOn !== 'boolean' || typeof byOperator !== 'boolean' || (account !== none && symbol !== none)) {
    core.emitRefused(Refusal.invalid_request)
  } else if (account !== none) switchAccount(core, account, isOn ? (byOperator ? KilledBy.operator : KilledBy.owner) : 0, byOperator)
  else if (symbol !== none && !market) core.emitRefused(Refusal.symbol_not_found)
  else if ((market ?? core).isKilled === isOn) core.emitRepeated()
  else {
    ;(market ?? core).isKilled = isOn
    for (const each of market ? [market] : core.markets) each.setStopped(each.isKilled || core.isKilled)
    const at = core.outcome.begin(EventKind.killSwitched, 2)
    core.outcome.data[at] = symbol
    core.outcome.data[at + 1] = isOn ? 1 : 0
    if (isOn) sweep(core)
  }
}

/** What an operator switched on its owner cannot switch off. */
function switchAccount(core: Core, account: number, killed: number, byOperator: boolean): void {
  const { accounts } = core
  if (!accounts.has(account)) {
    core.emitRefused(Refusal.account_not_found)
    return
  }
  const before = accounts.controls(account).killed
  if (before === killed || (before === KilledBy.operator && killed === KilledBy.owner)) core.emitRepeated()
  else if (before === KilledBy.operator && !byOperator) core.emitRefused(Refusal.kill_switch)
  else {
    accounts.changeControls(account, { killed })
    emitControls(core, account)
    if (killed !== 0) cancelOpen(core, account, none)
  }
}

/** Cancels the next orders of stopped markets. Nothing comes in there, so what is left is all that is still to go. */
export function sweep(core: Core): void {
  core.sweepDueMs = 0
  let left = sweepMax
  for (const market of core.markets) if (market.isStopped && left > 0) left = sweepMarket(core, market, left)
  if (left === 0) sweepLater(core)
}

/** Lets the next sweep be due with the first command of a later time. */
export function sweepLater(core: Core): void {
  if (core.sweepDueMs !== 0) return
  core.sweepDueMs = core.timeMs + 1
  core.timers.add({ dueMs: core.sweepDueMs, kind: TimerKind.sweep, subject: 0 })
}

export function sweepMarket(core: Core, market: Market, max: number): number {
  let left = max
  for (const side of market.sides) {
    for (; left > 0 && side.bestLevel !== none; left--) {
      const slot = core.levels.first(side.bestLevel)
      if (isQuote(core.orders.traits(slot))) withdrawQuote(core, market, slot)
      else closeResting(core, market, slot, OrderStatus.cancelled, 0)
    }
  }
  return left
}

/** Whether orders of stopped markets are still to be cancelled: after a restore. */
export function hasSweepLeft(core: Core): boolean {
  return core.markets.some((market) => market.isStopped && market.sides.some(({ bestLevel }) => bestLevel !== none))
}
