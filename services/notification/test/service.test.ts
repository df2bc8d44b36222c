import { spawn } from 'node:child_process'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TradingEvent } from '@maru/contracts'
import { openPostgresEventLog, type EventLog } from '@maru/event-log'
import { createPool } from '@maru/service-host'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { fundsMoved, orderEvent } from './events.ts'
import { startMailReceiver, type MailReceiver } from './mail-receiver.ts'
import { bareEnvironment } from '../../../test/support/bare-environment.ts'

/** The service as a real process, beside a real user service: registration → event → inbox and mail. */

const operator = { email: 'operator@example.com', password: randomUUID() }

interface Running {
  url: string
  kill(signal: NodeJS.Signals): Promise<void>
}

let database: TestDatabase
let folder: string
let receiver: MailReceiver
let log: EventLog
let admin: pg.Pool
let user: Running
let notification: Running
let sequence = 0
const started: Running[] = []

async function start(service: 'user' | 'notification', env: Record<string, string>): Promise<Running> {
  const main = fileURLToPath(new URL(`../../${service}/main.ts`, import.meta.url))
  const child = spawn(process.execPath, [main], {
    env: { ...bareEnvironment, DATABASE_URL: database.urls[service], ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
  const exited = once(child, 'exit')
  const url = await Promise.race([
    new Promise<string>((resolve) => child.once('message', (message) => resolve((message as { url: string }).url))),
    exited.then(() => Promise.reject(new Error(`${service} has ended:\n${output}`))),
  ])
  const running: Running = {
    url,
    async kill(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill(signal)
      await exited
    },
  }
  started.push(running)
  return running
}

const startNotification = () =>
  start('notification', { SMTP_URL: receiver.url, MARU_MAIL_FROM: 'Maru <maru@test.example>', MARU_MAIL_RETRY_MS: '50' })

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await mkdtemp(path.join(tmpdir(), 'maru-notification-'))
  const key = path.join(folder, 'token-key.pem')
  await writeFile(key, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  await writeFile(path.join(folder, 'operator.json'), JSON.stringify(operator), { mode: 0o600 })
  receiver = await startMailReceiver()
  admin = createPool(database.adminUrl, { applicationName: 'test', max: 1, onError: () => undefined })
  log = await openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'test-trading' })
  ;[user, notification] = await Promise.all([
    start('user', { MARU_TOKEN_KEY_FILE: key, MARU_OPERATOR_FILE: path.join(folder, 'operator.json') }),
    startNotification(),
  ])
})

