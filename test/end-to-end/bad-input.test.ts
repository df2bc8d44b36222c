import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { errorCatalogue, type Endpoint } from '@maru/contracts'
import { allEndpoints } from '@maru/contracts/http/index'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client } from '../support/client.ts'
import { startPlatform, type Platform } from '../support/platform.ts'

/** Every endpoint of every contract, through the gateway, with everything a careless or hostile client sends, to some endpoints at a time. */

let platform: Platform
let user: Client
let stranger: Client
let operator: Client

beforeAll(async () => {
  // So many requests without a good token come here from one address that its limits would refuse them before anybody looks at them.
  const many = '100000'
  platform = await startPlatform({
    env: { MARU_RATE_LIMIT_PER_SECOND: many, MARU_RATE_LIMIT_ATTEMPTS_PER_SECOND: many, MARU_RATE_LIMIT_ATTEMPTS_BURST: many },
  })
  user = await Client.registered(platform.url, 'careless')
  stranger = await Client.registered(platform.url, 'stranger')
  operator = new Client(platform.url)
  const login = await platform.operator()
  await operator.login(login.email, login.password)
}, 120_000)

afterAll(async () => {
  await platform[Symbol.asyncDispose]()
})

/** Raw JSON texts that are not what any field of ours takes. */
const wrongValues: Record<string, string> = {
  object: '{}',
  array: '[]',
  boolean: 'true',
  negative: '-1',
  'negative text': '"-1"',
  NaN: '"NaN"',
  Infinity: '"Infinity"',
  'beyond a double': '1e400',
  '40 decimals': `"0.${'1'.repeat(40)}"`,
  '1 MB of text': `"${'x'.repeat(1_000_000)}"`,
  'NUL in text': '"a\\u0000b"',
  'half a surrogate': '"\\ud800"',
}

const wrongBodies: Record<string, { body: string; type?: string }> = {
  'broken JSON': { body: '{"symbol": ' },
  'no JSON at all': { body: 'symbol=BTC' },
  'an array': { body: '[]' },
  'a number': { body: '1' },
  null: { body: 'null' },
  nothing: { body: '' },
  'an unknown field': { body: '{"no_such_field": 1}' },
  __proto__: { body: '{"__proto__": {"roles": ["operator"]}}' },
  'deep nesting': { body: '['.repeat(20_000) + ']'.repeat(20_000) },
  'another content type': { body: '<order/>', type: 'application/xml' },
  'form where JSON is due': { body: 'a=1', type: 'application/x-www-form-urlencoded' },
}

const wrongParams = ['%00', '..%2F..%2Fetc%2Fpasswd', "' or 1=1 --", 'x'.repeat(300), '%F0%9F%92%A9', '-1', 'NaN', '%25']

interface Raw {
  status: number
  text: string
  type: string
}

async function send(endpoint: Endpoint, path: string, options: { token?: string | undefined; body?: string; type?: string }): Promise<Raw> {
  const hasBody = options.body !== undefined && endpoint.method !== 'GET'
  const answer = await fetch(`${platform.url}/api/${endpoint.service}${path}`, {
    method: endpoint.method,
    headers: {
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(hasBody
        ? { 'content-type': options.type ?? (endpoint.bodyType === 'form' ? 'application/x-www-form-urlencoded' : 'application/json') }
        : {}),
    },
    ...(hasBody ? { body: options.body! } : {}),
    signal: AbortSignal.timeout(30_000),
  })
  return { status: answer.status, text: await answer.text(), type: answer.headers.get('content-type') ?? '' }
}

/** A clear refusal: 4xx, problem+json, a code of the catalogue, nothing of our insides. */
function expectRefusal(what: string, answer: Raw): void {
  expect([what, answer.status, answer.text.slice(0, 300)]).toSatisfy(() => answer.status >= 400 && answer.status < 500)
  expect([what, answer.type]).toSatisfy(() => answer.type.startsWith('application/problem+json'))
  const body = JSON.parse(answer.text) as { code: string; status: number; detail: string; request_id: string }
  expect([what, body.code]).toSatisfy(() => body.code in errorCatalogue)
  expect([what, body.status]).toEqual([what, answer.status])
  expect([what, typeof body.request_id, typeof body.detail]).toEqual([what, 'string', 'string'])
  expect([what, /node_modules|\.ts:|at [A-Z]\w+\./.test(answer.text)]).toEqual([what, false])
}

