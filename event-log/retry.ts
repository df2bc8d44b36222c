import { systemClock, type Clock } from './clock.ts'

/** SQLSTATE classes and codes after which the same statement may succeed unchanged. */
const transientStates = /^(08|40|53|57|58)|^(55P03|25006|55006)$/

const transientNodeCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ECONNABORTED',
])

/** The driver gives these no code. */
const transientMessages =
  /connection terminated|connection timeout|timeout exceeded when trying to connect|client has encountered a connection error|client was closed|query read timeout|cannot use a pool after/i

/**
 * Whether an error of `pg` comes from the connection or the state of the server (lost, restarting, overloaded, deadlocked) and not
 * from what was asked: the same work may be tried again.
 */
export function isTransientDatabaseError(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isTransientDatabaseError)
  if (!(error instanceof Error)) return false
  const { code } = error as { code?: unknown }
  if (typeof code === 'string') return transientNodeCodes.has(code) || (code.length === 5 && transientStates.test(code))
  return transientMessages.test(error.message)
}

/** Waiting times of a retry: the first at once, then doubling from 10 ms to 1 s, with jitter so that many do not return together. */
export function backoffMs(failures: number, clock: Clock = systemClock): number {
  if (failures <= 1) return 0
  return Math.min(1_000, 10 * 2 ** Math.min(failures - 2, 10)) * (0.5 + clock.jitter() / 2)
}
