import type { Samples } from './load/samples.ts'
import type { FaultKind } from './faults/fault.ts'

/** One fault as it went. Times in ms by the clock of `performance.now`. */
export interface Episode {
  name: string
  kind: FaultKind
  service: string | undefined
  startedMs: number
  /** When something was broken: `startedMs`, but for a kill in the middle of a longer change. */
  brokenMs: number
  /** When what was done from outside was over. */
  mendedMs: number
  /** When the platform was whole again. */
  wholeMs: number
  /** Why it did not become whole, or the fault could not be done. */
  failure: string | undefined
}

/** What a fault did to requests. */
export interface Impact {
  episode: Episode
  requests: number
  /** First tries that failed. */
  retried: number
  /** Requests that failed in spite of their retry. */
  failed: number
  /** From when something was broken until the last request was due whose first try failed; 0 where none did. */
  recoveryMs: number
  p99Ms: number
  reasons: string[]
}

/** How long after a fault requests are still laid at its door. */
export const settleMs = 2_000

export function within({ startedMs, wholeMs }: Episode): (atMs: number) => boolean {
  return (atMs) => atMs >= startedMs - settleMs && atMs <= wholeMs + settleMs
}

export function impactOf(episode: Episode, samples: Samples): Impact {
  const touched = samples.where(within(episode))
  const retried = touched.filter(({ firstFailure }) => firstFailure !== undefined)
  const durations = touched.map(({ durationMs }) => durationMs).sort((a, b) => a - b)
  const counts = new Map<string, number>()
  for (const { firstFailure, isGood } of retried) {
    const reason = `${firstFailure}${isGood ? '' : ' (and again)'}`
    counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }
  return {
    episode,
    requests: touched.length,
    retried: retried.length,
    failed: touched.filter(({ isGood }) => !isGood).length,
    recoveryMs: retried.reduce((last, { atMs }) => Math.max(last, atMs - episode.brokenMs), 0),
    p99Ms: durations[Math.floor(durations.length * 0.99)] ?? 0,
    reasons: [...counts].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${count} × ${reason}`),
  }
}
