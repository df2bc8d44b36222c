import { Problem } from './problem.ts'

/**
 * Until when a request is waited for, in milliseconds since 1970: set by the gateway, which lets no such header in from outside. A time of day and not a
 * span, so that it counts for what lay in the queue of a socket while this process was stopped, too; the clocks of the machines have to
 * agree within a second or so, as they have to for tokens.
 */
export const deadlineHeader = 'x-maru-deadline'

/** The deadline that a request came with, in milliseconds since 1970; undefined where there is none. */
export function deadlineOf(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined
  const deadlineMs = Number(header)
  return Number.isNaN(deadlineMs) ? undefined : deadlineMs
}

/** Throws Problem `deadline_exceeded` for a request that nobody waits for any more: to be asked before it is begun. Gives its deadline. */
export function expectInTime(header: string | string[] | undefined): number | undefined {
  const deadlineMs = deadlineOf(header)
  if (deadlineMs !== undefined && deadlineMs < Date.now()) throw new Problem('deadline_exceeded')
  return deadlineMs
}
