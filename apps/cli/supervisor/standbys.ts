import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceGroup } from './service-group.ts'

const usualTiming = { lookEveryMs: 250, steadyAfterMs: 5_000 }

/**
 * Keeps a process standing by for each service that has one instance only: nobody answers for it when it dies, so how long it is away is how long its start takes. With
 * two there is another, and the memory is saved; one that is only on trial is no such other. Made one at a time, and only for instances that have been ready for a while, so that neither a start nor a
 * crash loop is slowed by it. Returns when `signal` aborts.
 */
export async function keepStandbys(groups: readonly ServiceGroup[], signal: AbortSignal, timing = usualTiming): Promise<void> {
  while (!signal.aborted) {
    for (const { children } of groups) {
      const kept = children.filter(({ isKept }) => isKept)
      const isAlone = kept.length === 1
      for (const child of kept) {
        if (!isAlone) await child.dropStandby()
        else if (child.hasBeenReadyFor(timing.steadyAfterMs) && !signal.aborted) await child.prepareStandby()
      }
    }
    await sleep(timing.lookEveryMs, undefined, { signal }).catch(() => undefined)
  }
}
