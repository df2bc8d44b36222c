import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../test/support/postgres.ts'
import { openPostgresDiscovery } from '../discovery/postgres/discovery.ts'
import type { Discovery } from '../discovery/port.ts'
import { bareEnvironment } from '../../test/support/bare-environment.ts'

const echo = fileURLToPath(new URL('support/echo-service.ts', import.meta.url))
let database: Awaited<ReturnType<typeof createTestDatabase>>
let discovery: Discovery
const children: ChildProcess[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  discovery = await openPostgresDiscovery({ connectionString: database.urls.gateway, logger: pino({ level: 'silent' }) })
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(async () => {
  await discovery[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

function start(env: Record<string, string> = {}): ChildProcess {
  const child = fork(echo, [], {
    env: { ...bareEnvironment, DATABASE_URL: database.urls.notification, MARU_LOG_LEVEL: 'error', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  children.push(child)
  return child
}

async function readyUrl(child: ChildProcess): Promise<string> {
  const [message] = (await once(child, 'message')) as [{ type: string; url: string }]
  expect(message.type).toBe('ready')
  return message.url
}

const announced = async () => (await discovery.instances('notification')).map(({ pid, state }) => `${pid} ${state}`)

describe('the life of a service', () => {
  test('announces itself, answers health, and SIGTERM lets a request in flight end', async () => {
    const child = start()
    const url = await readyUrl(child)
    await expect.poll(announced).toEqual([`${child.pid} ready`])
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
    expect((await fetch(`${url}/health/ready`)).status).toBe(200)
    const inFlight = fetch(`${url}/slow?ms=700`)
    // The request has arrived once the service counts it as under way; a second one answered says that the first was read.
    await fetch(`${url}/slow?ms=0`)
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const answer = await inFlight
    expect({ status: answer.status, body: await answer.json() }).toEqual({ status: 200, body: { pid: child.pid } })
    expect(await exited).toEqual([0, null])
    expect(await announced()).toEqual([])
  })

  test('a request that never ends does not hold up a stop for ever', async () => {
    const child = start()
    const url = await readyUrl(child)
    const hanging = fetch(`${url}/slow?ms=60000`).then(
      () => 'answered',
      () => 'cut off',
    )
    await fetch(`${url}/slow?ms=0`)
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    expect((await exited)[0]).toBe(0)
    expect(await hanging).toBe('cut off')
  })

  test('a second SIGTERM ends it at once', async () => {
    const child = start()
    const url = await readyUrl(child)
    const hanging = fetch(`${url}/slow?ms=60000`).catch(() => undefined)
    await fetch(`${url}/slow?ms=0`)
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    await expect.poll(announced).toEqual([])
    child.kill('SIGTERM')
    expect((await exited)[0]).toBe(1)
    await hanging
  })

  test('ends by itself when its supervisor dies', async () => {
    const code = `
      const child = require('node:child_process').fork(${JSON.stringify(echo)}, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      child.on('message', () => process.stdout.write(child.pid + '\\n'))`
    const supervisor = spawn(process.execPath, ['-e', code], {
      env: { ...bareEnvironment, DATABASE_URL: database.urls.notification, MARU_LOG_LEVEL: 'error' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(supervisor)
    const [line] = (await once(supervisor.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
    const pid = Number(line.toString())
    supervisor.kill('SIGKILL')
    const isAlive = () => {
      try {
        process.kill(pid, 0)
        return true
      } catch {
        return false
      }
    }
    await expect.poll(isAlive, { timeout: 20_000 }).toBe(false)
    expect(await announced()).toEqual([])
  })

  test('is announced as starting until it is ready, and again when it no longer is', async () => {
    const child = start({ ECHO_READY: 'no' })
    const ready = readyUrl(child)
    await expect.poll(announced, { timeout: 20_000 }).toEqual([`${child.pid} starting`])
    const [instance] = await discovery.instances('notification')
    const notYet = await fetch(`${instance?.url}/health/ready`)
    expect({ status: notYet.status, body: await notYet.json() }).toMatchObject({
      status: 503,
      body: { status: 'not_ready', reason: 'told not to be', instance: { pid: child.pid, ready_at: null, load: { in_flight: 0 } } },
    })
    await fetch(`${instance?.url}/toggle`, { method: 'POST' })
    expect(await ready).toBe(instance?.url)
    await expect.poll(announced).toEqual([`${child.pid} ready`])
    await fetch(`${instance?.url}/toggle`, { method: 'POST' })
    await expect.poll(announced).toEqual([`${child.pid} starting`])
  })

  test('faulty settings are reported together and end it with 78', async () => {
    const child = start({ DATABASE_URL: '', MARU_PORT: '99999', MARU_LOG: 'carrier-pigeon', MARU_LOG_LEVEL: 'loud' })
    let errors = ''
    child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    expect((await once(child, 'exit'))[0]).toBe(78)
    for (const name of ['DATABASE_URL', 'MARU_PORT', 'MARU_LOG ', 'MARU_LOG_LEVEL']) expect(errors).toContain(name)
  })
})
