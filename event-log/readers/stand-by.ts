import { pause, type Clock } from '../clock.ts'
import type { Progress } from './progress.ts'

/** How often the saved position is looked at. */
const lookMs = 250
/** A position that has not moved for so long, with records beyond it, has nobody at work. */
const silentMs = 500
/**
 * Where somebody waits here, the saved position is looked at after these times, from when it last moved on. Whoever is at work is mostly there by then; to
 * take over at once would have two readers take the work from each other with each question.
 */
const looksMs = [5, 10, 20]

export interface StandbyParts {
  progress: Progress
  /** The saved position; undefined once the signal has aborted. */
  load: () => Promise<number | undefined>
  /** Where the topic ends; the position given where that cannot be told now. */
  headOr: (position: number) => Promise<number>
  onMoved: (position: number) => void
  signal: AbortSignal
  clock: Clock
}

/**
 * Stands by while another reader of the same name is at work: opens no transaction and reads nothing of the log. Returns where to go on once the other
 * has done nothing for a while though there is something to do, which is a short while where somebody waits here; undefined once the signal has aborted. That the other lives after all does no harm: the position can be moved on by one of them alone.
 */
export async function standBy({ progress, load, headOr, onMoved, signal, clock }: StandbyParts, from: number): Promise<number | undefined> {
  let position = from
  let stillSinceMs = clock.elapsedMs()
  const look = async (): Promise<boolean> => {
    const saved = await load()
    if (saved === undefined) return false
    if (saved !== position) {
      position = saved
      stillSinceMs = clock.elapsedMs()
      onMoved(saved)
    }
    return true
  }
  for (;;) {
    await progress.pauseUnlessAwaited(lookMs, signal)
    if (!(await look())) return undefined
    for (let looks = 0; progress.isAwaited; looks++) {
      const nextMs = looksMs[looks]
      if (nextMs === undefined) return position
      const before = position
      await pause(nextMs, signal, clock)
      if (!(await look())) return undefined
      if (position > before) looks = -1
    }
    if (clock.elapsedMs() - stillSinceMs < silentMs) continue
    if ((await headOr(position)) > position) return position
    stillSinceMs = clock.elapsedMs()
  }
}
