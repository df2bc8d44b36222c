import { setTimeout as sleep } from 'node:timers/promises'
import type { Child } from './child.ts'
import { getJson } from './http.ts'
import type { ServiceGroup, SupervisedService } from './service-group.ts'

export interface TrialOptions {
  /** Within which a new instance must take requests. */
  readyWithinMs: number
  /** How long it must then go on doing so, beside the old ones, until it is trusted. */
  bakeMs: number
  /** Time an instance has to finish what it is doing when it is ended. */
  drainMs: number
  /** Whether the gateway sends requests to an instance and gets answers; undefined where that cannot be asked. */
  seen(instanceId: string): Promise<boolean | undefined>
  /** What is being done, a line at a time. */
  say(line: string): void
  /** Aborts when the whole platform stops. */
  signal: AbortSignal
}

interface OneTrial extends TrialOptions {
  /** A process that loads its modules already. */
  prepared?: Child | undefined
  /** It will be the only instance: a process is made to stand by for it while it is watched. */
  alone?: boolean
  /** It takes requests. */
  onReady?: () => void
}

/** How often an instance is asked how it is. */
export const askEveryMs = 100
const answerTimeoutMs = 2_000
export const stopped = 'the platform is being stopped'

/** A new instance that is being tried out. */
export interface Trial {
  /** Resolves when it first takes requests; may never. */
  ready: Promise<undefined>
  /** As `tryOut`. */
  outcome: Promise<Child | string>
  /** Takes it away again. */
  giveUp(): Promise<void>
}

/** Why one that is still being tried out has failed already. */
export async function faultSoFar(trial: Trial | undefined): Promise<string | undefined> {
  const outcome = await Promise.race([trial?.outcome, Promise.resolve(undefined)])
  return typeof outcome === 'string' ? outcome : undefined
}

/** As `tryOut`, for who has more to do meanwhile. */
export function begin(group: ServiceGroup, service: SupervisedService, place: string, options: OneTrial): Trial {
  const givenUp = new AbortController()
  const { promise: ready, resolve } = Promise.withResolvers<undefined>()
  const signal = AbortSignal.any([options.signal, givenUp.signal])
  const outcome = tryOut(group, service, place, { ...options, signal, onReady: () => resolve(undefined) })
  outcome.catch(() => undefined) // Heard by who waits for it, which may be later; until then it is no fault of the supervisor.
  return {
    ready,
    outcome,
    async giveUp() {
      givenUp.abort()
      const kept = await outcome
      if (typeof kept !== 'string') await group.remove(kept, options.drainMs)
    },
  }
}

/** A new instance that has proved itself, or why it was taken away again. */
export async function tryOut(group: ServiceGroup, service: SupervisedService, place: string, options: OneTrial): Promise<Child | string> {
  const { say, drainMs, prepared, alone = false, onReady } = options
  if (options.signal.aborted) {
    await prepared?.dropStandby()
    return stopped
  }
  const startedMs = performance.now()
  const child = group.tryOut(service, prepared)
  say(`${place}: ${child.id} is started${from(service)}`)
  const fault = await watch(child, options, () => {
    say(`${place}: it takes requests after ${seconds(startedMs)}${options.bakeMs > 0 ? `; watched for ${options.bakeMs / 1_000} s` : ''}`)
    // Where there can be none, its successor starts as any process does.
    if (alone) child.prepareStandby().catch(() => undefined)
    onReady?.()
  })
  if (fault === undefined) {
    child.keep()
    return child
  }
  await group.remove(child, drainMs)
  return fault
}

/** Why an instance on trial cannot be trusted; undefined once it can. */
async function watch(child: Child, options: TrialOptions, onReady: () => void): Promise<string | undefined> {
  const { readyWithinMs, bakeMs, signal, seen } = options
  const deadlineMs = performance.now() + readyWithinMs
  let readySinceMs: number | undefined
  let lacks = 'it said nothing'
  for (;;) {
    const health = child.url === undefined ? lacks : await lackOf(child.url)
    const unseen = health === undefined && (await seen(child.id)) === false ? 'the gateway gets no answers from it' : undefined
    if (signal.aborted) return stopped
    // After it was asked: it may have ended since it answered, and whoever is trusted then is never started again.
    const { lastEnd } = child.status
    if (lastEnd !== undefined) {
      const words = child.lastFault === '' ? '' : `: ${child.lastFault}`
      return `the new instance ended ${lastEnd.wasReady ? 'soon after' : 'before'} it took requests (${lastEnd.reason}${words})`
    }
    const now = performance.now()
    const lack = health ?? unseen
    if (lack !== undefined) {
      lacks = lack
      if (readySinceMs !== undefined && now > deadlineMs + bakeMs) return `the new instance did not stay ready: ${lack}`
      if (readySinceMs === undefined && now > deadlineMs) return `the new instance was not ready within ${readyWithinMs / 1_000} s: ${lack}`
      if (readySinceMs !== undefined) readySinceMs = now
    } else {
      if (readySinceMs === undefined) onReady()
      readySinceMs ??= now
      if (now - readySinceMs >= bakeMs) return undefined
    }
    await sleep(askEveryMs)
  }
}

/** Undefined when it is ready; else what it says it lacks. */
async function lackOf(url: string): Promise<string | undefined> {
  try {
    const { status, body } = await getJson(`${url}/health/ready`, answerTimeoutMs)
    if (status === 200) return undefined
    const { reason, detail } = (body ?? {}) as { reason?: unknown; detail?: unknown }
    return typeof reason === 'string' ? reason : typeof detail === 'string' ? detail : `its health is ${status}`
  } catch (error) {
    return (error as Error).message
  }
}

export function from({ release }: SupervisedService): string {
  return release === undefined ? '' : ` from ${release}`
}

export function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`
}
