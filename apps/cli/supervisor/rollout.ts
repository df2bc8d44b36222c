import { setTimeout as sleep } from 'node:timers/promises'
import type { Child } from './child.ts'
import type { ServiceGroup, SupervisedService } from './service-group.ts'
import { askEveryMs, begin, faultSoFar, from, seconds, stopped, tryOut, type Trial, type TrialOptions } from './trial.ts'

export type RolloutOptions = TrialOptions

export interface RolloutResult {
  ok: boolean
  /** How it ended, in one line. */
  summary: string
}

/** How often one of the release before is started when all is put back: what took the new one away may take it as well. */
const backTriesMax = 3

/** How often the only instance is looked at while its successor starts, and how long that waits for it where it has ended. */
const lookEveryMs = 20
const backFirstMs = 10_000

/** One that was trusted and then ends so often in a row will not come back. */
const endsMax = 4

/**
 * Replaces the instances of a service one by one with instances of `next`: starts one, waits until it takes requests and has done so for `bakeMs`, and only then lets an
 * old one finish. Where a new one ends, does not get ready, or stops being ready, all is put back as it was. While one that is ready is watched the next one starts, and
 * while an old one finishes the next new one is tried out; there are at most two more than before. A process that is no instance yet loads the modules of the next meanwhile.
 * A new one that ends after it was trusted is started again as any instance, and waited for: before an old one goes, and before it is said that all is done.
 */
export async function rollOut(group: ServiceGroup, next: SupervisedService, options: RolloutOptions): Promise<RolloutResult> {
  const { say, drainMs } = options
  const before = group.service
  const old = [...group.children]
  const left = new Set(old)
  const alone = old.length === 1
  const fresh: Child[] = []
  /** Of old ones that were asked to finish. */
  const endings: Promise<void>[] = []
  const startedMs = performance.now()
  const placeOf = (index: number): string => (alone ? group.name : `${group.name} ${index + 1} of ${old.length}`)
  let ahead: Trial | undefined
  let prepared: Child | undefined
  const prepareFor = (index: number): void => {
    prepared = index < old.length ? group.prepare(next) : undefined
  }
  const takeBack = async (place: string, why: string, ...trials: (Trial | undefined)[]): Promise<RolloutResult> => {
    say(`${place}: ${why}`)
    await Promise.all([...trials.map((trial) => trial?.giveUp()), prepared?.dropStandby(), ...endings])
    const back = await rollBack(group, before, next, fresh, { ...options, alone })
    return { ok: false, summary: `${group.name} was not deployed: ${why}. ${back}` }
  }
  for (const index of old.keys()) {
    const trial: Trial = ahead ?? (await beginBeside(group, next, placeOf(index), { ...options, alone }))
    if (index === 0) prepareFor(1)
    ahead = undefined
    const fault = await Promise.race([trial.ready, trial.outcome])
    if (fault === undefined && index + 1 < old.length) {
      await Promise.all(endings) // Before one more comes, so that they are never three too many.
      ahead = begin(group, next, placeOf(index + 1), { ...options, prepared })
      prepareFor(index + 2)
    }
    const tried = await trial.outcome
    if (typeof tried === 'string') return takeBack(placeOf(index), tried, trial, ahead)
    const lack = await lackAmong([...fresh, tried], options)
    if (lack !== undefined) return takeBack(placeOf(index), lack, trial, ahead)
    const nextFault = await faultSoFar(ahead)
    if (nextFault !== undefined) return takeBack(placeOf(index + 1), nextFault, trial, ahead)
    fresh.push(tried)
    // One that does not answer anyway goes first.
    const leaving = [...left].find(({ url }) => url === undefined) ?? [...left][0]!
    left.delete(leaving)
    const ending = end(group, leaving, placeOf(index), drainMs, say)
    ending.catch(() => undefined) // Heard below; until then it is no fault of the supervisor that nobody waits for it.
    endings.push(ending)
  }
  await Promise.all(endings)
  const lack = await lackAmong(fresh, options)
  if (lack !== undefined) return takeBack(group.name, lack)
  group.accept(next)
  return { ok: true, summary: `${group.name} is deployed in ${seconds(startedMs)}${from(next)}` }
}

/**
 * Begins to try a new instance out. Where the only one there is ends before the new one takes requests, that comes first: of two that start at once each takes longer, and
 * meanwhile nobody answers. Once it is back, or is seen not to come back, the new one is started afresh.
 */
async function beginBeside(
  group: ServiceGroup,
  next: SupervisedService,
  place: string,
  options: RolloutOptions & { alone: boolean },
): Promise<Trial> {
  const trial = begin(group, next, place, options)
  const [only] = group.children as [Child]
  if (!options.alone || only.url === undefined) return trial
  let over = false
  const settle = (): void => void (over = true)
  void Promise.race([trial.ready, trial.outcome]).then(settle, settle)
  while (!over && only.url !== undefined) await sleep(lookEveryMs)
  if (over) return trial
  options.say(`${place}: ${only.id} ended (${whyOf(only.status.lastEnd)}) and is started again; the new one waits for it`)
  await trial.giveUp()
  for (const untilMs = performance.now() + backFirstMs; only.url === undefined && performance.now() < untilMs && !options.signal.aborted;) {
    if (only.status.failures > 1) break
    await sleep(lookEveryMs)
  }
  return begin(group, next, place, options)
}

