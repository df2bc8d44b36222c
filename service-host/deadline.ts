import { Problem } from './problem.ts'

/**
 * Until when a request is waited for, in milliseconds since 1970: set by the gateway, which lets no such header in from outside. A time of day and not a
 * span, so that it counts for what lay in the queue of a socket while this process was stopped, too; the clocks of the machines have to
 * agree within a second or so, as they have to for tokens.
 */
export const deadlineHeader = 'x-maru-deadline'

/** Throws Problem `deadline_exceeded` for a request that nobody waits for any more: to be asked before it is begun. */
export function expectInTime(deadline: string | string[] | undefined): void {
  if (deadline !== undefined && Number(deadline) < Date.now()) throw new Problem('deadline_exceeded')
}
