import type { Member, Tally } from './member.ts'

export interface OutlierBounds {
  /** Of the instances of a service, at most this share is ejected at once. */
  shareMax: number
  /** The first time; each further time in a row is twice as long. */
  baseMs: number
  maxMs: number
  /** An instance is judged once it had this many requests. */
  requestsMin: number
  /** For so long after it came, or came back, nobody holds against it that it is slow: its code is not compiled yet, and it is given little meanwhile. */
  warmMs: number
}

export const outlierBounds: OutlierBounds = { shareMax: 0.5, baseMs: 5_000, maxMs: 300_000, requestsMin: 20, warmMs: 10_000 }

/** Failing by this share of its requests, and by this many times the share of the others, is too much. */
const failureShareMin = 0.1
const failureRatio = 3
/** Slower than the others by this factor, and by this many milliseconds, is too slow. */
const slowRatio = 3
const slowByMs = 30
/** After this long a time without being ejected, the next time is the first again. */
const forgivenMs = 60_000

/**
 * Looks at what each instance of a service did since it was last judged, beside the others, and ejects those that fail more often or answer more slowly: what
 * a circuit does not see, as its failures are not in a row, or as it does not fail at all. Gives those it ejected. An instance that is back begins anew, slowly.
 *
 * It is compared with the median of the others: where all are slow, or all fail, nobody is ejected.
 */
export function judgeOutliers<M extends Member>(members: readonly M[], bounds: OutlierBounds, nowMs: number): M[] {
  for (const member of members) {
    if (member.ejectedUntilMs === 0) continue
    if (member.ejectedUntilMs <= nowMs) {
      if (!member.isBack) {
        member.isBack = true
        member.warmsSinceMs = nowMs
        member.tally = nothing()
      }
      if (nowMs - member.ejectedUntilMs > forgivenMs) {
        member.ejections = 0
        member.ejectedUntilMs = 0
      }
    }
  }
  const isOut = (member: Member): boolean => member.ejectedUntilMs > nowMs
  const judged = members.filter((member) => !isOut(member) && member.tally.answered + member.tally.failed >= bounds.requestsMin)
  if (judged.length < 2) return []
  const seen = judged.map((member) => ({ member, ...figuresOf(member) }))
  for (const { member } of seen) member.tally = nothing()
  const suspects = seen
    .map((one) => {
      const others = seen.filter((other) => other !== one)
      const failures = one.failureShare / Math.max(failureShareMin, failureRatio * median(others.map(({ failureShare }) => failureShare)))
      const usualMs = median(others.map(({ latencyMs }) => latencyMs))
      const isWarm = nowMs - one.member.warmsSinceMs >= bounds.warmMs
      const slowness = isWarm ? one.latencyMs / Math.max(usualMs * slowRatio, usualMs + slowByMs) : 0
      return { member: one.member, excess: Math.max(failures, slowness) }
    })
    .filter(({ excess }) => excess > 1)
    .sort((a, b) => b.excess - a.excess)
  const room = Math.floor(members.length * bounds.shareMax) - members.filter(isOut).length
  const ejected = suspects.slice(0, Math.max(0, room)).map(({ member }) => member)
  for (const member of ejected) {
    member.ejectedUntilMs = nowMs + Math.min(bounds.maxMs, bounds.baseMs * 2 ** member.ejections)
    member.ejections += 1
    member.isBack = false
  }
  return ejected
}

function nothing(): Tally {
  return { answered: 0, failed: 0, latencySumMs: 0 }
}

function figuresOf({ tally }: Member): { failureShare: number; latencyMs: number } {
  return {
    failureShare: tally.failed / (tally.answered + tally.failed),
    latencyMs: tally.answered === 0 ? 0 : tally.latencySumMs / tally.answered,
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
