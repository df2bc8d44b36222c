import { setTimeout as sleep } from 'node:timers/promises'
import type { Child } from './child.ts'
import { getJson } from './http.ts'
import type { ServiceGroup, SupervisedService } from './service-group.ts'

export interface RolloutOptions {
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

export interface RolloutResult {
  ok: boolean
  /** How it ended, in one line. */
  summary: string
}

/** How often an instance on trial is asked how it is. */
const askEveryMs = 100
const answerTimeoutMs = 2_000
const stopped = 'the platform is being stopped'

/**
 * Replaces the instances of a service one by one with instances of `next`: starts one, waits until it takes requests and has done so for `bakeMs`, and only then lets an
 * old one finish. Where a new one ends, does not get ready, or stops being ready, all is put back as it was. While one that is ready is watched the next one starts, and
 * while an old one finishes the next new one is tried out; there are at most two more than before. A process that is no instance yet loads the modules of the next meanwhile.
 */
export async function rollOut(group: ServiceGroup, next: SupervisedService, options: RolloutOptions): Promise<RolloutResult> {
  const { say, drainMs } = options
  const before = group.service
  const old = [...group.children]
  const fresh: Child[] = []
  /** Of old ones that were asked to finish. */
  const endings: Promise<void>[] = []
  const startedMs = performance.now()
  const placeOf = (index: number): string => (old.length === 1 ? group.name : `${group.name} ${index + 1} of ${old.length}`)
  let ahead: Trial | undefined
  let prepared: Child | undefined
  const prepareFor = (index: number): void => {
    prepared = index < old.length ? group.prepare(next) : undefined
  }
  for (const [index, child] of old.entries()) {
    const trial: Trial = ahead ?? begin(group, next, placeOf(index), options)
    if (index === 0) prepareFor(1)
    ahead = undefined
    const fault = await Promise.race([trial.ready, trial.outcome])
    if (fault === undefined && index + 1 < old.length) {
      await Promise.all(endings) // Before one more comes, so that they are never three too many.
      ahead = begin(group, next, placeOf(index + 1), options, prepared)
      prepareFor(index + 2)
    }
    const tried = await trial.outcome
    const nextFault = typeof tried === 'string' ? undefined : await faultSoFar(ahead)
    if (typeof tried === 'string' || nextFault !== undefined) {
      const why = typeof tried === 'string' ? tried : nextFault!
      say(`${placeOf(typeof tried === 'string' ? index : index + 1)}: ${why}`)
      await Promise.all([trial.giveUp(), ahead?.giveUp(), prepared?.dropStandby(), ...endings])
      const back = await rollBack(group, before, next, fresh, options)
      return { ok: false, summary: `${group.name} was not deployed: ${why}. ${back}` }
    }
    fresh.push(tried)
    const ending = end(group, child, placeOf(index), drainMs, say)
    ending.catch(() => undefined) // Heard below; until then it is no fault of the supervisor that nobody waits for it.
    endings.push(ending)
  }
  await Promise.all(endings)
  group.accept(next)
  return { ok: true, summary: `${group.name} is deployed in ${seconds(startedMs)}${from(next)}` }
}

/** A new instance that is being tried out. */
interface Trial {
  /** Resolves when it first takes requests; may never. */
  ready: Promise<undefined>
  /** As `tryOut`. */
  outcome: Promise<Child | string>
  /** Takes it away again. */
  giveUp(): Promise<void>
}

/** Why one that is still being tried out has failed already. */
async function faultSoFar(trial: Trial | undefined): Promise<string | undefined> {
  const outcome = await Promise.race([trial?.outcome, Promise.resolve(undefined)])
  return typeof outcome === 'string' ? outcome : undefined
}

function begin(group: ServiceGroup, service: SupervisedService, place: string, options: RolloutOptions, prepared?: Child): Trial {
  const givenUp = new AbortController()
  const { promise: ready, resolve } = Promise.withResolvers<undefined>()
  const signal = AbortSignal.any([options.signal, givenUp.signal])
  const outcome = tryOut(group, service, place, { ...options, signal, prepared, onReady: () => resolve(undefined) })
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

/** Brings a service to so many instances: new ones are waited for; of those too many the unready go first, then the newest. */
export async function scaleTo(group: ServiceGroup, count: number, options: RolloutOptions): Promise<RolloutResult> {
  const startedMs = performance.now()
  const before = group.children.length
  while (group.children.length < count) {
    const place = `${group.name} ${group.children.length + 1} of ${count}`
    const tried = await tryOut(group, group.service, place, { ...options, bakeMs: 0 })
    if (typeof tried !== 'string') continue
    return { ok: false, summary: `${group.name} has ${group.children.length} of ${count} instances: ${tried}` }
  }
  while (group.children.length > count) {
    const last = group.children.findLast(({ url }) => url === undefined) ?? group.children.at(-1)
    await end(group, last as Child, group.name, options.drainMs, options.say)
  }
  const done = before === count ? 'has' : `now has`
  return { ok: true, summary: `${group.name} ${done} ${count} ${count === 1 ? 'instance' : 'instances'} (${seconds(startedMs)})` }
}

/** A new instance that has proved itself, or why it was taken away again. */
async function tryOut(
  group: ServiceGroup,
  service: SupervisedService,
  place: string,
  options: RolloutOptions & { prepared?: Child | undefined; onReady?: () => void },
): Promise<Child | string> {
  const { say, drainMs, prepared, onReady = () => undefined } = options
  if (options.signal.aborted) {
    await prepared?.dropStandby()
    return stopped
  }
  const startedMs = performance.now()
  const child = group.tryOut(service, prepared)
  say(`${place}: ${child.id} is started${from(service)}`)
  const fault = await watch(child, options, () => {
    say(`${place}: it takes requests after ${seconds(startedMs)}${options.bakeMs > 0 ? `; watched for ${options.bakeMs / 1_000} s` : ''}`)
    onReady()
  })
  if (fault === undefined) {
    child.keep()
    return child
  }
  await group.remove(child, drainMs)
  return fault
}

/** Why an instance on trial cannot be trusted; undefined once it can. */
async function watch(child: Child, options: RolloutOptions, onReady: () => void): Promise<string | undefined> {
  const { readyWithinMs, bakeMs, signal, seen } = options
  const deadlineMs = performance.now() + readyWithinMs
  let readySinceMs: number | undefined
  let lacks = 'it said nothing'
  for (;;) {
    if (signal.aborted) return stopped
    const { lastEnd } = child.status
    if (lastEnd !== undefined) {
      const words = child.lastFault === '' ? '' : `: ${child.lastFault}`
      return `the new instance ended ${readySinceMs === undefined ? 'before it took requests' : 'soon after it took requests'} (${lastEnd.reason}${words})`
    }
    const health = child.url === undefined ? lacks : await lackOf(child.url)
    const unseen = health === undefined && (await seen(child.id)) === false ? 'the gateway gets no answers from it' : undefined
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

/** Instances that were already replaced are replaced again by the release before, where that is still there to be run. */
async function rollBack(
  group: ServiceGroup,
  before: SupervisedService,
  next: SupervisedService,
  fresh: readonly Child[],
  options: RolloutOptions,
): Promise<string> {
  if (fresh.length === 0) return 'The instances before were not touched.'
  if (before.entry === next.entry)
    return `${fresh.length} of ${group.children.length} instances run what is on disk now and are healthy; what they ran before is not there any more, so they stay.`
  for (const [index, child] of fresh.entries()) {
    const place = `${group.name} back ${index + 1} of ${fresh.length}`
    const tried = await tryOut(group, before, place, options)
    if (typeof tried === 'string') return `It could not be put back as it was, and instances of both releases run: ${tried}.`
    await end(group, child, place, options.drainMs, options.say)
  }
  return 'All instances are of the release before again.'
}

async function end(group: ServiceGroup, child: Child, place: string, drainMs: number, say: (line: string) => void): Promise<void> {
  const startedMs = performance.now()
  const { id } = child
  const inTime = await group.remove(child, drainMs)
  say(
    `${place}: ${id} ${inTime ? `has finished and ended (${seconds(startedMs)})` : `did not end within ${drainMs / 1_000} s and was killed`}`,
  )
}

function from({ release }: SupervisedService): string {
  return release === undefined ? '' : ` from ${release}`
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`
}
