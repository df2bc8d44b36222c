import type { CancelAllAfter } from '@maru/contracts/commands'
import { cancelOpen } from './cancels.ts'
import type { Core } from './core.ts'
import { none } from './no-slot.ts'
import { EventKind } from './outcome.ts'
import { Refusal } from './refusals.ts'
import { TimerKind } from './timers.ts'

/** A day. */
export const deadManMsMax = 86_400_000

/** Sets the time by which all open orders of an account are cancelled unless it is set anew before; 0 switches it off. It cancels once. */
export function cancelAllAfter(core: Core, { account, timeoutMs }: CancelAllAfter): void {
  const { accounts, outcome } = core
  if (!accounts.has(account)) core.emitRefused(Refusal.account_not_found)
  else if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 0 || timeoutMs > deadManMsMax) core.emitRefused(Refusal.invalid_request)
  else {
    const dueMs = timeoutMs === 0 ? 0 : core.timeMs + timeoutMs
    if (dueMs !== accounts.controls(account).deadManMs) accounts.changeControls(account, { deadManMs: dueMs })
    if (dueMs !== 0) awaitDeadMan(core, account, dueMs)
    const at = outcome.begin(EventKind.deadManSet, 2)
    outcome.data[at] = account
    outcome.data[at + 1] = dueMs
  }
}

/** A client sets it anew every few seconds: one timer an account is enough, which looks again when it is due too early. */
export function awaitDeadMan(core: Core, account: number, dueMs: number): void {
  const waiting = core.deadManTimers.get(account)
  if (waiting !== undefined && waiting <= dueMs) return
  core.deadManTimers.set(account, dueMs)
  core.timers.add({ dueMs, kind: TimerKind.deadMan, subject: account })
}

/**
 * A timer set anew since then is looked at again at its own time, though that may have come as well: what falls due at one command goes in the order of its
 * times, and a state restored from a snapshot knows no other times than these.
 */
export function deadManDue(core: Core, account: number, dueMs: number): void {
  const { deadManMs } = core.accounts.controls(account)
  if ((core.deadManTimers.get(account) ?? 0) <= dueMs) core.deadManTimers.delete(account)
  if (deadManMs === 0) return
  if (deadManMs > dueMs) {
    awaitDeadMan(core, account, deadManMs)
    return
  }
  core.accounts.changeControls(account, { deadManMs: 0 })
  cancelOpen(core, account, none)
}
