import { expect, test } from 'vitest'
import { rollOut, scaleTo } from '../supervisor/rollout.ts'
import { given, sound, soundTimes } from './rollout-support.ts'
import { until } from './support.ts'

/** What becomes of a deploy or a scale when an instance is killed in the middle of it. */

/** A release whose instances end when asked to, where those before, with `deaf`, do not. */
const soundAfterDeaf = `delete process.env.FIXTURE_DEAF; ${sound}`
const deaf = { FIXTURE_DEAF: '1' }

test('a new instance that is killed while it starts is taken away, and nothing else is touched', async () => {
  const { group, options, release, pids } = await given()
  const before = pids()
  const deploying = rollOut(group, await release(sound), options)
  process.kill(pids()[2]!, 'SIGKILL')
  expect(await deploying).toEqual({
    ok: false,
    summary:
      'one was not deployed: the new instance ended before it took requests (signal SIGKILL). The instances before were not touched.',
  })
  expect(pids()).toEqual(before)
})

test('a new instance that is killed after its last answer on trial is not trusted: nobody would start it again', async () => {
  const { group, options, release, pids } = await given()
  const before = pids()
  const seen = async (id: string) => {
    const child = group.children.find((one) => one.id === id)!
    if (child.pid !== undefined) process.kill(child.pid, 'SIGKILL')
    await until('its end', () => child.pid === undefined)
    return true
  }
  const { ok, summary } = await rollOut(group, await release(sound), { ...options, bakeMs: 0, seen })
  expect({ ok, summary }).toMatchObject({
    ok: false,
    summary: expect.stringContaining('soon after it took requests (signal SIGKILL)') as string,
  })
  expect(pids()).toEqual(before)
})

test('a new instance that is killed once it is trusted is started again, and the deploy is done when it takes requests', async () => {
  const { group, options, release, said } = await given(1, deaf)
  const [old] = group.children
  const deploying = rollOut(group, await release(soundAfterDeaf), { ...options, drainMs: 60_000 })
  await until('the old one is asked to finish', () => old!.status.state === 'stopping')
  const fresh = group.children[1]!
  const killed = fresh.pid!
  process.kill(killed, 'SIGKILL')
  await until('its end', () => fresh.url === undefined)
  process.kill(old!.pid!, 'SIGKILL')
  expect(await deploying).toMatchObject({ ok: true })
  expect(group.children).toEqual([fresh])
  expect(fresh.url).toBeDefined()
  expect(fresh.pid).not.toBe(killed)
  expect(said).toContain('one: a new instance ended (signal SIGKILL); it is started again')
  expect(said.some((line) => line.endsWith(`${old!.id} ended before it had finished (signal SIGKILL)`))).toBe(true)
})

test('a new instance that is killed once it is trusted, and does not come back, takes the deploy with it', async () => {
  const { group, options, release } = await given(1, deaf)
  const [old] = group.children
  const { service } = group
  const deploying = rollOut(group, await release(`delete process.env.FIXTURE_DEAF; ${soundTimes(1)}`), options)
  await until('the old one is asked to finish', () => old!.status.state === 'stopping')
  const fresh = group.children[1]!
  process.kill(fresh.pid!, 'SIGKILL')
  await until('its end', () => fresh.url === undefined)
  process.kill(old!.pid!, 'SIGKILL')
  const { ok, summary } = await deploying
  expect({ ok, summary }).toMatchObject({
    ok: false,
    summary: expect.stringMatching(
      /a new instance ended 4 times in a row \(exit code 5\)\. All instances are of the release before again\.$/,
    ) as string,
  })
  expect(group.children.map(({ definition, url }) => [definition, url !== undefined])).toEqual([[service, true]])
})

test('an old instance that is killed while a new one starts is started again and replaced as the others', async () => {
  const { group, options, release, pids } = await given()
  const [first, second] = group.children
  const next = await release(sound)
  const deploying = rollOut(group, next, options)
  process.kill(second!.pid!, 'SIGKILL')
  expect(await deploying).toMatchObject({ ok: true })
  expect(group.children.map(({ definition }) => definition)).toEqual([next, next])
  expect(group.children).not.toContain(first)
  expect(new Set(pids()).size).toBe(2)
})

test('where the only instance is killed while a new one starts, it comes first: the new one is started afresh once it is back', async () => {
  const { group, options, release, said } = await given(1)
  const [only] = group.children
  const next = await release(sound)
  const killed = only!.pid!
  const readyAgain: boolean[] = []
  const say = (line: string) => {
    if (line.endsWith(`is started from ${next.release}`)) readyAgain.push(only!.url !== undefined && only!.pid !== killed)
    options.say(line)
  }
  const deploying = rollOut(group, next, { ...options, say })
  process.kill(killed, 'SIGKILL')
  expect(await deploying).toMatchObject({ ok: true })
  expect(readyAgain).toEqual([false, true])
  expect(said.filter((line) => line.endsWith('ended (signal SIGKILL) and is started again; the new one waits for it'))).toHaveLength(1)
  expect(group.children.map(({ definition }) => definition)).toEqual([next])
})

test('where one of several more does not start, those that did are taken away: the number stays as it was', async () => {
  const { group, options, release, pids } = await given(1)
  const before = pids()
  group.accept(await release(soundTimes(1)))
  expect((await scaleTo(group, 3, options)).summary).toMatch(/^one has 1 of 3 instances: .*exit code 5/)
  expect(pids()).toEqual(before)
})

test('a scale that is done says which instance was killed meanwhile and is not back', async () => {
  const { group, options, release } = await given(2, deaf)
  expect(await rollOut(group, await release(soundTimes(2)), { ...options, drainMs: 0 })).toMatchObject({ ok: true })
  const [first, second] = group.children
  const scaling = scaleTo(group, 1, { ...options, drainMs: 60_000 })
  await until('one is asked to finish', () => second!.status.state === 'stopping')
  process.kill(first!.pid!, 'SIGKILL')
  await until('its end', () => first!.url === undefined)
  process.kill(second!.pid!, 'SIGKILL')
  expect((await scaling).summary).toMatch(/^one now has 1 instance \(.*\); started again, and not ready yet: \S+ \(signal SIGKILL\)$/)
  expect(group.children).toEqual([first])
})