afterAll(async () => {
  for (const running of started) await running.kill('SIGTERM')
  await admin.end()
  await log[Symbol.asyncDispose]()
  await receiver[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

interface Item {
  id: string
  kind: string
  title: string
  read_at: string | null
  email: { status: string; reason: string | null } | null
}
interface Inbox {
  items: Item[]
  next_cursor: string | null
  unread_count: number
}

async function call<T = Record<string, unknown>>(
  method: string,
  at: string,
  token?: string,
  json?: unknown,
): Promise<{ status: number; body: T }> {
  const answer = await fetch(`${notification.url}${at}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(json === undefined ? {} : { body: typeof json === 'string' ? json : JSON.stringify(json) }),
  })
  return { status: answer.status, body: (await answer.json()) as T }
}

async function logIn(username: string, password: string): Promise<{ token: string; userId: string }> {
  const answer = await fetch(`${user.url}/token`, { method: 'POST', body: new URLSearchParams({ username, password }) })
  const body = (await answer.json()) as { access_token: string; user_id: string }
  return { token: body.access_token, userId: body.user_id }
}

async function register(name: string, language = 'en'): Promise<{ token: string; userId: string }> {
  const password = randomUUID()
  const json = { email: `${name}@example.com`, username: name, password, language }
  await fetch(`${user.url}/register`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(json) })
  return logIn(name, password)
}

async function trade(...events: TradingEvent[]): Promise<void> {
  await log.append('trading-events', Buffer.from(JSON.stringify(events)), { producer: 'test', sequence: ++sequence })
}

const inbox = async (token: string, query = '') => (await call<Inbox>('GET', `/notifications${query}`, token)).body

const whenTold = (token: string, count: number) =>
  expect.poll(async () => (await inbox(token)).items.length, { timeout: 20_000 }).toBe(count)

test('registered, filled, paid: the inbox and the mails of a real server tell it, each once, across a kill -9', async () => {
  const ann = await register('ann')
  await whenTold(ann.token, 1)
  await trade(
    orderEvent('order.created', ann.userId, { status: 'PENDING' }),
    orderEvent('order.status_updated', ann.userId),
    orderEvent('order.status_updated', 'system-liquidity'),
  )
  await whenTold(ann.token, 2)
  await notification.kill('SIGKILL')
  await trade(orderEvent('order.status_updated', ann.userId, { id: '43', status: 'CANCELLED' }), fundsMoved(ann.userId, '12.5', 'deposit'))
  notification = await startNotification()
  await whenTold(ann.token, 4)
  const { items, unread_count } = await inbox(ann.token)
  expect(items.map((item) => item.kind)).toEqual(['funds_moved', 'order_cancelled', 'order_filled', 'welcome'])
  expect(unread_count).toBe(4)
  // A mail that was under way at the kill goes out when its claim lapses; that is not waited for here.
  await admin.query(`update notification.deliveries set next_attempt_at = now() where status = 'queued'`)
  await expect
    .poll(async () => (await inbox(ann.token)).items.map((item) => item.email?.status ?? null), { timeout: 20_000 })
    .toEqual(['sent', null, 'sent', 'sent'])
  const mails = receiver.received.filter((mail) => mail.to[0] === 'ann@example.com')
  // The one under way may have come twice, as the same message.
  expect(new Set(mails.map((mail) => mail.headers.get('message-id'))).size).toBe(3)
  expect(mails.length).toBeLessThanOrEqual(5)
})

test('a Korean user is written in Korean', async () => {
  const gil = await register('gildong', 'ko')
  await whenTold(gil.token, 1)
  expect((await inbox(gil.token)).items[0]?.title).toBe('gildong님, 마루에 오신 것을 환영합니다')
  const put = await call<{ language: string }>('PUT', '/preferences', gil.token, { language: 'en' })
  expect([put.status, put.body.language]).toEqual([200, 'en'])
  expect((await inbox(gil.token)).items[0]?.title).toBe('Welcome to Maru, gildong')
})

test('own items alone: read, read all, and what belongs to others is not found', async () => {
  const [one, two] = [await register('one'), await register('two')]
  await whenTold(one.token, 1)
  await whenTold(two.token, 1)
  const [item] = (await inbox(one.token)).items
  const foreign = await call('PUT', `/notifications/${item?.id}/read`, two.token)
  expect([foreign.status, foreign.body['code']]).toEqual([404, 'not_found'])
  expect((await inbox(one.token, '?unread')).items).toHaveLength(1)
  const read = await call<Item>('PUT', `/notifications/${item?.id}/read`, one.token)
  expect(read.body.read_at).toEqual(expect.any(String))
  expect((await inbox(one.token, '?unread')).items).toHaveLength(0)
  expect((await inbox(one.token, '?unread=false')).items).toHaveLength(1)
  expect((await call('POST', '/notifications/read-all', two.token)).body).toEqual({ updated: 1 })
})

test('operators see deliveries and retry them; others may not', async () => {
  const { token } = await logIn(operator.email, operator.password)
  receiver.refuseWith = { code: 554, text: 'not today' }
  const bob = await register('bob')
  type Deliveries = { items: { id: string; status: string; reason: string; last_error: string }[] }
  const ofBob = async () => (await call<Deliveries>('GET', `/deliveries?user_id=${bob.userId}`, token)).body.items
  await expect.poll(async () => (await ofBob())[0]?.status, { timeout: 20_000 }).toBe('failed')
  receiver.refuseWith = undefined
  const [failed] = await ofBob()
  expect(failed).toMatchObject({ reason: 'refused', last_error: expect.stringContaining('not today') })
  expect((await inbox(bob.token)).items[0]?.email).toEqual({ status: 'failed', reason: 'refused' })
  expect((await call('POST', `/deliveries/${failed?.id}/retry`, bob.token)).status).toBe(403)
  expect((await call('GET', '/deliveries', bob.token)).status).toBe(403)
  expect((await call('POST', `/deliveries/${failed?.id}/retry`, token)).body).toMatchObject({ status: 'queued' })
  await expect.poll(async () => (await ofBob())[0]?.status, { timeout: 20_000 }).toBe('sent')
  const again = await call('POST', `/deliveries/${failed?.id}/retry`, token)
  expect([again.status, again.body['code']]).toEqual([409, 'delivery_not_retryable'])
  expect((await call<Deliveries>('GET', '/deliveries?status=sent&limit=1', token)).body.items).toHaveLength(1)
})

describe('bad input', () => {
  let token: string
  beforeAll(async () => {
    token = (await register('careless')).token
  })

  test.each<[string, string, string, unknown, number]>([
    ['a limit of zero', 'GET', '/notifications?limit=0', undefined, 400],
    ['a limit of a million', 'GET', '/notifications?limit=1000000', undefined, 400],
    ['a limit that is no number', 'GET', '/notifications?limit=NaN', undefined, 400],
    ['an unknown parameter', 'GET', '/notifications?user_id=ann', undefined, 400],
    ['unread that is neither', 'GET', '/notifications?unread=perhaps', undefined, 400],
    ['a cursor of letters', 'GET', '/notifications?cursor=abc', undefined, 400],
    ['a cursor beyond the count', 'GET', '/notifications?cursor=99999999999999999999', undefined, 400],
    ['an id of letters', 'PUT', '/notifications/abc/read', undefined, 400],
    ['an id beyond the count', 'PUT', '/notifications/9999999999999999999/read', undefined, 404],
    ['an id of SQL', 'PUT', `/notifications/${encodeURIComponent(`1' or '1'='1`)}/read`, undefined, 400],
    ['an id that is not there', 'PUT', '/notifications/987654321/read', undefined, 404],
    ['empty preferences', 'PUT', '/preferences', {}, 400],
    ['an unknown kind', 'PUT', '/preferences', { events: { horoscope: { email: true } } }, 400],
    ['an unknown channel', 'PUT', '/preferences', { events: { welcome: { pigeon: true } } }, 400],
    ['a switch of text', 'PUT', '/preferences', { events: { welcome: { email: 'yes' } } }, 400],
    ['a switch of a number', 'PUT', '/preferences', { events: { welcome: { email: 1 } } }, 400],
    ['an unknown language', 'PUT', '/preferences', { language: 'tlh' }, 400],
    ['an array', 'PUT', '/preferences', [], 400],
    ['broken JSON', 'PUT', '/preferences', '{"language":', 400],
    ['a string of 1 MB', 'PUT', '/preferences', { language: 'x'.repeat(1_000_000) }, 413],
    ['the wrong method', 'DELETE', '/preferences', undefined, 405],
  ])('%s is refused', async (_name, method, at, json, status) => {
    const answer = await call(method, at, token, json)
    expect(answer.status).toBe(status)
    expect(answer.body['code']).toEqual(expect.any(String))
  })

  test('without a token, nothing', async () => {
    for (const [method, at] of [
      ['GET', '/notifications'],
      ['POST', '/notifications/read-all'],
      ['GET', '/preferences'],
      ['GET', '/deliveries'],
    ] as const)
      expect((await call(method, at)).status).toBe(401)
  })
})
