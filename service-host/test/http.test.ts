import { pino } from 'pino'
import { createSigner } from 'fast-jwt'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DecimalIn, endpoint, errorCatalogue, ListOf, Strict } from '@maru/contracts'
import { createHttpService, type HttpService } from '../http.ts'
import { Problem } from '../problem.ts'
import { createIssuer } from './support/tokens.ts'
import { sendRaw } from './support/raw.ts'

const Order = Strict({
  symbol: Type.String({ minLength: 1, maxLength: 20 }),
  kind: Type.Optional(Type.String({ pattern: '^[a-z]+$', description: 'A word in small letters, such as limit.' })),
  side: Type.Union([Type.Literal('BUY'), Type.Literal('SELL')]),
  quantity: DecimalIn,
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 })),
  nested: Type.Optional(Strict({ note: Type.String() })),
})
const Reply = Type.Object({ id: Type.String(), price: Type.Union([Type.String(), Type.Null()]) })
const contracts = {
  place: endpoint({
    service: 'trading',
    method: 'POST',
    path: '/orders',
    access: 'user',
    summary: '',
    body: Order,
    status: 201,
    reply: Type.Object({ quantity: Type.Unknown(), user: Type.String() }),
  }),
  get: endpoint({
    service: 'trading',
    method: 'GET',
    path: '/orders/:id',
    access: 'public',
    summary: '',
    params: Type.Object({ id: Type.String() }),
    status: 200,
    reply: Type.Object({ id: Type.String(), user: Type.Optional(Type.String()) }),
  }),
  cancel: endpoint({
    service: 'trading',
    method: 'DELETE',
    path: '/orders/:id',
    access: 'user',
    summary: '',
    params: Type.Object({ id: Type.String() }),
    status: 200,
    reply: Type.Object({}),
  }),
  list: endpoint({
    service: 'trading',
    method: 'GET',
    path: '/orders',
    access: 'public',
    summary: '',
    query: Strict({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5, default: 3 })) }),
    status: 200,
    reply: Type.Object({ limit: Type.Integer() }),
  }),
  halt: endpoint({
    service: 'trading',
    method: 'POST',
    path: '/halt',
    access: 'operator',
    summary: '',
    status: 200,
    reply: Type.Object({}),
  }),
  login: endpoint({
    service: 'user',
    method: 'POST',
    path: '/token',
    access: 'public',
    summary: '',
    body: Type.Object({ username: Type.String() }),
    bodyType: 'form',
    status: 200,
    reply: Type.Object({ name: Type.String() }),
  }),
  leaky: endpoint({ service: 'trading', method: 'GET', path: '/leaky', access: 'public', summary: '', status: 200, reply: ListOf(Reply) }),
  bug: endpoint({ service: 'trading', method: 'GET', path: '/bug', access: 'public', summary: '', status: 200, reply: Type.Object({}) }),
  busy: endpoint({ service: 'trading', method: 'GET', path: '/busy', access: 'public', summary: '', status: 200, reply: Type.Object({}) }),
}