/** The path with its parameters filled in plausibly. */
function pathOf(endpoint: Endpoint, fill: (name: string) => string = plausible): string {
  return endpoint.path.replace(/:(\w+)/g, (_, name: string) => fill(name))
}

function plausible(name: string): string {
  if (name === 'user_id') return user.userId
  if (name === 'symbol') return 'BTC-USDT'
  return '00000000001'
}

const name = (endpoint: Endpoint): string => `${endpoint.method} /api/${endpoint.service}${endpoint.path}`
const everyEndpoint = allEndpoints as readonly Endpoint[]
const withBody = everyEndpoint.filter((endpoint) => endpoint.body !== undefined && endpoint.method !== 'GET')
const tokenFor = (endpoint: Endpoint): string | undefined => (endpoint.access === 'operator' ? operator.token : user.token)

describe.concurrent('bodies', () => {
  test.each(withBody.map((endpoint) => [name(endpoint), endpoint] as const))('%s', { timeout: 120_000 }, async (_, endpoint) => {
    const path = pathOf(endpoint)
    const token = tokenFor(endpoint)
    for (const [what, { body, type }] of Object.entries(wrongBodies)) {
      if (endpoint.bodyType === 'form' && what.startsWith('form')) continue
      expectRefusal(what, await send(endpoint, path, { token, body, ...(type ? { type } : {}) }))
    }
    if (endpoint.bodyType === 'form') return
    const properties = Object.keys((endpoint.body as { properties?: object }).properties ?? {})
    for (const property of properties) {
      for (const [what, value] of Object.entries(wrongValues)) {
        const answer = await send(endpoint, path, { token, body: `{"${property}": ${value}}` })
        // One field alone may be all an endpoint needs, and a boolean or a list what it takes: then it is no mistake.
        if (answer.status < 300) continue
        expectRefusal(`${property}: ${what}`, answer)
      }
    }
  })
})

describe('orders: each field wrong in an otherwise good order is named', () => {
  const good: Record<string, string> = { symbol: '"BTC/USDT"', side: '"BUY"', order_type: '"LIMIT"', quantity: '"0.01"', price: '"20000"' }
  for (const field of Object.keys(good)) {
    test(field, { timeout: 60_000 }, async () => {
      const endpoint = everyEndpoint.find(
        (candidate) => candidate.service === 'trading' && candidate.method === 'POST' && candidate.path === '/orders',
      )!
      const before = await user.get<{ items: unknown[] }>('/api/trading/orders?limit=500')
      for (const [what, value] of [
        ...Object.entries(wrongValues),
        ['null', 'null'],
        ['zero', '0'],
        ['zero text', '"0"'],
        ['empty', '""'],
        ['missing', ''],
      ]) {
        const fields = Object.entries({ ...good, [field]: value! }).filter(([, text]) => text !== '')
        const answer = await send(endpoint, '/orders', {
          token: user.token,
          body: `{${fields.map(([key, text]) => `"${key}": ${text}`).join(',')}}`,
        })
        expectRefusal(`${field}: ${what}`, answer)
        if (answer.status === 400 && what !== '1 MB of text')
          expect([what, answer.text]).toSatisfy(() => answer.text.includes(field) || answer.text.includes('invalid_json'))
      }
      const after = await user.get<{ items: unknown[] }>('/api/trading/orders?limit=500')
      expect(after.body.items.length).toBe(before.body.items.length)
    })
  }
})

describe.concurrent('paths and queries', () => {
  test.each(everyEndpoint.map((endpoint) => [name(endpoint), endpoint] as const))('%s', { timeout: 60_000 }, async (_, endpoint) => {
    const token = tokenFor(endpoint)
    if (endpoint.path.includes(':')) {
      for (const wrong of wrongParams)
        expectRefusal(
          `parameter ${wrong.slice(0, 20)}`,
          await send(
            endpoint,
            pathOf(endpoint, () => wrong),
            { token, ...(endpoint.body ? { body: '{}' } : {}) },
          ),
        )
    }
    expectRefusal(
      'unknown query field',
      await send(endpoint, `${pathOf(endpoint)}?no_such_field=1`, { token, ...(endpoint.body ? { body: '{"no_such_field": 1}' } : {}) }),
    )
    for (const field of Object.keys((endpoint.query as { properties?: object } | undefined)?.properties ?? {})) {
      for (const wrong of ['', '-1', 'NaN', '1e400', 'x'.repeat(2_000), '%00', "';--", '[]']) {
        const answer = await send(endpoint, `${pathOf(endpoint)}?${field}=${encodeURIComponent(wrong)}`, { token })
        expect([field, wrong.slice(0, 20), answer.status]).toSatisfy(() => answer.status < 500)
        if (answer.status >= 400) expectRefusal(`${field}=${wrong.slice(0, 20)}`, answer)
      }
    }
  })
})

