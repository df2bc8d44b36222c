import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { plainRuntime } from '@maru/service-host/runtime'
import { expect, onTestFinished, test } from 'vitest'
import { inRelease } from '../supervisor/deployment.ts'
import { ProcessList } from '../supervisor/leftovers.ts'
import { processIdentity } from '../supervisor/process-identity.ts'
import { rollOut, scaleTo, type RolloutOptions } from '../supervisor/rollout.ts'
import type { ServiceGroup, SupervisedService } from '../supervisor/service-group.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import { recordingTerminal, temporaryFolder, until } from './support.ts'

const fixture = path.join(import.meta.dirname, 'fixtures/service.ts')
const sound = `await import(${JSON.stringify(fixture)})`
const crashesAtStart = `process.stderr.write('no such column\\n'); process.exit(3)`
const neverReady = `setInterval(() => undefined, 1000); process.on('SIGTERM', () => process.exit(0)); process.on('disconnect', () => process.exit(0))`
/** Answers its first health check, and is gone. */
const diesSoon = `
  const { createServer } = await import('node:http')
  const server = createServer((request, response) => { response.end('{}'); response.on('close', () => process.exit(4)) })
  server.listen(0, '127.0.0.1', () => process.send({ type: 'ready', url: 'http://127.0.0.1:' + server.address().port }))`
/** Sound the first times it is started, and never again. */
const soundTimes = (times: number) => `
  const { readdirSync, writeFileSync } = await import('node:fs')
  writeFileSync(import.meta.filename + '.started' + process.pid, '')
  if (readdirSync(import.meta.dirname).length > ${times} + 1) process.exit(5)
  ${sound}`

/** A service with instances that take requests, and a way to deploy another release of it. */
async function given(instances = 2, environment: Record<string, string> = {}) {
  const folder = await temporaryFolder()
  const service: SupervisedService = {
    name: 'one',
    entry: fixture,
    stopPhase: 0,
    environment: { PATH: '/usr/bin:/bin', ...environment },
    runtime: plainRuntime,
  }
  const supervisor = new Supervisor({
    services: [service],
    logsFolder: path.join(folder.path, 'logs'),
    processes: new ProcessList(folder.path),
    terminal: recordingTerminal(),
  })
  onTestFinished(async () => {
    await supervisor.stop(2_000)
    await folder[Symbol.asyncDispose]()
  })
  supervisor.start(new Map([['one', instances]]))
  await supervisor.untilReady(async () => true, new AbortController().signal)
  const group = supervisor.groups.get('one') as ServiceGroup
  const ready = (): number => group.children.filter(({ url }) => url !== undefined).length
  let fewestReady = ready()
  const said: string[] = []
  const options: RolloutOptions = {
    readyWithinMs: 20_000,
    bakeMs: 300,
    drainMs: 5_000,
    seen: async () => undefined,
    say: (line) => {
      said.push(line)
      fewestReady = Math.min(fewestReady, ready())
    },
    signal: supervisor.stopping,
  }
  return {
    supervisor,
    group,
    options,
    said,
    fewestReady: () => fewestReady,
    pids: () => group.children.map(({ pid }) => pid as number),
    async release(program: string): Promise<SupervisedService> {
      const root = path.join(folder.path, 'release')
      await mkdir(path.join(root, 'services/one'), { recursive: true })
      await writeFile(path.join(root, 'services/one/main.ts'), program)
      return inRelease(service, root)
    },
  }
}

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
