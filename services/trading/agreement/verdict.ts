/** What one replica says of the state at a command count. */
export interface Vote {
  readonly replica: string
  readonly slice: number
  readonly hash: string
}

/** `outvoted`: more replicas agree on another state than on this one. `tied`: as many do; who is right cannot be told. */
export type Verdict = 'agrees' | 'outvoted' | 'tied'

/** What the votes at one command count say about the replica that found `hash`; its own vote is among them. */
export function verdictOf(hash: string, votes: readonly Vote[]): Verdict {
  const counts = new Map<string, number>()
  for (const vote of votes) counts.set(vote.hash, (counts.get(vote.hash) ?? 0) + 1)
  const own = counts.get(hash) ?? 0
  counts.delete(hash)
  const most = Math.max(0, ...counts.values())
  if (own > most) return 'agrees'
  return own < most ? 'outvoted' : 'tied'
}
