import { refusals, type Exchange } from '@maru/domain/exchange'
import { Problem } from '@maru/service-host'
import { refusalOf } from '../replica/outcome-reader.ts'
import type { Intake, Unstamped } from './intake.ts'

/** Appends a command that is done or refused as a whole; a refusal is thrown as its Problem. */
export async function submitOrThrow(intake: Intake, command: Unstamped, deadlineMs: number | undefined): Promise<void> {
  const refusal = await intake.submit(command, (applied) => refusalOf(applied.outcome), deadlineMs)
  if (refusal !== 0) throw new Problem(refusals[refusal]!)
}

/** Throws Problem `rules_not_switched_on` where the state machine does not know such commands yet: during a deploy. */
export function requireSecondRules(exchange: Exchange): void {
  if (exchange.rules < 2) throw new Problem('rules_not_switched_on')
}