/**
 * Brings a service to so many instances. New ones are waited for, and where one does not start the number stays as it was; of those too many the unready go first, then
 * the newest.
 */
export async function scaleTo(group: ServiceGroup, count: number, options: RolloutOptions): Promise<RolloutResult> {
  const startedMs = performance.now()
  const before = group.children.length
  const added: Child[] = []
  while (group.children.length < count) {
    const place = `${group.name} ${group.children.length + 1} of ${count}`
    const tried = await tryOut(group, group.service, place, { ...options, bakeMs: 0 })
    if (typeof tried !== 'string') {
      added.push(tried)
      continue
    }
    for (const child of added.toReversed()) await end(group, child, group.name, options.drainMs, options.say)
    return { ok: false, summary: `${group.name} has ${group.children.length} of ${count} instances: ${tried}` }
  }
  while (group.children.length > count) {
    const last = group.children.findLast(({ url }) => url === undefined) ?? group.children.at(-1)
    await end(group, last as Child, group.name, options.drainMs, options.say)
  }
  const done = before === count ? 'has' : `now has`
  const down = group.children.filter(({ url }) => url === undefined).map(({ status: { id, lastEnd } }) => `${id} (${whyOf(lastEnd)})`)
  const but = down.length === 0 ? '' : `; started again, and not ready yet: ${down.join(', ')}`
  return { ok: true, summary: `${group.name} ${done} ${count} ${count === 1 ? 'instance' : 'instances'} (${seconds(startedMs)})${but}` }
}

/** Why instances that were trusted do not take requests any more; undefined once all do, those that had ended and were started again included. */
async function lackAmong(children: readonly Child[], { readyWithinMs, signal, say }: RolloutOptions): Promise<string | undefined> {
  const deadlineMs = performance.now() + readyWithinMs
  const told = new Set<Child>()
  for (;;) {
    const down = children.filter(({ url }) => url === undefined)
    if (down.length === 0) return undefined
    if (signal.aborted) return stopped
    const lost = down.find(({ status }) => status.failures >= endsMax)
    if (lost) return `a new instance ended ${lost.status.failures} times in a row (${whyOf(lost.status.lastEnd)})`
    if (performance.now() > deadlineMs)
      return `a new instance ended (${whyOf(down[0]!.status.lastEnd)}) and was not ready again within ${readyWithinMs / 1_000} s`
    for (const child of down) {
      if (!told.has(child)) say(`${child.name}: a new instance ended (${whyOf(child.status.lastEnd)}); it is started again`)
      told.add(child)
    }
    await sleep(askEveryMs)
  }
}

/** Instances that were already replaced are replaced again by the release before, where that is still there to be run. */
async function rollBack(
  group: ServiceGroup,
  before: SupervisedService,
  next: SupervisedService,
  fresh: readonly Child[],
  options: RolloutOptions & { alone: boolean },
): Promise<string> {
  if (fresh.length === 0) return 'The instances before were not touched.'
  if (before.entry === next.entry)
    return `${fresh.length} of ${group.children.length} instances run what is on disk now; what they ran before is not there any more, so they stay.`
  for (const [index, child] of fresh.entries()) {
    const place = `${group.name} back ${index + 1} of ${fresh.length}`
    let tried: Child | string = stopped
    for (let tries = 0; typeof tried === 'string' && tries < backTriesMax && !options.signal.aborted; tries += 1) {
      if (tries > 0) options.say(`${place}: ${tried}`)
      tried = await tryOut(group, before, place, options)
    }
    if (typeof tried === 'string') return `It could not be put back as it was, and instances of both releases run: ${tried}.`
    await end(group, child, place, options.drainMs, options.say)
  }
  return 'All instances are of the release before again.'
}

async function end(group: ServiceGroup, child: Child, place: string, drainMs: number, say: (line: string) => void): Promise<void> {
  const startedMs = performance.now()
  const { id, pid } = child
  const inTime = await group.remove(child, drainMs)
  say(`${place}: ${id} ${howItEnded()}`)

  function howItEnded(): string {
    const { lastEnd } = child.status
    if (!inTime) return `did not end within ${drainMs / 1_000} s and was killed`
    if (pid === undefined) return `had ended before (${whyOf(lastEnd)}) and is not started again`
    if (lastEnd?.reason !== 'exit code 0') return `ended before it had finished (${whyOf(lastEnd)})`
    return `has finished and ended (${seconds(startedMs)})`
  }
}

function whyOf(lastEnd: { reason: string } | undefined): string {
  return lastEnd?.reason ?? 'it has not been ready yet'
}
