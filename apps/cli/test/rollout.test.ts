import { expect, test } from 'vitest'
import { processIdentity } from '../supervisor/process-identity.ts'
import { rollOut, scaleTo } from '../supervisor/rollout.ts'
import { crashesAtStart, diesSoon, given, neverReady, sound, soundTimes } from './rollout-support.ts'
import { until } from './support.ts'

test('a sound release replaces all instances, with never fewer than before that take requests', async () => {
  const { group, options, release, pids, fewestReady, said } = await given()
  const before = pids()
  const next = await release(sound)
  const result = await rollOut(group, next, options)
  expect(result).toMatchObject({ ok: true, summary: expect.stringMatching(/^one is deployed in [\d.]+ s from /) as string })
  expect(pids()).toHaveLength(2)
  expect(pids().some((pid) => before.includes(pid))).toBe(false)
  expect(before.map(processIdentity)).toEqual([undefined, undefined])
  expect(group.service).toBe(next)
  expect(fewestReady()).toBe(2)
  expect(said.filter((line) => line.endsWith('watched for 0.3 s'))).toHaveLength(2)
})

test.each([
  [
    'crashes at start',
    crashesAtStart,
    /^one was not deployed: the new instance ended before it took requests \(exit code 3: no such column\)/,
  ],
  ['never gets ready', neverReady, /^one was not deployed: the new instance was not ready within 1\.5 s: it said nothing/],
  ['gets ready and dies', diesSoon, /^one was not deployed: the new instance ended soon after it took requests \(exit code 4\)/],
])('a release that %s is taken back, and the instances before are not touched', async (_, program, why) => {
  const { group, options, release, pids, fewestReady } = await given()
  const [before, service] = [pids(), group.service]
  const result = await rollOut(group, await release(program), { ...options, readyWithinMs: program === neverReady ? 1_500 : 20_000 })
  expect(result.ok).toBe(false)
  expect(result.summary).toMatch(why)
  expect(pids()).toEqual(before)
  expect(group.service).toBe(service)
  expect(fewestReady()).toBe(2)
})

test('where a later instance fails, those already replaced are put back', async () => {
  const { group, options, release, fewestReady } = await given(3)
  const service = group.service
  const result = await rollOut(group, await release(soundTimes(2)), options)
  expect(result.summary).toMatch(/\(exit code 5\)\. All instances are of the release before again\.$/)
  expect(group.children.map(({ definition }) => definition)).toEqual([service, service, service])
  expect(group.service).toBe(service)
  expect(fewestReady()).toBe(3)
})

test('the next instance starts while one is watched: where it fails by then, nothing of before is touched', async () => {
  const { group, options, release, pids, said } = await given()
  const before = pids()
  let most = 0
  const say = (line: string) => {
    most = Math.max(most, group.children.length)
    options.say(line)
  }
  // Watched until the one after it is known to have failed.
  const seen = async () => said.every((line) => !line.includes('2 of 2')) || group.children.length < 4
  const result = await rollOut(group, await release(soundTimes(1)), { ...options, say, seen })
  expect(result.summary).toMatch(/\(exit code 5\)\. The instances before were not touched\.$/)
  expect(most).toBe(4)
  expect(pids()).toEqual(before)
})

test('while an old instance finishes the next one is tried out and takes the place of another', async () => {
  const { group, options, release } = await given(2, { FIXTURE_DEAF: '1' })
  const old = [...group.children]
  const next = await release(`delete process.env.FIXTURE_DEAF; ${sound}`)
  const deploying = rollOut(group, next, { ...options, drainMs: 60_000 })
  await until('both are asked to finish', () => old.every(({ status }) => status.state === 'stopping'))
  for (const { pid } of old) process.kill(pid!, 'SIGKILL')
  expect(await deploying).toMatchObject({ ok: true })
  expect(group.children.map(({ definition }) => definition)).toEqual([next, next])
})

test('an instance that the gateway gets no answers from is not trusted', async () => {
  const { group, options, release, pids } = await given()
  const before = pids()
  const result = await rollOut(group, await release(sound), { ...options, readyWithinMs: 1_500, seen: async () => false })
  expect(result.summary).toContain('not ready within 1.5 s: the gateway gets no answers from it')
  expect(pids()).toEqual(before)
})

test('a service is scaled up and down; one that cannot start leaves the number as it was', async () => {
  const { group, options, release, pids } = await given()
  const [first, second] = pids()
  expect(await scaleTo(group, 3, options)).toMatchObject({ ok: true })
  expect(pids()).toHaveLength(3)
  expect(await scaleTo(group, 1, options)).toMatchObject({ ok: true })
  expect(pids()).toEqual([first])
  expect(processIdentity(second as number)).toBeUndefined()
  group.accept(await release(crashesAtStart))
  expect((await scaleTo(group, 2, options)).summary).toMatch(/^one has 1 of 2 instances: .*exit code 3/)
  expect(pids()).toEqual([first])
})

test('a stop in the middle of a deploy ends it, and leaves nothing', async () => {
  const { supervisor, group, options, release, pids } = await given()
  const deploying = rollOut(group, await release(neverReady), options)
  const all = pids()
  expect(all).toHaveLength(3)
  await supervisor.stop(2_000)
  expect((await deploying).ok).toBe(false)
  expect(all.map(processIdentity)).toEqual([undefined, undefined, undefined])
})

test('starts of an instance stay counted when it is taken away', async () => {
  const { supervisor, group } = await given()
  const [first] = group.children
  process.kill(first!.pid!, 'SIGKILL')
  await expect.poll(() => supervisor.restarts.get('one'), { timeout: 20_000 }).toBe(1)
  await group.remove(first!, 5_000)
  expect(group.children).toHaveLength(1)
  expect(supervisor.restarts).toEqual(new Map([['one', 1]]))
})
