import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/support/postgres.ts'
import { freePort } from '../../../test/support/platform.ts'
import { until } from './support/rig.ts'
import { bareEnvironment } from '../../../test/support/bare-environment.ts'

const echo = fileURLToPath(new URL('../../../service-host/test/support/echo-service.ts', import.meta.url))
const main = fileURLToPath(new URL('../main.ts', import.meta.url))
let database: Awaited<ReturnType<typeof createTestDatabase>>
const children = new Set<ChildProcess>()

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await database[Symbol.asyncDispose]()
})

function start(script: string, env: Record<string, string>): ChildProcess {
  const child = fork(script, [], {
    env: { ...bareEnvironment, MARU_LOG_LEVEL: 'fatal', ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  children.add(child)
  return child
}

async function startEcho(): Promise<ChildProcess> {
  const child = start(echo, { DATABASE_URL: database.urls.notification })
  await once(child, 'message')
  return child
}

test('the gateway as a process: two instances of a service, one killed and one stopped under load, cost no safe request', async () => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const gateway = start(main, {
    DATABASE_URL: database.urls.gateway,
    MARU_PORT: String(port),
    MARU_RATE_LIMIT_PER_SECOND: '1000000',
    MARU_RATE_LIMIT_BURST: '1000000',
  })
  const [first, second] = await Promise.all([startEcho(), startEcho()])
  const listed = async () => {
    const answer = await fetch(`${url}/health/services`).catch(() => undefined)
    return ((await answer?.json()) as { items: { service: string; pid: number; state: string }[] } | undefined)?.items ?? []
  }
  await until(async () => (await listed()).filter(({ service, state }) => service === 'notification' && state === 'ready').length === 2)
  expect((await listed()).find(({ service }) => service === 'gateway')?.pid).toBe(gateway.pid)

  const answers: { status: number; pid: number }[] = []
  let running = true
  const clients = Array.from({ length: 8 }, async () => {
    while (running) {
      const answer = await fetch(`${url}/api/notification/slow?ms=2`)
      answers.push({ status: answer.status, pid: ((await answer.json()) as { pid: number }).pid })
    }
  })
  const answeredBy = (pid: number | undefined, from: number) => answers.slice(from).filter((answer) => answer.pid === pid).length
  await until(() => answeredBy(first.pid, 0) > 10 && answeredBy(second.pid, 0) > 10)

  first.kill('SIGKILL')
  const third = await startEcho()
  await until(() => answeredBy(third.pid, 0) > 10)
  const at = answers.length
  second.kill('SIGTERM')
  expect(await once(second, 'exit')).toEqual([0, null])
  await until(() => answeredBy(third.pid, at) > 50)
  running = false
  await Promise.all(clients)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))

  // The only instance is killed: a request finds the next one as soon as it is there.
  third.kill('SIGKILL')
  const fourth = await startEcho()
  const answer = await fetch(`${url}/api/notification/slow?ms=0`)
  expect([answer.status, ((await answer.json()) as { pid: number }).pid]).toEqual([200, fourth.pid])

  const exited = once(gateway, 'exit')
  gateway.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
})

test('a port that is taken ends the gateway with a fault that says so', async () => {
  const port = await freePort()
  const env = { DATABASE_URL: database.urls.gateway, MARU_PORT: String(port) }
  start(main, env)
  await until(() =>
    fetch(`http://127.0.0.1:${port}/health/live`).then(
      () => true,
      () => false,
    ),
  )
  const second = start(main, env)
  expect((await once(second, 'exit'))[0]).toBe(1)
})
