import type { SetRules } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import { EventKind } from './outcome.ts'
import { Refusal } from './refusals.ts'

/** The newest rules this release has. */
export const newestRules = 2

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
