import type { SetRules } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import { EventKind } from './outcome.ts'
import { Refusal } from './refusals.ts'

/**
 * The newest rules this release has. 1: plain orders. 2: every order type, lists, controls, margin. 3: amendments of all terms and of lists, lists with a number in the
 * stream, and the time at which orders were changed by others of theirs. 4: nothing in the state machine; from then on every instance finds orders in the history
 * by the run of events that they began in.
 */
export const newestRules = 4

/** Whether rules 3 are on. */
export function hasThirdRules({ rules }: Pick<Core, 'rules'>): boolean {
  return rules >= 3
}

/**
 * Switches rules on, for every command after this one. Rules are never switched back, and never to ones this release does not have: a replica that is too old
 * for them must be replaced before.
 */
export function setRules(core: Core, { rules }: SetRules): void {
  if (!Number.isSafeInteger(rules) || rules < 1 || rules > newestRules) core.emitRefused(Refusal.invalid_request)
  else if (rules === core.rules) core.emitRepeated()
  else if (rules < core.rules) core.emitRefused(Refusal.already_exists)
  else {
    core.rules = rules
    core.outcome.data[core.outcome.begin(EventKind.rulesSwitched, 1)] = rules
  }
}
