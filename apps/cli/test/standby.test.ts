import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { plainRuntime } from '@maru/service-host/runtime'
import { expect, onTestFinished, test } from 'vitest'
import { Child } from '../supervisor/child.ts'
import { processIdentity } from '../supervisor/process-identity.ts'
import { rollOut } from '../supervisor/rollout.ts'
import { ServiceGroup, type SupervisedService } from '../supervisor/service-group.ts'
import { keepStandbys } from '../supervisor/standbys.ts'
import { until } from './support.ts'

const standby = path.join(import.meta.dirname, '../../../service-host/standby.ts')
const entry = path.join(import.meta.dirname, 'fixtures/in-two/main.ts')

/** A group for whose only instance a process stands by, with all that its processes said and every process there is. */
function given(environment: Record<string, string> = {}) {
  const service: SupervisedService = {
    name: 'one',
    entry,
    standby,
    stopPhase: 0,
    environment: { PATH: '/usr/bin:/bin', ...environment },
    runtime: plainRuntime,
  }
  const pids = new Set<number>()
  const lines: string[] = []
  const group = new ServiceGroup(
    service,
    (of, { onTrial }) =>
      new Child(
        of,
        {
          spawned: (pid) => pids.add(pid),
          gone: (pid) => pids.delete(pid),
          line: (line) => lines.push(line),
          ready: () => undefined,
          ended: () => undefined,
        },
        { onTrial },
      ),
  )
  const over = new AbortController()
  group.start(1)
  const keeping = keepStandbys([group], over.signal, { lookEveryMs: 10, steadyAfterMs: 0 })
  onTestFinished(async () => {
    over.abort()
    await Promise.all(group.children.map((child) => child.stop(2_000)))
    await keeping
    expect([...pids]).toEqual([])
  })
  const [child] = group.children
  return {
    group,
    child: child!,
    pids,
    lines,
    /** The process that stands by, once it has loaded. */
    async standing(): Promise<number> {
      await until('a process that stands by', () => pids.size === 2)
      await child!.prepareStandby()
      return [...pids].find((pid) => pid !== child!.pid)!
    },
  }
}

test('when the only process of a service is killed, the one that stands by goes on, under an id of its own', async () => {
  const { child, lines, standing } = given()
  const next = await standing()
  const first = { pid: child.pid!, id: child.id }
  expect(next).not.toBe(first.pid)
  expect(lines).toEqual([`begun as ${first.id} in process ${first.pid}`])
  process.kill(first.pid, 'SIGKILL')
  await until('requests are taken again', () => child.pid !== first.pid && child.url !== undefined)
  expect(child.pid).toBe(next)
  expect(child.id).not.toBe(first.id)
  expect(lines).toEqual([`begun as ${first.id} in process ${first.pid}`, `begun as ${child.id} in process ${next}`])
  expect(await standing()).not.toBe(next)
})

test('with two instances none stands by, and the last one has one again', async () => {
  const { group, standing, pids } = given()
  const first = await standing()
  const more = group.tryOut(group.service)
  more.keep()
  await until('it is gone', () => processIdentity(first) === undefined && pids.size === 2)
  await group.remove(more, 2_000)
  await standing()
})

const rollout = {
  readyWithinMs: 20_000,
  bakeMs: 1_000,
  drainMs: 2_000,
  seen: async () => undefined,
  say: () => undefined,
  signal: new AbortController().signal,
}

test('while the first of a release is tried out, a process loads the modules of the next, and becomes it', async () => {
  const { group, pids, lines } = given()
  const more = group.tryOut(group.service)
  more.keep()
  await until('two take requests', () => group.children.every(({ url }) => url !== undefined) && pids.size === 2)
  const deploying = rollOut(group, { ...group.service }, rollout)
  await until('one is started and one waits', () => group.children.length === 3 && pids.size === 4)
  const instances = group.children.map(({ pid }) => pid)
  const waiting = [...pids].find((pid) => !instances.includes(pid))!
  expect(await deploying).toMatchObject({ ok: true })
  expect(group.children.map(({ pid }) => pid)).toContain(waiting)
  expect(lines.at(-1)).toBe(`begun as ${group.children[1]!.id} in process ${waiting}`)
  expect(pids.size).toBe(2)
})

test('where the only instance is killed while another one is on trial, what stands by goes on', async () => {
  const { group, child, lines, standing } = given()
  const next = await standing()
  const over = new AbortController()
  const deploying = rollOut(group, { ...group.service }, { ...rollout, bakeMs: 60_000, signal: over.signal })
  await until('the new one takes requests', () => group.children[1]?.url !== undefined)
  process.kill(child.pid!, 'SIGKILL')
  await until('requests are taken again', () => child.url !== undefined && child.pid === next)
  expect(lines).toContain(`begun as ${child.id} in process ${next}`)
  over.abort()
  expect(await deploying).toMatchObject({ ok: false })
})

test('for the only instance of a new release another stands by before the last one of the release before has gone', async () => {
  const { group, pids, standing } = given({ FIXTURE_DEAF: '1' })
  await standing()
  const old = group.children[0]!
  const deploying = rollOut(group, { ...group.service, environment: { PATH: '/usr/bin:/bin' } }, { ...rollout, drainMs: 60_000 })
  await until('the old one is asked to finish', () => old.status.state === 'stopping')
  const fresh = group.children[1]!
  const killed = fresh.pid!
  await until('old, new, and one for the new', () => pids.size === 3)
  const next = [...pids].find((pid) => pid !== old.pid && pid !== killed)!
  process.kill(killed, 'SIGKILL')
  await until('requests are taken again', () => fresh.url !== undefined && fresh.pid === next)
  process.kill(old.pid!, 'SIGKILL')
  expect(await deploying).toMatchObject({ ok: true })
})

test('a deploy that is given up takes away the process that was made for the next instance', async () => {
  const { group, pids } = given()
  const more = group.tryOut(group.service)
  more.keep()
  await until('two take requests', () => group.children.every(({ url }) => url !== undefined) && pids.size === 2)
  const givenUp = new AbortController()
  const deploying = rollOut(group, { ...group.service }, { ...rollout, bakeMs: 60_000, signal: givenUp.signal })
  await until('one is started and one waits', () => group.children.length === 3 && pids.size === 4)
  givenUp.abort()
  expect(await deploying).toMatchObject({ ok: false })
  expect(pids.size).toBe(2)
})

test('one that is killed itself costs nothing but its help', async () => {
  const { child, standing, lines } = given()
  const [first, next] = [child.pid!, await standing()]
  process.kill(next, 'SIGKILL')
  await until('that it is said', () => lines.some((line) => line === 'the process that stood by ended (signal SIGKILL)'))
  expect(child.pid).toBe(first)
  process.kill(first, 'SIGKILL')
  await until('requests are taken again', () => child.pid !== first && child.url !== undefined)
})

test('where a service cannot be loaded ahead, it is said once, and the service starts without', async () => {
  const { child, lines } = given({ FIXTURE_CANNOT_LOAD: '1' })
  const failures = () => lines.filter((line) => line === 'the process that stood by ended (exit code 9)').length
  await until('that it is said', () => failures() === 1)
  const first = child.pid
  process.kill(first!, 'SIGKILL')
  await until('requests are taken again', () => child.pid !== first && child.url !== undefined)
  expect(failures()).toBe(1)
})

test('it ends with its supervisor', async () => {
  const alone = spawn(process.execPath, [standby, entry], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  await once(alone, 'message')
  alone.disconnect()
  expect(await once(alone, 'exit')).toEqual([0, null])
})
