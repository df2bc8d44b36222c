import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { deadlineHeader, openPostgresDiscovery } from '@maru/service-host'
import { freePort } from '../../../test/support/platform.ts'
import { createTestDatabase } from '../../../test/support/postgres.ts'
import { openRig, until } from './support/rig.ts'
import { bareEnvironment } from '../../../test/support/bare-environment.ts'

const echo = fileURLToPath(new URL('../../../service-host/test/support/echo-service.ts', import.meta.url))
const main = fileURLToPath(new URL('../main.ts', import.meta.url))

test('a service that is stopped (SIGSTOP) under a flood of requests holds its own part of the gateway: every order goes through', async () => {
  await using cleanup = new AsyncDisposableStack()
  const database = cleanup.use(await createTestDatabase())
  const port = await freePort()
  const start = (script: string, env: Record<string, string>) => {
    const child = fork(script, [], {
      env: { ...bareEnvironment, MARU_LOG_LEVEL: 'fatal', ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    cleanup.defer(() => void child.kill('SIGKILL'))
    return child
  }
  start(main, { DATABASE_URL: database.urls.gateway, MARU_PORT: String(port), MARU_GATEWAY_IN_FLIGHT_MAX: '80' })
  const stopped = start(echo, { DATABASE_URL: database.urls.notification })
  await once(stopped, 'message')

  const orders = createServer((_request, response) => response.writeHead(201, { 'content-length': 2 }).end('{}'))
  orders.listen(0, '127.0.0.1')
  await once(orders, 'listening')
  cleanup.defer(() => void orders.close())
  const discovery = cleanup.use(await openPostgresDiscovery({ connectionString: database.urls.trading, logger: pino({ level: 'silent' }) }))
  const url = `http://127.0.0.1:${(orders.address() as AddressInfo).port}`
  const startedAt = new Date().toISOString()
  await discovery.announce({ id: 'trading-1', service: 'trading', url, pid: process.pid, version: '1', state: 'ready', startedAt })
  const gateway = `http://127.0.0.1:${port}`
  await until(async () => {
    const answer = await fetch(`${gateway}/health/services`).catch(() => undefined)
    const { items } = ((await answer?.json()) ?? { items: [] }) as { items: { service: string; state: string }[] }
    return ['trading', 'notification'].every((service) => items.some((one) => one.service === service && one.state === 'ready'))
  })

  stopped.kill('SIGSTOP')
  const left = new AbortController()
  let settled = 0
  const shed: string[] = []
  const flood = Array.from({ length: 60 }, async () => {
    try {
      const answer = await fetch(`${gateway}/api/notification/slow?ms=0`, { signal: left.signal })
      shed.push(((await answer.json()) as { code: string }).code)
    } catch {
      // It was left.
    }
    settled += 1
  })
  // What the part of the service does not hold is refused at once; the rest hangs.
  await until(() => settled >= 50)
  expect(new Set(shed)).toEqual(new Set(['overloaded']))
  expect(settled).toBeLessThan(60)
  const statuses = new Set<number>()
  for (let count = 0; count < 100; count += 1)
    statuses.add((await fetch(`${gateway}/api/trading/nowhere`, { method: 'POST', body: '{}' })).status)
  expect([...statuses]).toEqual([201])
  left.abort()
  await Promise.all(flood)
  stopped.kill('SIGCONT')
}, 60_000)

test.each(['plain', 'node'])(
  'deadlines, read by the parser %s: told to the service, kept to for the client, and no fault of the instance',
  async (parser) => {
    await using rig = await openRig({ MARU_HTTP_PARSER: parser, MARU_GATEWAY_UPSTREAM_TIMEOUT_MS: '20000' })
    const told: { leftMs: number; spoofed: boolean }[] = []
    await rig.serve('trading', (request, response) => {
      told.push({ leftMs: Number(request.headers[deadlineHeader]) - Date.now(), spoofed: request.headers[deadlineHeader] === '1' })
      if (request.url === '/quick') response.end('{}')
    })
    expect((await fetch(`${rig.url}/api/trading/quick`, { headers: { [deadlineHeader]: '1' } })).status).toBe(200)
    expect(told[0]!.spoofed).toBe(false)
    expect(told[0]!.leftMs).toBeLessThanOrEqual(20_000)
    const hurried = () => fetch(`${rig.url}/api/trading/slow`, { headers: { 'x-request-timeout-ms': '200' } })
    for (let count = 0; count < 6; count += 1) {
      const answer = await hurried()
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([504, 'gateway_timeout'])
    }
    expect(told.at(-1)!.leftMs).toBeLessThanOrEqual(200)
    expect((await rig.health()).map(({ circuit }) => circuit)).toEqual(['closed'])
    for (const bad of ['0', '-5', '1.5', 'soon']) {
      const answer = await fetch(`${rig.url}/api/trading/quick`, { headers: { 'x-request-timeout-ms': bad } })
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([400, 'invalid_request'])
    }
  },
)
