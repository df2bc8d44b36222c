import { describe, expect, test } from 'vitest'
import { randomNumbers } from '../failure/seeded.ts'
import type { Episode } from './episode.ts'
import { kills, pauses } from './faults/process.ts'
import { figuresOf, Samples } from './load/samples.ts'
import { plan } from './plan.ts'
import { reportOf } from './report.ts'
import type { ChaosResult } from './run.ts'
import { judge } from './verdict.ts'

const kill: Episode = {
  name: 'kill -9 one user',
  kind: 'kill',
  service: 'user',
  startedMs: 20_000,
  brokenMs: 20_000,
  mendedMs: 20_000,
  wholeMs: 21_500,
  failure: undefined,
}

/** A run of a minute with a request to the user service every 10 ms, each of 5 ms, all of them good. */
function goodRun(): ChaosResult & { samples: Samples } {
  const samples = new Samples()
  for (let atMs = 0; atMs < 60_000; atMs += 10) samples.add({ service: 'user', atMs, durationMs: 5, firstFailure: undefined, isGood: true })
  return {
    seed: 1,
    left: [],
    fullPerSecond: 400,
    steadyPerSecond: 100,
    atHalfLoad: figuresOf(samples.where(() => true)),
    samples,
    before: [0, 10_000],
    after: [50_000, 55_000],
    episodes: [kill],
    alone: [{ ...kill, name: 'kill -9 the only user', startedMs: 56_000, mendedMs: 56_000, wholeMs: 57_500 }],
    unsent: 0,
    priceMessages: 1,
    streamEvents: 1,
    orders: { told: 1, lost: [], doubled: [], other: [] },
    faults: [],
    position: 1,
    stateHash: 'ab',
  }
}

function failing(atMs: number, isGood: boolean) {
  return { service: 'user', atMs, durationMs: 100, firstFailure: 'GET /me: 503 unavailable', isGood }
}

describe('the verdict on a run', () => {
  test('a run without a fault keeps every promise', () => {
    const result = goodRun()
    const verdict = judge(result)
    expect(verdict.broken).toEqual([])
    expect(reportOf(result, verdict)).toContain('every promise was kept')
  })

  test('first tries that fail for a moment after a kill are no fault', () => {
    const result = goodRun()
    result.samples.add(failing(20_500, true))
    const verdict = judge(result)
    expect(verdict.broken).toEqual([])
    expect(verdict.impacts[0]).toMatchObject({ retried: 1, failed: 0, recoveryMs: 500 })
  })

  /** A kill six seconds after the beginning of a deploy that takes a while longer. */
  const withinDeploy: Episode = {
    ...kill,
    kind: 'kill within a change',
    name: 'kill -9 a new user instance within deploy user',
    brokenMs: 26_000,
    mendedMs: 32_000,
    wholeMs: 32_100,
  }

  test('what a kill within a deploy does counts from the kill', () => {
    const result = goodRun()
    result.episodes = [withinDeploy]
    result.samples.add(failing(26_500, true))
    const verdict = judge(result)
    expect(verdict.broken).toEqual([])
    expect(verdict.impacts[0]).toMatchObject({ retried: 1, recoveryMs: 500 })
  })

  const breaks: [string, (result: ChaosResult & { samples: Samples }) => void, string][] = [
    ['a request failed after its retry', ({ samples }) => samples.add(failing(20_500, false)), '1 requests failed in spite of their retry'],
    ['first tries fail for longer than promised', ({ samples }) => samples.add(failing(22_600, true)), 'first tries failed for 2.6 s'],
    [
      'a service is away too often',
      ({ samples }) => {
        for (let atMs = 30_000; atMs < 30_100; atMs += 10) samples.add(failing(atMs, false))
      },
      'user was available at 99.8',
    ],
    ['an order is lost', ({ orders }) => orders.lost.push('t1-1 was lost'), 't1-1 was lost'],
    ['an order is doubled', ({ orders }) => orders.doubled.push('t1-1 was doubled'), 't1-1 was doubled'],
    ['the books do not add up', ({ faults }) => faults.push('USDT does not add up: 1'), 'USDT does not add up'],
    ['the load could not be sent', (result) => void (result.unsent = 3), '3 requests could not be sent'],
    [
      'the platform does not become whole',
      (result) => void (result.episodes = [{ ...kill, failure: 'not within 60000 ms' }]),
      'not within 60000 ms',
    ],
    [
      'a deploy takes too long',
      (result) => void (result.episodes = [{ ...kill, kind: 'deploy', name: 'deploy user', mendedMs: 31_000, wholeMs: 31_500 }]),
      'deploy user took 11.0 s',
    ],
    [
      'first tries fail for long after a kill within a deploy',
      (result) => {
        result.episodes = [withinDeploy]
        result.samples.add(failing(28_100, true))
      },
      'kill -9 a new user instance within deploy user: first tries failed for 2.1 s',
    ],
    [
      'a request fails after a kill within a deploy',
      (result) => {
        result.episodes = [withinDeploy]
        result.samples.add(failing(26_100, false))
      },
      'kill -9 a new user instance within deploy user: 1 requests failed in spite of their retry',
    ],
    [
      'a deploy in which one is killed does not end',
      (result) => void (result.episodes = [{ ...withinDeploy, mendedMs: 51_000 }]),
      'kill -9 a new user instance within deploy user took 31.0 s',
    ],
    [
      'the only instance is away for too long',
      (result) => {
        const gap = new Samples()
        for (const sample of result.samples.where((atMs) => atMs < 56_000 || atMs > 58_500)) gap.add(sample)
        result.samples = gap
        result.alone = [{ ...result.alone[0]!, wholeMs: 59_000 }]
      },
      'kill -9 the only user: nothing was answered for 2.5 s',
    ],
    [
      'half of full load is too slow',
      (result) => void (result.atHalfLoad = { ...result.atHalfLoad, p95Ms: 21 }),
      'p95 at half of full load is 21.0 ms',
    ],
  ]
  test.each(breaks)('%s: that is said', (_name, spoil, sentence) => {
    const result = goodRun()
    spoil(result)
    const { broken } = judge(result)
    expect(broken.join('\n')).toContain(sentence)
  })

  test('what fails while PostgreSQL itself is down is stated apart', () => {
    const result = goodRun()
    result.episodes = [{ ...kill, name: 'kill -9 PostgreSQL', kind: 'database', service: undefined }]
    for (let atMs = 20_100; atMs < 20_300; atMs += 10) result.samples.add(failing(atMs, false))
    const { broken, databaseDown, services } = judge(result)
    expect(broken).toEqual([])
    expect(databaseDown.failed).toBe(20)
    expect(services[0]!.during.failed).toBe(0)
  })
})

test('a seed gives one order of faults, in which each comes before any comes again', () => {
  const faults = [...kills, ...pauses]
  const namesOf = (seed: number) => {
    const order = plan(faults, randomNumbers(seed))
    return Array.from({ length: faults.length }, () => order.next().value.name)
  }
  expect(namesOf(7)).toEqual(namesOf(7))
  expect(namesOf(7)).not.toEqual(namesOf(8))
  expect(new Set(namesOf(7)).size).toBe(faults.length)
})
