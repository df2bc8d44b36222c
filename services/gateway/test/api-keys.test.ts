import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { serviceEndpoints } from '@maru/contracts/http/index'
import {
  followRevocations,
  keysFromUserService,
  openPostgresDiscovery,
  readSettings,
  TokenVerifier,
  type Discovery,
} from '@maru/service-host'
import { Client } from '../../../test/support/client.ts'
import { startTradingSide, type TradingSide } from '../../../test/support/trading.ts'
import { gatewaySettings } from '../config.ts'
import { startGateway, type Gateway } from '../service.ts'
import { sign, type SigningOptions } from './support/signing.ts'
import { until } from './support/rig.ts'

/** Keys from the real user service, orders at the real exchange, and gateways before both: one for each parser. */

interface Key {
  id: string
  secret: string
}

let side: TradingSide
let discovery: Discovery
let alice: Client
const gateways = new Map<'plain' | 'node', Gateway>()
const stopped = new AbortController()
const logger = pino({ level: 'silent' })

async function openGateway(parser: 'plain' | 'node', more: Record<string, string> = {}): Promise<Gateway> {
  const environment = {
    DATABASE_URL: side.database.urls.gateway,
    MARU_PORT: '0',
    MARU_HTTP_PARSER: parser,
    MARU_TRUSTED_PROXIES: '127.0.0.1',
    ...more,
  }
  const verifier = new TokenVerifier(keysFromUserService(discovery))
  followRevocations({ discovery, logger, signal: stopped.signal, onRevoked: (revoked) => verifier.revoke(revoked) })
  const settings = readSettings(environment, gatewaySettings)
  const gateway = await startGateway({ discovery, verifier, logger, settings, gatewayKey: side.users.gatewayKey })
  await until(async () => (await fetch(`${gateway.url}/api/user/.well-known/jwks.json`)).status === 200)
  await until(async () => (await fetch(`${gateway.url}/api/trading/markets`)).status === 200)
  return gateway
}

beforeAll(async () => {
  side = await startTradingSide()
  discovery = await openPostgresDiscovery({ connectionString: side.database.urls.gateway, logger })
  for (const parser of ['plain', 'node'] as const) gateways.set(parser, await openGateway(parser))
  alice = await Client.registered(gateways.get('plain')!.url, 'alice')
}, 60_000)
afterAll(async () => {
  stopped.abort()
  for (const gateway of gateways.values()) await gateway.stop()
  await discovery[Symbol.asyncDispose]()
  await side[Symbol.asyncDispose]()
})

async function makeKey(scopes: string[], more: Record<string, unknown> = {}, client = alice): Promise<Key> {
  const made = await client.post<Key & { code?: string }>('/api/user/me/api-keys', {
    label: 'bot',
    scopes,
    password: client.password,
    ...more,
  })
  expect([made.status, made.body.code]).toEqual([201, undefined])
  return made.body
}

const order = { symbol: 'BTC/USDT', side: 'BUY', order_type: 'LIMIT', quantity: '0.001', price: '10000' }