describe.concurrent('who may', () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: 'maru', aud: 'maru-api', sub: 'someone', roles: ['operator'], exp: Math.floor(Date.now() / 1_000) + 600 }
  const keyId = (): string => (JSON.parse(Buffer.from(user.token!.split('.')[0]!, 'base64url').toString('utf8')) as { kid: string }).kid
  const forged = (): Record<string, string> => {
    const header = part({ alg: 'EdDSA', typ: 'JWT', kid: keyId() })
    const signing = `${header}.${part(claims)}`
    const none = `${part({ alg: 'none', typ: 'JWT', kid: keyId() })}.${part(claims)}`
    const hs256 = `${part({ alg: 'HS256', typ: 'JWT', kid: keyId() })}.${part(claims)}`
    const [head, , signature] = user.token!.split('.')
    return {
      'signed with another key': `${signing}.${sign(null, Buffer.from(signing), privateKey).toString('base64url')}`,
      'alg none': `${none}.`,
      'alg none with a signature': `${none}.AA`,
      'HS256 with a guessed secret': `${hs256}.${createHmac('sha256', 'secret').update(hs256).digest('base64url')}`,
      'another payload under a good signature': `${head}.${part(claims)}.${signature}`,
      rubbish: 'rubbish',
      'no dots': 'a'.repeat(5_000),
    }
  }

  test.each(everyEndpoint.filter((endpoint) => endpoint.access !== 'public').map((endpoint) => [name(endpoint), endpoint] as const))(
    '%s',
    { timeout: 60_000 },
    async (_, endpoint) => {
      const body = endpoint.body ? { body: '{}' } : {}
      const without = await send(endpoint, pathOf(endpoint), body)
      expectRefusal('no token', without)
      expect(without.status).toBe(401)
      for (const [what, token] of Object.entries(forged())) {
        const answer = await send(endpoint, pathOf(endpoint), { ...body, token })
        expectRefusal(what, answer)
        expect([what, answer.status]).toEqual([what, 401])
      }
      if (endpoint.access === 'operator') {
        const answer = await send(endpoint, pathOf(endpoint), { ...body, token: user.token })
        expect([answer.status, (JSON.parse(answer.text) as { code: string }).code]).toEqual([403, 'forbidden'])
      }
      if (endpoint.access === 'user' && endpoint.path.includes(':user_id')) {
        const answer = await send(endpoint, pathOf(endpoint), { ...body, token: stranger.token })
        expectRefusal("another user's id", answer)
        expect([403, 404]).toContain(answer.status)
      }
    },
  )

  test('an order for another user is refused, whoever the body names', async () => {
    const answer = await stranger.post<{ code: string }>('/api/trading/orders', {
      symbol: 'BTC/USDT',
      side: 'BUY',
      order_type: 'MARKET',
      quantity: '0.01',
      user_id: user.userId,
    })
    expect([answer.status, answer.body.code]).toEqual([403, 'forbidden'])
  })

  test("another user's order is not there", async () => {
    // One whom nothing of the above has put under any control.
    const owner = await Client.registered(platform.url, 'owner')
    const mine = await owner.post<{ id: string }>('/api/trading/orders', {
      symbol: 'BTC/USDT',
      side: 'BUY',
      order_type: 'LIMIT',
      quantity: '0.01',
      price: '20000',
    })
    expect(mine.status, JSON.stringify(mine.body)).toBe(201)
    expect((await stranger.get(`/api/trading/orders/${mine.body.id}`)).status).toBe(404)
    expect((await stranger.delete(`/api/trading/orders/${mine.body.id}`)).status).toBe(404)
    expect((await owner.get<{ status: string }>(`/api/trading/orders/${mine.body.id}`)).body.status).toBe('PENDING')
  })
})
