import { EventKind, type Outcome } from '@maru/domain/exchange'

/** The refusal number if the command was refused as a whole; 0 where it was not. */
export function refusalOf(outcome: Outcome): number {
  const { data, length } = outcome
  for (let at = 0; at < length; at += data[at + 1]!) {
    if (data[at] === EventKind.commandRefused) return data[at + 2]!
  }
  return 0
}
