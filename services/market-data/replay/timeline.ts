/**
 * How file time lies on wall time. Before `wallStartMs` the file lies there at its own speed (that is the history a replay begins with); from
 * then on it runs `speed` times as fast, from `fileStartMs` to `fileEndMs` and over again.
 */
export interface Timeline {
  readonly wallStartMs: number
  readonly fileStartMs: number
  /** Exclusive. */
  readonly fileEndMs: number
  readonly speed: number
}

/** Where a wall time stands: the round (0: the first), and the file time. Before the start: round 0 and a file time before `fileStartMs`. */
export function positionAt(timeline: Timeline, wallMs: number): { round: number; fileMs: number } {
  const { wallStartMs, fileStartMs, fileEndMs, speed } = timeline
  if (wallMs < wallStartMs) return { round: 0, fileMs: fileStartMs - (wallStartMs - wallMs) }
  const elapsed = (wallMs - wallStartMs) * speed
  const length = fileEndMs - fileStartMs
  return { round: Math.floor(elapsed / length), fileMs: fileStartMs + (elapsed % length) }
}

/** Wall time of a file time in a round. */
export function wallTime(timeline: Timeline, round: number, fileMs: number): number {
  const { wallStartMs, fileStartMs, fileEndMs, speed } = timeline
  const elapsed = round * (fileEndMs - fileStartMs) + (fileMs - fileStartMs)
  // Thirds and sevenths of a minute must not fall just short of the minute they end on.
  return wallStartMs + (elapsed < 0 ? elapsed : Math.round((elapsed / speed) * 1_000) / 1_000)
}