describe.each(['plain', 'node'] as const)('requests signed with an API key, read by the parser %s', (parser) => {
  const url = () => gateways.get(parser)!.url

  async function ask(
    key: Key,
    method: string,
    target: string,
    body?: unknown,
    options: SigningOptions & { headers?: Record<string, string> } = {},
  ) {
    const text = body === undefined ? '' : JSON.stringify(body)
    const answer = await fetch(url() + target, {
      method,
      headers: {
        ...sign(key, method, target, text, options),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(body === undefined ? {} : { body: text }),
    })
    const answered = (await answer.json()) as Record<string, unknown>
    return { status: answer.status, code: answered['code'], body: answered, headers: answer.headers }
  }

  test('who I am, an order, and its cancel; a repeat of the same bytes is refused', async () => {
    const key = await makeKey(['read', 'trade'])
    const me = await ask(key, 'GET', '/api/user/me')
    expect([me.status, me.body['user_id']]).toEqual([200, alice.userId])
    expect(me.headers.get('cache-control')).toBe('no-store')
    const placed = await ask(key, 'POST', '/api/trading/orders', order)
    expect([placed.status, placed.body['user_id']]).toEqual([201, alice.userId])
    const target = `/api/trading/orders/${String(placed.body['id'])}?x`
    const [path] = target.split('?') as [string]
    const at = Date.now()
    expect((await ask(key, 'DELETE', path, undefined, { timestampMs: at })).body['status']).toBe('CANCELLED')
    expect(await ask(key, 'DELETE', path, undefined, { timestampMs: at })).toMatchObject({ status: 409, code: 'signature_used' })
    // What changes nothing may be asked twice.
    for (let round = 0; round < 2; round += 1) expect((await ask(key, 'GET', path, undefined, { timestampMs: at })).status).toBe(200)
  })

  test('whatever of a request differs from what was signed is refused', async () => {
    const key = await makeKey(['read', 'trade'])
    const wrong: [string, Awaited<ReturnType<typeof ask>>][] = [
      ['body', await ask(key, 'POST', '/api/trading/orders', order, { signedBody: JSON.stringify({ ...order, quantity: '0.002' }) })],
      ['target', await ask(key, 'GET', '/api/trading/orders', undefined, { signedTarget: '/api/trading/order-lists' })],
      ['query', await ask(key, 'GET', '/api/trading/orders?limit=2', undefined, { signedTarget: '/api/trading/orders' })],
      ['secret', await ask({ ...key, secret: 'x' }, 'GET', '/api/trading/orders')],
      ['window', await ask(key, 'GET', '/api/trading/orders', undefined, { headers: { 'maru-receive-window': '60000' } })],
      ['key', await ask({ ...key, id: 'mk_0' }, 'GET', '/api/trading/orders')],
      ['an endpoint for everyone', await ask({ ...key, secret: 'x' }, 'GET', '/api/trading/markets')],
      ['form', await ask(key, 'GET', '/api/trading/orders', undefined, { headers: { 'maru-signature': 'zz' } })],
      ['time in form', await ask(key, 'GET', '/api/trading/orders', undefined, { headers: { 'maru-timestamp': 'now' } })],
    ]
    for (const [name, { status, code }] of wrong) expect([name, status, code]).toEqual([name, 401, 'invalid_signature'])
    const both = await ask(key, 'GET', '/api/trading/orders', undefined, { headers: { authorization: `Bearer ${alice.token}` } })
    expect([both.status, both.code]).toEqual([400, 'invalid_request'])
  })

  test('a signature is good for its window alone', async () => {
    const key = await makeKey(['read'])
    const at = (agoMs: number, windowMs?: number) =>
      ask(key, 'GET', '/api/trading/orders', undefined, {
        timestampMs: Date.now() - agoMs,
        ...(windowMs === undefined ? {} : { windowMs }),
      })
    expect(await at(6_000)).toMatchObject({ status: 401, code: 'timestamp_outside_window' })
    expect((await at(6_000)).body['server_time_ms']).toBeTypeOf('number')
    expect((await at(6_000, 60_000)).status).toBe(200)
    expect((await at(-30_000, 60_000)).code).toBe('timestamp_outside_window')
  })

  test('a key does what its scopes say, and nothing where no scope is named', async () => {
    const [read, trade] = [await makeKey(['read']), await makeKey(['trade'])]
    expect(await ask(read, 'POST', '/api/trading/orders', order)).toMatchObject({ status: 403, code: 'insufficient_scope' })
    expect(await ask(trade, 'GET', '/api/trading/orders')).toMatchObject({ status: 403, code: 'insufficient_scope' })
    expect((await ask(trade, 'GET', '/api/trading/markets')).status).toBe(200)
    const all = await makeKey(['read', 'trade', 'withdraw'])
    const closed = serviceEndpoints.filter(({ access, keyScope }) => access !== 'public' && keyScope === undefined)
    expect(closed.length).toBeGreaterThan(20)
    for (const { service, method, path } of closed) {
      const target = `/api/${service}${path.replaceAll(/:[a-z_]+/g, 'u1')}`
      expect({ method, target, ...(await ask(all, method, target)) }).toMatchObject({
        method,
        target,
        status: 403,
        code: 'insufficient_scope',
      })
    }
  })

  test('a key may be bound to addresses', async () => {
    const key = await makeKey(['read'], { addresses: ['203.0.113.0/24', '2001:db8::/48'] })
    const from = (address: string) => ask(key, 'GET', '/api/trading/orders', undefined, { headers: { 'x-forwarded-for': address } })
    expect((await from('203.0.113.77')).status).toBe(200)
    expect((await from('2001:db8::9')).status).toBe(200)
    expect(await from('198.51.100.1')).toMatchObject({ status: 403, code: 'address_not_allowed' })
  })

  test('a key of an operator has none of their rights', async () => {
    const operator = new Client(url())
    await operator.login(side.users.operator.email, side.users.operator.password)
    const made = await operator.post<Key>('/api/user/me/api-keys', { label: 'x', scopes: ['read'], password: side.users.operator.password })
    expect((await ask(made.body, 'GET', `/api/trading/accounts/${alice.userId}/balances`)).status).toBe(403)
  })

  test('a key that is revoked is void within seconds, and its sockets end', async () => {
    const key = await makeKey(['read', 'trade'])
    const target = '/api/trading/ws'
    const socket = new WebSocket(url().replace('http', 'ws') + target, { headers: sign(key, 'GET', target) })
    await once(socket, 'open')
    socket.send(JSON.stringify({ id: 1, op: 'place', order }))
    expect(JSON.parse(String((await once(socket, 'message'))[0]))).toMatchObject({ id: 1, status: 201 })
    const closed = once(socket, 'close')
    expect((await alice.call('DELETE', `/api/user/me/api-keys/${key.id}`)).status).toBe(200)
    expect((await closed)[0]).toBe(4401)
    await until(async () => (await ask(key, 'GET', '/api/trading/orders')).code === 'invalid_signature')
  })

  test('a socket by a key that may only read places nothing; without a right signature there is none', async () => {
    const key = await makeKey(['read'])
    const target = '/api/trading/ws'
    const headers = sign(key, 'GET', target)
    const socket = new WebSocket(url().replace('http', 'ws') + target, { headers })
    await once(socket, 'open')
    socket.send(JSON.stringify({ id: 1, op: 'place', order }))
    expect(JSON.parse(String((await once(socket, 'message'))[0]))).toMatchObject({ status: 403, error: { code: 'insufficient_scope' } })
    socket.send(JSON.stringify({ id: 2, op: 'subscribe' }))
    expect(JSON.parse(String((await once(socket, 'message'))[0]))).toMatchObject({ id: 2, status: 200 })
    socket.terminate()
    const refusal = async (sent: Record<string, string>) => {
      const refused = new WebSocket(url().replace('http', 'ws') + target, { headers: sent })
      return ((await once(refused, 'unexpected-response'))[1] as IncomingMessage).statusCode
    }
    // The same upgrade twice would be two sockets.
    expect(await refusal(headers)).toBe(409)
    expect(await refusal(sign({ ...key, secret: 'x' }, 'GET', target))).toBe(401)
  })
})

test('a token that stands for a key at the services is of no use from outside', async () => {
  const key = await makeKey(['read'])
  const handedOut = await fetch(`${side.users.service.url}/internal/api-keys/${key.id}`, {
    headers: { authorization: `Maru-Gateway ${side.users.gatewayKey.toString('base64url')}` },
  })
  const { token } = (await handedOut.json()) as { token: string }
  const ask = (url: string) => fetch(url, { headers: { authorization: `Bearer ${token}` } }).then(({ status }) => status)
  for (const { url } of gateways.values())
    for (let round = 0; round < 2; round += 1) expect(await ask(`${url}/api/trading/orders`)).toBe(401)
  expect(await ask(`${side.service.url}/orders`)).toBe(200)
})

test('wrong signatures and tokens from one address are refused unseen after a while; other addresses are not', async () => {
  const gateway = await openGateway('plain', { MARU_RATE_LIMIT_ATTEMPTS_PER_SECOND: '1', MARU_RATE_LIMIT_ATTEMPTS_BURST: '4' })
  const key = await makeKey(['read'])
  const ask = async (headers: Record<string, string>, address: string) =>
    (await fetch(`${gateway.url}/api/trading/orders`, { headers: { ...headers, 'x-forwarded-for': address } })).status
  const wrong = () => sign({ ...key, secret: 'x' }, 'GET', '/api/trading/orders')
  const right = () => sign(key, 'GET', '/api/trading/orders')
  expect(await ask(right(), '203.0.113.1')).toBe(200)
  const seen: number[] = []
  for (let round = 0; round < 8; round += 1)
    seen.push(await ask(round % 2 ? wrong() : { authorization: `Bearer a.b.${round}` }, '203.0.113.1'))
  expect(seen.slice(0, 4)).toEqual([401, 401, 401, 401])
  expect(seen).toContain(429)
  // All of an IPv6 customer's addresses are one; a known token passes, whoever else is at its address.
  expect(await ask(right(), '203.0.113.2')).toBe(200)
  expect(await ask({ authorization: `Bearer ${alice.token}` }, '203.0.113.3')).toBe(200)
  await gateway.stop()
})
