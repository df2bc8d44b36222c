import { setTimeout as sleep } from 'node:timers/promises'
import type { Child } from './child.ts'
import { getJson } from './http.ts'

const usualTiming = { periodMs: 2_000, answerTimeoutMs: 5_000 }
const missesMax = 3

/**
 * Kills a process that runs but answers nothing (stopped, or caught in a loop): after three health checks in a row without any
 * answer, about 20 s. Any answer at all counts as life. Returns when `signal` aborts.
 */
export async function watchForHangs(
  children: () => readonly Child[],
  signal: AbortSignal,
  note: (line: string) => void,
  timing = usualTiming,
): Promise<void> {
  const misses = new Map<Child, { pid: number | undefined; count: number }>()
  while (!signal.aborted) {
    await sleep(timing.periodMs, undefined, { signal }).catch(() => undefined)
    await Promise.all(
      children().map(async (child) => {
        const { pid, url } = child
        if (url === undefined || signal.aborted) return
        const answered = await getJson(`${url}/health/live`, timing.answerTimeoutMs).then(
          () => true,
          () => false,
        )
        const before = misses.get(child)
        const count = answered ? 0 : (before?.pid === pid ? (before?.count ?? 0) : 0) + 1
        misses.set(child, { pid, count })
        if (count < missesMax || child.pid !== pid || signal.aborted) return
        note(`${child.name} runs but does not answer; it is killed and started again`)
        misses.delete(child)
        child.kill()
      }),
    )
  }
}
