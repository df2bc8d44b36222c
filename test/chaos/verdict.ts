import { impactOf, settleMs, within, type Episode, type Impact } from './episode.ts'
import type { FaultKind } from './faults/fault.ts'
import { figuresOf, type Figures } from './load/samples.ts'
import type { ChaosResult } from './run.ts'

export interface ServiceRow {
  service: string
  before: Figures
  /** With PostgreSQL's own restarts and the full disk left out. */
  during: Figures
  after: Figures
}

export interface Verdict {
  services: ServiceRow[]
  impacts: Impact[]
  alone: { episode: Episode; silenceMs: number }[]
  /** While PostgreSQL itself was down, or had no room to write. */
  databaseDown: Figures
  /** Promises that were not kept, each in a sentence. */
  broken: string[]
}

const availabilityMin = 0.9995
const p95MaxMs = 20
const recoveryMaxMs = 2_000
const deployMaxMs = 10_000
/** Of a deploy or a scale in which an instance is killed: long enough for another start. */
const disturbedMaxMs = 30_000
/** Of which no request may fail after its retry. */
const harmless: ReadonlySet<FaultKind> = new Set(['kill', 'deploy', 'pause', 'network', 'kill within a change'])

/** Holds a run against what is promised. */
export function judge(result: ChaosResult): Verdict {
  const { samples, before, after, episodes } = result
  const ofDatabase = episodes.filter(({ kind }) => kind === 'database' || kind === 'disk').map(within)
  const isApart = (atMs: number): boolean => ofDatabase.some((includes) => includes(atMs))
  const isBetween =
    ([from, to]: [number, number]) =>
    (atMs: number) =>
      atMs >= from && atMs < to
  const isDuring = (atMs: number): boolean => atMs >= before[1] && atMs < after[0] && !isApart(atMs)
  const services = samples.services.map((service) => ({
    service,
    before: figuresOf(samples.of(service, isBetween(before))),
    during: figuresOf(samples.of(service, isDuring)),
    after: figuresOf(samples.of(service, isBetween(after))),
  }))
  const impacts = episodes.map((episode) => impactOf(episode, samples))
  const alone = result.alone.map((episode) => ({ episode, silenceMs: silenceOf(result, episode) }))
  const broken: string[] = []
  for (const { service, before: calm, during, after: calmAgain } of services) {
    const all = [calm, during, calmAgain]
    const requests = all.reduce((sum, one) => sum + one.requests, 0)
    const failed = all.reduce((sum, one) => sum + one.failed, 0)
    const availability = requests === 0 ? 1 : 1 - failed / requests
    if (availability < availabilityMin)
      broken.push(`${service} was available at ${percent(availability)}, less than ${percent(availabilityMin)}`)
  }
  for (const { episode, failed } of impacts) {
    if (episode.failure !== undefined) broken.push(`${episode.name}: ${episode.failure}`)
    if (failed > 0 && harmless.has(episode.kind)) broken.push(`${episode.name}: ${failed} requests failed in spite of their retry`)
    const tookMs = episode.mendedMs - episode.startedMs
    const maxMs = { deploy: deployMaxMs, 'kill within a change': disturbedMaxMs }[episode.kind as string] ?? Infinity
    if (tookMs > maxMs) broken.push(`${episode.name} took ${seconds(tookMs)}, more than ${seconds(maxMs)}`)
  }
  for (const { episode, recoveryMs } of impacts)
    if ((episode.kind === 'kill' || episode.kind === 'kill within a change') && recoveryMs > recoveryMaxMs)
      broken.push(`${episode.name}: first tries failed for ${seconds(recoveryMs)}, longer than ${seconds(recoveryMaxMs)}`)
  for (const { episode, silenceMs } of alone) {
    if (episode.failure !== undefined) broken.push(`${episode.name}: ${episode.failure}`)
    if (silenceMs > recoveryMaxMs)
      broken.push(`${episode.name}: nothing was answered for ${seconds(silenceMs)}, longer than ${seconds(recoveryMaxMs)}`)
  }
  if (result.atHalfLoad.p95Ms >= p95MaxMs)
    broken.push(`p95 at half of full load is ${result.atHalfLoad.p95Ms.toFixed(1)} ms, not below ${p95MaxMs}`)
  if (result.unsent > 0) broken.push(`${result.unsent} requests could not be sent, because too many were waiting for their answers`)
  const { lost, doubled, other } = result.orders
  broken.push(...lost, ...doubled, ...other, ...result.faults)
  return { services, impacts, alone, databaseDown: figuresOf(samples.where(isApart)), broken }
}

/** The longest time without a good answer of the service from the kill of its only instance on. */
function silenceOf({ samples }: ChaosResult, episode: Episode): number {
  const answeredMs = samples
    .of(episode.service ?? '', (atMs) => atMs >= episode.startedMs - settleMs && atMs <= episode.wholeMs + settleMs)
    .filter(({ isGood }) => isGood)
    .map(({ atMs, durationMs }) => atMs + durationMs)
    .filter((atMs) => atMs >= episode.startedMs)
    .sort((a, b) => a - b)
  let silenceMs = 0
  let lastMs = episode.startedMs
  for (const atMs of answeredMs) {
    silenceMs = Math.max(silenceMs, atMs - lastMs)
    lastMs = atMs
  }
  return answeredMs.length === 0 ? Infinity : silenceMs
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(3)} %`
}

export function seconds(durationMs: number): string {
  return `${(durationMs / 1_000).toFixed(1)} s`
}
