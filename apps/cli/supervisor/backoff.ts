/** Longest wait before a process is started again. */
export const restartDelayMaxMs = 5_000

/** A process that was ready for this long starts afresh: its next restart is at once. */
export const healthyAfterMs = 5_000

/** Wait before the next start after `failures` ends in a row: at once, then 100 ms, doubling up to 5 s. */
export function restartDelayMs(failures: number): number {
  if (failures <= 1) return 0
  return Math.min(100 * 2 ** (failures - 2), restartDelayMaxMs)
}
