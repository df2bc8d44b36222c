import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { claimDeliveries, listDeliveries, retryDelivery, settleDelivery, type Delivery } from '../email/deliveries.ts'
import { backoffMs, Mailer } from '../email/mailer.ts'
import { isMailAddress, openMailServer } from '../email/smtp.ts'
import { fundsMoved, orderEvent, registered } from './events.ts'
import { startMailReceiver, type MailReceiver } from './mail-receiver.ts'
import { openStore, silent, type Store } from './open.ts'
import { bareEnvironment } from '../../../test/support/bare-environment.ts'

let store: Store
let receiver: MailReceiver

beforeEach(async () => {
  store = await openStore()
  receiver = await startMailReceiver()
})

afterEach(async () => {
  await receiver[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
})

function startMailer(more: { url?: string; attemptsMax?: number; mailsPerHourMax?: number } = {}): Mailer {
  return new Mailer({
    pool: store.pool,
    server: openMailServer(more.url ?? receiver.url, { name: 'Maru', address: 'maru@test.example' }, 3),
    logger: silent,
    attemptsMax: more.attemptsMax ?? 5,
    retryMs: 20,
    mailsPerHourMax: more.mailsPerHourMax ?? 60,
  })
}

const deliveries = async (userId: string): Promise<Delivery[]> =>
  (await listDeliveries(store.pool, { limit: 100, cursor: undefined, status: undefined, userId })).items

const settled = async (userId: string): Promise<Delivery[]> => {
  await expect
    .poll(async () => (await deliveries(userId)).every((delivery) => delivery.status !== 'queued'), { timeout: 20_000 })
    .toBe(true)
  return deliveries(userId)
}

test('mails reach a real server, in the language of the user, each once, by two mailers at once', async () => {
  await store.apply('user-events', [registered('ann'), registered('gil', { username: '길동', language: 'ko' })])
  await store.apply(
    'trading-events',
    Array.from({ length: 20 }, (_, index) => orderEvent('order.status_updated', index % 2 === 0 ? 'ann' : 'gil', { id: String(index) })),
  )
  await using _first = startMailer()
  await using _second = startMailer()
  for (const delivery of [...(await settled('ann')), ...(await settled('gil'))])
    expect(delivery).toMatchObject({ status: 'sent', attempts: 1, reason: null, last_error: null })
  expect(receiver.received).toHaveLength(22)
  expect(new Set(receiver.received.map((mail) => mail.headers.get('message-id'))).size).toBe(22)
  const welcome = receiver.received.find((mail) => mail.raw.includes('Welcome to Maru, ann'))
  expect(welcome?.to).toEqual(['ann@example.com'])
  expect(welcome?.headers.get('from')).toBe('Maru <maru@test.example>')
  expect(welcome?.headers.get('auto-submitted')).toBe('auto-generated')
  const korean = receiver.received.find((mail) => mail.to[0] === 'gil@example.com')
  expect(korean?.headers.get('subject')).toMatch(/^=\?UTF-8\?/i)
})

test('given a mailer killed -9 when the server has the mail, then it goes out again under the same Message-ID', async () => {
  await store.apply('user-events', [registered('killed')])
  const script = fileURLToPath(new URL('processes/mailer.ts', import.meta.url))
  const connectionString = (store.pool as unknown as { options: { connectionString: string } }).options.connectionString
  const env = { ...bareEnvironment, DATABASE_URL: connectionString, SMTP_URL: receiver.url }
  const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  expect(signal).toBe('SIGKILL')
  expect(receiver.received).toHaveLength(1)
  expect(await deliveries('killed')).toMatchObject([{ status: 'queued', attempts: 1 }])

  await using _mailer = startMailer()
  // The claim of the dead one still holds; let it lapse.
  await store.pool.query('update deliveries set next_attempt_at = now()')
  expect(await settled('killed')).toMatchObject([{ status: 'sent', attempts: 2 }])
  expect(receiver.received).toHaveLength(2)
  expect(receiver.received[0]?.headers.get('message-id')).toBe(receiver.received[1]?.headers.get('message-id'))
})

describe('a server that does not take a mail', () => {
  test('given a refusal for the moment, then tried again until it does', async () => {
    receiver.refuseWith = { code: 451, text: 'come back later' }
    await store.apply('user-events', [registered('later')])
    await using _mailer = startMailer({ attemptsMax: 20 })
    await expect.poll(async () => (await deliveries('later'))[0]?.attempts, { timeout: 20_000 }).toBeGreaterThan(1)
    const [waiting] = await deliveries('later')
    expect(waiting?.last_error).toContain('come back later')
    receiver.refuseWith = undefined
    expect(await settled('later')).toMatchObject([{ status: 'sent' }])
    expect(receiver.received).toHaveLength(1)
  })

  test('given a refusal for good, then failed at once, and an operator can queue it again', async () => {
    receiver.refuseWith = { code: 550, text: 'no such mailbox' }
    await store.apply('user-events', [registered('nobody')])
    await using _mailer = startMailer()
    const [failed] = await settled('nobody')
    expect(failed).toMatchObject({ status: 'failed', reason: 'refused', attempts: 1 })
    receiver.refuseWith = undefined
    expect(await retryDelivery(store.pool, BigInt(failed?.id ?? 0), true)).toMatchObject({ status: 'queued', attempts: 0, reason: null })
    expect(await settled('nobody')).toMatchObject([{ status: 'sent' }])
    expect(await retryDelivery(store.pool, BigInt(failed?.id ?? 0), true)).toBe('not_retryable')
    expect(await retryDelivery(store.pool, 999_999n, true)).toBe('not_found')
  })

  test('given nobody listening, then failed after the last attempt', async () => {
    const closed = createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as { port: number }
    await new Promise((resolve) => closed.close(resolve))
    await store.apply('user-events', [registered('away')])
    await using _mailer = startMailer({ url: `smtp://127.0.0.1:${port}`, attemptsMax: 3 })
    expect(await settled('away')).toMatchObject([
      { status: 'failed', reason: 'unreachable', attempts: 3, last_error: expect.stringContaining('ECONNREFUSED') },
    ])
  })

  test('without a mail server a retry stays not sent, with the reason', async () => {
    await store.apply('user-events', [registered('noserver')], false)
    const [kept] = await deliveries('noserver')
    expect(await retryDelivery(store.pool, BigInt(kept?.id ?? 0), false)).toMatchObject({
      status: 'not_sent',
      reason: 'smtp_not_configured',
    })
  })
})

describe('bounds', () => {
  test('mails of one user beyond the hourly bound are kept as not sent', async () => {
    await store.apply('user-events', [registered('flood'), registered('calm')])
    await using _mailer = startMailer({ mailsPerHourMax: 3 })
    await settled('flood')
    await store.apply(
      'trading-events',
      Array.from({ length: 4 }, () => orderEvent('order.status_updated', 'flood')),
    )
    await settled('flood')
    const states = (await deliveries('flood')).map((delivery) => [delivery.status, delivery.reason])
    expect(states).toEqual([
      ['not_sent', 'rate_limited'],
      ['not_sent', 'rate_limited'],
      ['sent', null],
      ['sent', null],
      ['sent', null],
    ])
    await store.apply('trading-events', [orderEvent('order.status_updated', 'calm')])
    expect((await settled('calm')).map((delivery) => delivery.status)).toEqual(['sent', 'sent'])
  })

  test('an address that becomes known a little later is waited for, one that never does is given up', async () => {
    await store.apply('trading-events', [fundsMoved('early', '5', 'deposit'), fundsMoved('ghost', '5', 'deposit')])
    await using _mailer = startMailer({ attemptsMax: 4 })
    await store.apply('user-events', [registered('early')])
    expect((await settled('early')).map((delivery) => delivery.status)).toEqual(['sent', 'sent'])
    expect(await settled('ghost')).toMatchObject([{ status: 'not_sent', reason: 'no_address' }])
  })

  test('a settlement that comes after its claim lapsed changes nothing', async () => {
    await store.apply('user-events', [registered('slow')])
    const [mine] = await claimDeliveries(store.pool, 5, 60_000)
    await store.pool.query('update deliveries set next_attempt_at = now()')
    const [theirs] = await claimDeliveries(store.pool, 5, 60_000)
    if (!mine || !theirs) throw new Error('nothing was claimed')
    await settleDelivery(store.pool, mine, { status: 'failed', reason: 'unreachable', error: 'late' })
    expect(await deliveries('slow')).toMatchObject([{ status: 'queued', attempts: 2 }])
    await settleDelivery(store.pool, theirs, { status: 'sent' })
    expect(await deliveries('slow')).toMatchObject([{ status: 'sent', attempts: 2 }])
  })

  test('the wait between attempts doubles up to ten minutes', () => {
    expect([1, 2, 3, 4, 30].map((attempt) => backoffMs(attempt, 5_000))).toEqual([5_000, 10_000, 20_000, 40_000, 600_000])
  })
})

describe('header injection', () => {
  test('a name with line breaks becomes one line; nobody else gets the mail', async () => {
    const username = 'ann\r\nBcc: victim@example.com\r\nX-Evil: 1\r\n\r\nbody of mine'
    await store.apply('user-events', [registered('inject', { username })])
    await using _mailer = startMailer()
    expect(await settled('inject')).toMatchObject([{ status: 'sent' }])
    const [mail] = receiver.received
    expect(mail?.to).toEqual(['inject@example.com'])
    expect([...(mail?.headers.keys() ?? [])]).not.toContain('bcc')
    expect([...(mail?.headers.keys() ?? [])]).not.toContain('x-evil')
  })

  test.each([
    'a@example.com, b@example.com',
    'a@example.com\r\nRCPT TO:<b@example.com>',
    'group: a@example.com;',
    'A <a@example.com>',
    'a@example.com>',
    'file:///etc/passwd',
    '',
  ])('the address %j is not one', (address) => {
    expect(isMailAddress(address)).toBe(false)
  })

  test('a mail to what is no address is not sent', async () => {
    await store.apply('user-events', [registered('list', { email: 'a@example.com, b@example.com' })])
    await using _mailer = startMailer()
    expect(await settled('list')).toMatchObject([{ status: 'not_sent', reason: 'no_address' }])
    expect(receiver.received).toHaveLength(0)
  })
})

test('given a server that takes the connection and never says a word, then the attempt ends and stopping is quick', async () => {
  const silentServer = createServer((socket) => socket.on('error', () => undefined))
  await new Promise<void>((resolve) => silentServer.listen(0, '127.0.0.1', resolve))
  const { port } = silentServer.address() as { port: number }
  await store.apply('user-events', [registered('mute')])
  {
    await using _mailer = startMailer({ url: `smtp://127.0.0.1:${port}`, attemptsMax: 1 })
    expect(await settled('mute')).toMatchObject([{ status: 'failed', reason: 'unreachable', attempts: 1 }])
  }
  await new Promise((resolve) => silentServer.close(resolve))
})
