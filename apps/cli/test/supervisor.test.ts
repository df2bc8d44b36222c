import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { plainRuntime } from '@maru/service-host/runtime'
import { expect, onTestFinished, test } from 'vitest'
import { endLeftovers, ProcessList } from '../supervisor/leftovers.ts'
import { Child } from '../supervisor/child.ts'
import { processIdentity } from '../supervisor/process-identity.ts'
import type { SupervisedService } from '../supervisor/service-group.ts'
import { ServiceSettingsError, ServiceStartError, Supervisor } from '../supervisor/supervisor.ts'
import { watchForHangs } from '../supervisor/watchdog.ts'
import { recordingTerminal, temporaryFolder, until } from './support.ts'

const entry = path.join(import.meta.dirname, 'fixtures/service.ts')
const never = new AbortController().signal
const always = async (): Promise<boolean> => true

function service(name: string, environment: Record<string, string> = {}, stopPhase = 0): SupervisedService {
  return { name, entry, stopPhase, environment: { PATH: '/usr/bin:/bin', ...environment }, runtime: plainRuntime }
}

async function given(services: SupervisedService[]) {
  const folder = await temporaryFolder()
  const terminal = recordingTerminal()
  const processes = new ProcessList(folder.path)
  const logsFolder = path.join(folder.path, 'logs')
  const supervisor = new Supervisor({ services, logsFolder, processes, terminal })
  onTestFinished(async () => {
    await supervisor.stop(2_000)
    await folder[Symbol.asyncDispose]()
  })
  supervisor.start()
  return { supervisor, terminal, home: folder.path, logsFolder, pids: () => ProcessList.running(folder.path).map(({ pid }) => pid) }
}

test('all services become ready, log to a file each, and are gone after the stop', async () => {
  const { supervisor, logsFolder, pids } = await given([service('one'), service('two', {}, 1)])
  await supervisor.untilReady(always, never)
  expect(supervisor.notReady).toEqual([])
  const running = pids()
  expect(running).toHaveLength(2)
  await supervisor.stop(2_000)
  expect(running.map(processIdentity)).toEqual([undefined, undefined])
  expect(await readFile(path.join(logsFolder, 'one.log'), 'utf8')).toContain('environment ')
})

test('a service gets its own environment and nothing of the supervisor', async () => {
  const { supervisor, logsFolder } = await given([service('one', { ONLY_THIS: '1' })])
  await supervisor.untilReady(always, never)
  await until('the line', async () => (await readFile(path.join(logsFolder, 'one.log'), 'utf8')).includes('environment'))
  const log = await readFile(path.join(logsFolder, 'one.log'), 'utf8')
  const names = (/environment ([^"]*)/.exec(log)?.[1] ?? '')
    .split(',')
    .filter((name) => !name.startsWith('NODE_CHANNEL') && !name.startsWith('__CF'))
  expect(names).toEqual(['MARU_INSTANCE_ID', 'ONLY_THIS', 'PATH'])
})

test('a killed service is started again, and both are said', async () => {
  const { supervisor, terminal, pids } = await given([service('one')])
  await supervisor.untilReady(always, never)
  const [first] = pids()
  process.kill(first as number, 'SIGKILL')
  await until('a return', () => terminal.notes.some((note) => note.startsWith('one is back after')))
  expect(terminal.notes[0]).toBe('one ended (signal SIGKILL); it is started again')
  const [second] = pids()
  expect(second).not.toBe(first)
})

test('a service that ends again and again before it was ever ready fails the start, with its last words', async () => {
  const { supervisor } = await given([service('bad', { FIXTURE_EXIT_CODE: '1', FIXTURE_STDERR: 'no such table' })])
  const failure = supervisor.untilReady(always, never)
  await expect(failure).rejects.toThrow(ServiceStartError)
  await expect(failure).rejects.toThrow(/^bad could not be started \(exit code 1: no such table\)\. Its log is .*bad\.log$/)
})

test('settings that services refuse are reported together', async () => {
  const refuse = (name: string) => ({
    FIXTURE_EXIT_CODE: '78',
    FIXTURE_STDERR: `Settings at fault:\n  - ${name} is wrong\nSee .env.example.`,
  })
  const { supervisor } = await given([service('one', refuse('A')), service('two', refuse('B')), service('three')])
  const failure = supervisor.untilReady(always, never)
  await expect(failure).rejects.toThrow(ServiceSettingsError)
  await failure.catch((error: Error) =>
    expect(error.message.split('\n').sort()).toEqual(['  - A is wrong', '  - B is wrong', 'See .env.example.', 'Settings at fault:']),
  )
})

test('a service that does not end when asked is killed at the deadline', async () => {
  const { supervisor, terminal, pids } = await given([service('deaf', { FIXTURE_DEAF: '1' })])
  await supervisor.untilReady(always, never)
  const [pid] = pids()
  await supervisor.stop(100)
  expect(terminal.notes).toEqual(['deaf did not end within 0.1 s and was killed'])
  expect(processIdentity(pid as number)).toBeUndefined()
})

test('a stop in the middle of a start ends the wait and leaves nothing', async () => {
  const { supervisor, pids } = await given([service('one')])
  const stop = new AbortController()
  const waiting = supervisor.untilReady(async () => false, stop.signal)
  stop.abort(new Error('asked to stop'))
  await expect(waiting).rejects.toThrow('asked to stop')
  await supervisor.stop(2_000)
  expect(pids()).toEqual([])
})

test('what a killed supervisor left running is ended before a new one goes on', async () => {
  const { supervisor, home, pids } = await given([service('deaf', { FIXTURE_DEAF: '1' })])
  await supervisor.untilReady(always, never)
  const [pid] = pids()
  // The running supervisor starts it again; only the one that was listed must be gone.
  expect(await endLeftovers(home, 0)).toBe(1)
  expect(processIdentity(pid as number)).toBeUndefined()
})

test('a service that runs but answers nothing is killed and started again', async () => {
  const pids: number[] = []
  let ready = 0
  const child = new Child(service('stuck'), {
    line: () => undefined,
    spawned: (pid) => pids.push(pid),
    ready: () => (ready += 1),
    ended: () => undefined,
  })
  const over = new AbortController()
  onTestFinished(async () => {
    over.abort()
    await child.stop(2_000)
  })
  child.start()
  await until('ready', () => ready === 1)
  const notes: string[] = []
  const watching = watchForHangs(
    () => [child],
    over.signal,
    (line) => notes.push(line),
    { periodMs: 20, answerTimeoutMs: 200 },
  )
  process.kill(pids[0] as number, 'SIGSTOP')
  await until('ready again', () => ready === 2)
  expect(notes).toEqual(['stuck runs but does not answer; it is killed and started again'])
  expect(processIdentity(pids[0] as number)).toBeUndefined()
  over.abort()
  await watching
})