const issuer = createIssuer()
const parsers = ['plain', 'node'] as const
describe.each(parsers)('HTTP, read by the parser %s', (parser) => {
  let http: HttpService
  let url: string
  let handled = 0

  beforeAll(async () => {
    http = createHttpService({
      logger: pino({ level: 'silent' }),
      verifier: issuer.verifier,
      parser,
      headersTimeoutMs: 1_000,
      requestTimeoutMs: 1_500,
    })
    http.serve(contracts.place, ({ body, identity }) => {
      handled += 1
      return { quantity: body.quantity, user: identity.userId }
    })
    http.serve(contracts.get, ({ params, identity }) => ({ id: params.id, ...(identity ? { user: identity.userId } : {}) }))
    http.serve(contracts.cancel, () => ({}))
    http.serve(contracts.list, ({ query }) => ({ limit: query.limit as number }))
    http.serve(contracts.halt, () => ({}))
    http.serve(contracts.login, ({ body }) => ({ name: body.username }))
    http.serve(contracts.leaky, () => ({ items: [{ id: '1', price: null, password_hash: 'secret' }], next_cursor: null }))
    http.serve(contracts.bug, () => {
      throw new Error('secret detail')
    })
    http.serve(contracts.busy, () => {
      throw new Problem('overloaded')
    })
    url = await http.app.listen({ host: '127.0.0.1', port: 0 })
  })
  afterAll(() => http.stop(1_000))

  const json = { 'content-type': 'application/json' }
  const bearer = (token = issuer.sign()) => ({ authorization: `Bearer ${token}` })
  const good = { symbol: 'BTC/USDT', side: 'BUY', quantity: '0.5' }

  async function send(method: string, path: string, options: { headers?: Record<string, string>; body?: string | Buffer } = {}) {
    const answer = await fetch(url + path, {
      method,
      headers: options.headers ?? {},
      ...(options.body === undefined ? {} : { body: options.body as never }),
    })
    const text = await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> & { errors?: { path: string; message: string }[] },
    }
  }

  async function expectProblem(answer: Awaited<ReturnType<typeof send>>, code: keyof typeof errorCatalogue, field?: string) {
    expect(answer.body).toMatchObject({
      code,
      status: errorCatalogue[code].status,
      request_id: expect.any(String),
      type: `/docs/errors#${code}`,
      detail: expect.any(String),
    })
    expect(answer.status).toBe(errorCatalogue[code].status)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('x-request-id')).toBe(answer.body['request_id'])
    if (field !== undefined) expect(answer.body.errors?.map(({ path }) => path)).toContain(field)
  }

  describe('bad shapes of a body', () => {
    const megabyte = 'x'.repeat(1_024 * 1_024)
    const cases: [string, string, keyof typeof errorCatalogue, string?][] = [
      ['wrong type', JSON.stringify({ ...good, symbol: 5 }), 'invalid_request', 'symbol'],
      ['missing field', JSON.stringify({ symbol: 'A', side: 'BUY' }), 'invalid_request', 'quantity'],
      ['unknown field', JSON.stringify({ ...good, quantityy: '1' }), 'invalid_request', 'quantityy'],
      ['not in the list', JSON.stringify({ ...good, side: 'HOLD' }), 'invalid_request', 'side'],
      ['negative number', JSON.stringify({ ...good, quantity: -1 }), 'invalid_request', 'quantity'],
      ['zero', JSON.stringify({ ...good, quantity: 0 }), 'invalid_request', 'quantity'],
      ['negative text', JSON.stringify({ ...good, quantity: '-1' }), 'invalid_request', 'quantity'],
      ['1e400', '{"symbol":"A","side":"BUY","quantity":1e400}', 'invalid_request', 'quantity'],
      ['1e400 as text', JSON.stringify({ ...good, quantity: '1e400' }), 'invalid_request', 'quantity'],
      ['40 decimals', JSON.stringify({ ...good, quantity: `0.${'1'.repeat(40)}` }), 'invalid_request', 'quantity'],
      ['NaN', '{"symbol":"A","side":"BUY","quantity":NaN}', 'invalid_json'],
      ['NaN as text', JSON.stringify({ ...good, quantity: 'NaN' }), 'invalid_request', 'quantity'],
      ['null', JSON.stringify({ ...good, quantity: null }), 'invalid_request', 'quantity'],
      ['boolean for an integer', JSON.stringify({ ...good, count: true }), 'invalid_request', 'count'],
      ['text for an integer', JSON.stringify({ ...good, count: '1' }), 'invalid_request', 'count'],
      ['a 1 MB string', JSON.stringify({ ...good, symbol: megabyte }), 'payload_too_large'],
      ['a string too long', JSON.stringify({ ...good, symbol: 'x'.repeat(21) }), 'invalid_request', 'symbol'],
      ['broken JSON', '{"symbol":', 'invalid_json'],
      ['an empty body', '', 'invalid_request', 'body'],
      ['array for object', '[]', 'invalid_request', 'body'],
      ['text for object', '"x"', 'invalid_request', 'body'],
      ['null for object', 'null', 'invalid_request', 'body'],
      ['deep nesting', '['.repeat(30_000) + ']'.repeat(30_000), 'invalid_request', 'body'],
      ['deep nesting in a field', `{"nested":${'{"note":'.repeat(5_000)}1${'}'.repeat(5_000)}}`, 'invalid_request', 'nested.note'],
      ['an array of faults', `[${'1,'.repeat(20_000)}1]`, 'invalid_request', 'body'],
      ['__proto__', '{"symbol":"A","side":"BUY","quantity":"1","__proto__":{"x":1}}', 'invalid_json'],
      ['constructor.prototype', '{"symbol":"A","side":"BUY","quantity":"1","constructor":{"prototype":{}}}', 'invalid_json'],
      ['NUL', '{"symbol":"A\\u0000","side":"BUY","quantity":"1"}', 'invalid_request'],
      ['NUL in a field', '{"symbol":"A\\u0000","side":"BUY","quantity":"1"}', 'invalid_request', 'symbol'],
      ['NUL nested too deep to walk to', `${'['.repeat(20_000)}"\\u0000"${']'.repeat(20_000)}`, 'invalid_request', 'body'],
      ['a raw control character', '{"symbol":"A\u0001","side":"BUY","quantity":"1"}', 'invalid_json'],
    ]
    test.each(cases)('%s', async (_name, body, code, field) => {
      const before = handled
      await expectProblem(await send('POST', '/orders', { headers: { ...json, ...bearer() }, body }), code, field)
      expect(handled).toBe(before)
    })

    test('every fault is named, twenty at most', async () => {
      const { body } = await send('POST', '/orders', {
        headers: { ...json, ...bearer() },
        body: JSON.stringify({ symbol: 1, side: 2, quantity: 'x', zz: 1 }),
      })
      expect(body.errors).toEqual([
        { path: 'zz', message: 'is not a known field' },
        { path: 'symbol', message: 'must be a string' },
        { path: 'side', message: 'must be one of BUY, SELL' },
        { path: 'quantity', message: expect.stringContaining('must be: A positive decimal') },
      ])
      const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`f${index}`, 1]))
      const answer = await send('POST', '/orders', { headers: { ...json, ...bearer() }, body: JSON.stringify(many) })
      expect(answer.body.errors).toHaveLength(20)
    })

    test('faults are said for people: what the contract says of the field, not its pattern', async () => {
      const faulty = { symbol: '', side: 'BUY', quantity: '1', nested: {}, kind: 'no kind' }
      const { body } = await send('POST', '/orders', { headers: { ...json, ...bearer() }, body: JSON.stringify(faulty) })
      expect(body.errors).toEqual([
        { path: 'symbol', message: 'must have at least 1 character' },
        { path: 'kind', message: 'must be: A word in small letters, such as limit' },
        { path: 'nested.note', message: 'is required' },
      ])
      const list = await send('POST', '/orders', { headers: { ...json, ...bearer() }, body: '[]' })
      expect(list.body.errors).toEqual([{ path: 'body', message: 'must be an object' }])
    })

    test('of a field given twice the last counts; good bodies of both number forms pass', async () => {
      const twice = await send('POST', '/orders', {
        headers: { ...json, ...bearer() },
        body: '{"symbol":"A","side":"BUY","quantity":"1","quantity":"2"}',
      })
      expect(twice).toMatchObject({ status: 201, body: { quantity: '2', user: 'u1' } })
      const asNumber = await send('POST', '/orders', {
        headers: { ...json, ...bearer() },
        body: JSON.stringify({ ...good, quantity: 0.5 }),
      })
      expect(asNumber).toMatchObject({ status: 201, body: { quantity: 0.5 } })
      const backslash = await send('POST', '/orders', {
        headers: { ...json, ...bearer() },
        body: JSON.stringify({ ...good, symbol: '\\u0000' }),
      })
      expect(backslash.status).toBe(201)
    })

    test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx', 'nonsense'])(
      'content type %s',
      async (type) => {
        await expectProblem(
          await send('POST', '/orders', { headers: { 'content-type': type, ...bearer() }, body: 'a=1' }),
          'unsupported_media_type',
        )
      },
    )
    test('a body without a content type, a compressed body', async () => {
      const raw = await sendRaw(
        url,
        `POST /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${issuer.sign()}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      )
      expect(raw).toMatchObject({ status: 415, body: expect.stringContaining('unsupported_media_type') })
      await expectProblem(
        await send('POST', '/orders', { headers: { ...json, ...bearer(), 'content-encoding': 'gzip' }, body: 'x' }),
        'unsupported_media_type',
      )
    })
    test('a chunked body over the limit', async () => {
      const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
      const raw = await sendRaw(
        url,
        `POST /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${issuer.sign()}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`,
      )
      expect(raw).toMatchObject({ status: 413, body: expect.stringContaining('payload_too_large') })
    })
    test('an endpoint without a body refuses one, but not an empty one', async () => {
      await expectProblem(
        await send('DELETE', '/orders/1', { headers: { ...json, ...bearer() }, body: '{"a":1}' }),
        'invalid_request',
        'body',
      )
      expect((await send('DELETE', '/orders/1', { headers: { ...json, ...bearer() }, body: '{}' })).status).toBe(200)
      expect((await send('DELETE', '/orders/1', { headers: { ...json, ...bearer() } })).status).toBe(200)
    })
    test('forms', async () => {
      const form = { 'content-type': 'application/x-www-form-urlencoded' }
      expect(await send('POST', '/token', { headers: form, body: 'username=a%2Bb' })).toMatchObject({ status: 200, body: { name: 'a+b' } })
      await expectProblem(await send('POST', '/token', { headers: form, body: 'username=a&username=b' }), 'invalid_request', 'username')
      await expectProblem(await send('POST', '/token', { headers: form, body: 'x=1' }), 'invalid_request', 'username')
      await expectProblem(await send('POST', '/token', { headers: form, body: '__proto__=1' }), 'invalid_request', 'username')
      await expectProblem(await send('POST', '/token', { headers: form, body: 'username=%00' }), 'invalid_request')
      await expectProblem(await send('POST', '/token', { headers: json, body: '{"username":"a"}' }), 'unsupported_media_type')
    })
  })

  describe('paths, queries and methods', () => {
    test.each([
      ['/orders?limit=0', 'limit'],
      ['/orders?limit=6', 'limit'],
      ['/orders?limit=x', 'limit'],
      ['/orders?limit=', 'limit'],
      ['/orders?limit=1.5', 'limit'],
      ['/orders?limit=1&limit=2', 'limit'],
      ['/orders?limitt=1', 'limitt'],
      ['/orders?__proto__=1', '__proto__'],
    ])('%s', async (path, field) => expectProblem(await send('GET', path), 'invalid_request', field))
    test('defaults and numbers of a query', async () => {
      expect((await send('GET', '/orders')).body).toEqual({ limit: 3 })
      expect((await send('GET', '/orders?limit=2')).body).toEqual({ limit: 2 })
    })
    test('an encoded slash stays in its segment; a NUL and broken escapes are refused', async () => {
      expect((await send('GET', '/orders/BTC%2FUSDT')).body).toEqual({ id: 'BTC/USDT' })
      await expectProblem(await send('GET', '/orders/a%00b'), 'invalid_request', 'path')
      await expectProblem(await send('GET', '/orders/%zz'), 'not_found')
      await expectProblem(await send('GET', `/orders/${'x'.repeat(300)}`), 'not_found')
      await expectProblem(await send('GET', `/orders?limit=${'1'.repeat(9_000)}`), 'uri_too_long')
    })
    test('404, and 405 with Allow', async () => {
      await expectProblem(await send('GET', '/nothing'), 'not_found')
      const answer = await send('PUT', '/orders/1')
      await expectProblem(answer, 'method_not_allowed')
      expect(answer.headers.get('allow')).toBe('DELETE, GET, HEAD')
      await expectProblem(await send('PROPFIND', '/orders'), 'method_not_allowed')
    })
    test('headers too large, and what is no HTTP, are answered as problems', async () => {
      expect(await sendRaw(url, `GET /orders HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatchObject({
        status: 431,
        body: expect.stringContaining('headers_too_large'),
      })
      expect(await sendRaw(url, 'NONSENSE\r\n\r\n')).toMatchObject({ status: 400, body: expect.stringContaining('invalid_request') })
    })
    test('a slow head and a slow body end with 408', async () => {
      expect(await sendRaw(url, 'GET /orders HTTP/1.1\r\nHost: x\r\n')).toMatchObject({
        status: 408,
        body: expect.stringContaining('request_timeout'),
      })
      const slow = `POST /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${issuer.sign()}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{`
      expect((await sendRaw(url, slow)).status).toBe(408)
    })
  })

  describe('who asks', () => {
    const claims = { sub: 'u1', iss: 'maru', aud: 'maru-api' }
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const exp = Math.floor(Date.now() / 1_000) + 60
    test.each<[string, () => string | undefined]>([
      ['no token', () => undefined],
      ['no scheme', () => issuer.sign()],
      ['another scheme', () => `Basic ${issuer.sign()}`],
      ['nonsense', () => 'Bearer nonsense'],
      ['three dots of nonsense', () => 'Bearer a.b.c'],
      ['a forged key of the same id', () => `Bearer ${createIssuer().sign()}`],
      ['an unknown key id', () => `Bearer ${createIssuer('k2').sign()}`],
      ['algorithm none', () => `Bearer ${part({ alg: 'none', kid: 'k1', typ: 'JWT' })}.${part({ ...claims, exp })}.`],
      ['algorithm none with a signature', () => `Bearer ${part({ alg: 'none', kid: 'k1' })}.${part({ ...claims, exp })}.AAAA`],
      [
        'HMAC with the public key',
        () => `Bearer ${createSigner({ key: JSON.stringify(issuer.published), algorithm: 'HS256', kid: 'k1' })({ ...claims, exp })}`,
      ],
      ['a changed payload', () => `Bearer ${issuer.sign().replace(/\.[^.]+\./, `.${part({ ...claims, sub: 'u2', exp })}.`)}`],
      ['another audience', () => `Bearer ${issuer.sign({ aud: 'other' })}`],
      ['another issuer', () => `Bearer ${issuer.sign({ iss: 'other' })}`],
      ['no audience', () => `Bearer ${issuer.sign({ aud: undefined })}`],
      ['no issuer', () => `Bearer ${issuer.sign({ iss: undefined })}`],
      ['no expiry', () => `Bearer ${createSigner({ key: issuer.privatePem, algorithm: 'EdDSA', kid: 'k1' })(claims)}`],
      [
        'no subject',
        () =>
          `Bearer ${createSigner({ key: issuer.privatePem, algorithm: 'EdDSA', kid: 'k1', iss: 'maru', aud: 'maru-api', expiresIn: 1_000 })({})}`,
      ],
      ['a token of 5,000 characters', () => `Bearer ${issuer.sign({ padding: 'x'.repeat(5_000) })}`],
    ])('%s', async (_name, authorization) => {
      const value = authorization()
      const answer = await send('POST', '/orders', {
        headers: { ...json, ...(value === undefined ? {} : { authorization: value }) },
        body: JSON.stringify(good),
      })
      await expectProblem(answer, 'unauthenticated')
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    })
    test('an expired token', async () => {
      const token = createSigner({ key: issuer.privatePem, algorithm: 'EdDSA', kid: 'k1' })({ ...claims, exp: exp - 120 })
      await expectProblem(
        await send('POST', '/orders', { headers: { ...json, ...bearer(token) }, body: JSON.stringify(good) }),
        'token_expired',
      )
    })
    test('operators only', async () => {
      await expectProblem(await send('POST', '/halt'), 'unauthenticated')
      await expectProblem(await send('POST', '/halt', { headers: bearer() }), 'forbidden')
      await expectProblem(await send('POST', '/halt', { headers: bearer(issuer.sign({ roles: 'operator' })) }), 'forbidden')
      expect((await send('POST', '/halt', { headers: bearer(issuer.sign({ roles: ['operator'] })) })).status).toBe(200)
    })
    test('a public endpoint knows a valid token and does not mind a bad one', async () => {
      expect((await send('GET', '/orders/1', { headers: bearer() })).body).toEqual({ id: '1', user: 'u1' })
      expect((await send('GET', '/orders/1', { headers: { authorization: 'Bearer a.b.c' } })).body).toEqual({ id: '1' })
    })
    test('who may not call is refused before the body is looked at', async () => {
      await expectProblem(await send('POST', '/orders', { headers: json, body: '{' }), 'unauthenticated')
    })
  })

  describe('answers', () => {
    test('fields that the contract does not have are not sent, and null stays null', async () => {
      expect((await send('GET', '/leaky')).body).toEqual({ items: [{ id: '1', price: null }], next_cursor: null })
    })
    test('a strict service fails instead', async () => {
      const strict = createHttpService({ logger: pino({ level: 'silent' }), verifier: issuer.verifier, strictReplies: true })
      strict.serve(contracts.leaky, () => ({ items: [{ id: '1', price: null, extra: 1 }], next_cursor: null }))
      expect((await strict.app.inject('/leaky')).statusCode).toBe(500)
      await strict.stop(100)
    })
    test('a fault of ours is 500 without its detail', async () => {
      const answer = await send('GET', '/bug')
      await expectProblem(answer, 'internal')
      expect(JSON.stringify(answer.body)).not.toContain('secret')
    })
    test('503 says when to come back', async () => {
      const answer = await send('GET', '/busy')
      await expectProblem(answer, 'overloaded')
      expect(answer.headers.get('retry-after')).toBe('1')
    })
    test('a request id goes through, a harmful one is replaced', async () => {
      expect((await send('GET', '/orders', { headers: { 'x-request-id': 'abc-1' } })).headers.get('x-request-id')).toBe('abc-1')
      expect((await send('GET', '/orders', { headers: { 'x-request-id': 'a b\tc' } })).headers.get('x-request-id')).toMatch(
        /^[0-9a-f-]{36}$/,
      )
    })
    test('metrics count by route, not by path', async () => {
      await send('GET', '/orders/77')
      const text = await (await fetch(`${url}/metrics`)).text()
      expect(text).toMatch(/maru_http_requests_total\{method="GET",route="\/orders\/:id",status="200"\} \d+/)
      expect(text).not.toContain('/orders/77')
      expect(text).toContain('maru_event_loop_delay_seconds_bucket')
    })
  })
})
