import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serviceEndpoints } from '@maru/contracts/http/index'
import { createIssuer } from '../../../service-host/test/support/tokens.ts'
import { sendRaw } from '../../../service-host/test/support/raw.ts'
import { echoListener, openRig, until, type Echoed, type Rig } from './support/rig.ts'

describe.each(['plain', 'node'] as const)('a gateway whose requests are read by the parser %s', (parser) => {
  const openHere = (environment: Record<string, string> = {}) => openRig({ MARU_HTTP_PARSER: parser, ...environment })
  // One rig serves the tests that leave it as it was; those that do not call `reopen`, and it is made anew after them.
  let rig: Rig
  let seen: string[] = []
  let dirty = true
  async function open(environment: Record<string, string> = {}): Promise<void> {
    rig = await openHere(environment)
    await rig.serve('trading', (request, response) => {
      seen.push(`${request.method} ${request.url}`)
      echoListener(request, response)
    })
  }
  async function reopen(environment: Record<string, string>): Promise<void> {
    await rig[Symbol.asyncDispose]()
    await open(environment)
    dirty = true
  }
  beforeEach(async () => {
    if (dirty) await open()
    dirty = false
    seen = []
  })
  afterEach(async () => {
    if (dirty) await rig[Symbol.asyncDispose]()
  })
  afterAll(async () => {
    if (!dirty) await rig[Symbol.asyncDispose]()
  })

  const problemOf = async (answer: Response) => ({
    status: answer.status,
    type: answer.headers.get('content-type'),
    code: ((await answer.json()) as { code: string }).code,
  })
  const problem = (status: number, code: string) => ({ status, type: 'application/problem+json', code })

  describe('requests that a proxy must not guess about', () => {
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
    const post = (headers: string, body: string) => `POST /api/trading/x HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`
    const cases: [string, string][] = [
      ['CL with TE', post('Content-Length: 6\r\nTransfer-Encoding: chunked', `0\r\n\r\n${smuggled}`)],
      ['TE with CL', post('Transfer-Encoding: chunked\r\nContent-Length: 4', `5c\r\n${smuggled}\r\n0\r\n\r\n`)],
      ['two different CL', post('Content-Length: 0\r\nContent-Length: 44', smuggled)],
      ['two equal CL', post('Content-Length: 5\r\nContent-Length: 5', 'hello')],
      ['CL list', post('Content-Length: 5, 5', 'hello')],
      ['signed CL', post('Content-Length: +5', 'hello')],
      ['negative CL', post('Content-Length: -5', 'hello')],
      ['hex CL', post('Content-Length: 0x5', 'hello')],
      ['empty CL', post('Content-Length: ', 'hello')],
      ['TE identity', post('Transfer-Encoding: identity', 'hello')],
      ['TE xchunked', post('Transfer-Encoding: xchunked', '0\r\n\r\n')],
      ['chunked not last', post('Transfer-Encoding: chunked, gzip', '0\r\n\r\n')],
      ['TE hidden by a tab', post('Transfer-Encoding:\tchunked\r\nContent-Length: 3', 'abc')],
      ['space before the colon', post('Content-Length : 5', 'hello')],
      ['folded header', post('X-A: b\r\n c', '')],
      ['bare LF', 'GET /api/trading/x HTTP/1.1\nHost: x\n\n'],
      ['bare CR', 'GET /api/trading/x HTTP/1.1\r\nHost: x\rX-A: b\r\n\r\n'],
      ['NUL in a header', post('X-A: b\0c', '')],
      ['no Host', 'GET /api/trading/x HTTP/1.1\r\nConnection: close\r\n\r\n'],
      ['two Hosts', 'GET /api/trading/x HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n'],
      ['absolute form', 'GET http://evil.example/api/trading/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
      ['CONNECT', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n'],
      ['asterisk form', 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
      ['dot segments', 'GET /api/trading/../user/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
      ['encoded dot segments', 'GET /api/trading/%2e%2E/user/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
      ['NUL in the path', 'GET /api/trading/a%00b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
      ['unknown expectation', 'GET /api/trading/x HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nConnection: close\r\n\r\n'],
      ['unknown method', 'STEAL /api/trading/x HTTP/1.1\r\nHost: x\r\n\r\n'],
      ['unknown version', 'GET /api/trading/x HTTP/1.2\r\nHost: x\r\nConnection: close\r\n\r\n'],
      ['TRACE', 'TRACE /api/trading/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    ]
    test.each([
      ['/api/trading/a%00b', 'path'],
      ['/api/trading/orders?symbol=%00', 'path'],
    ])('%s is refused at the %s', async (target, path) => {
      const { body } = await sendRaw(rig.url, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, '"request_id"')
      expect(JSON.parse(body)).toMatchObject({ code: 'invalid_request', errors: [{ path }] })
    })

    test.each(cases)('%s is refused with a problem, and reaches no service', async (_name, bytes) => {
      const { status, head, body } = await sendRaw(rig.url, bytes, '"request_id"')
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(500)
      expect(head.toLowerCase()).toContain('application/problem+json')
      expect(body).toContain('"code"')
      expect(seen).toEqual([])
    })

    test('what follows a body is a request of its own, at the gateway', async () => {
      const { body } = await sendRaw(
        rig.url,
        `${post('Content-Length: 5', 'hello')}GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      )
      expect(body).toContain('"body":"hello"')
      expect(body).toContain('not_found')
      expect(seen).toEqual(['POST /x'])
    })

    test('a chunked body is framed anew: extensions and trailers stay behind', async () => {
      const { body } = await sendRaw(
        rig.url,
        post(
          'Transfer-Encoding: chunked\r\nConnection: close\r\nTrailer: X-User-Id',
          '5;ext=1\r\nhello\r\n0\r\nX-User-Id: someone\r\n\r\n',
        ),
      )
      const text = body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1)
      const echoed = JSON.parse(text) as Echoed
      expect(echoed).toMatchObject({ body: 'hello', headers: { 'content-length': '5' } })
      for (const name of ['transfer-encoding', 'trailer', 'x-user-id']) expect(echoed.headers).not.toHaveProperty(name)
    })
  })

  describe('bounds', () => {
    test('a body over the limit is refused clearly, by length and by chunks', async () => {
      const large = JSON.stringify({ symbol: 'x'.repeat(1_024 * 1_024) })
      const answer = await fetch(`${rig.url}/api/trading/x`, { method: 'POST', body: large })
      expect(await problemOf(answer)).toEqual(problem(413, 'payload_too_large'))
      const chunked = await fetch(`${rig.url}/api/trading/x`, {
        method: 'POST',
        body: new Blob([large]).stream(),
        duplex: 'half',
      } as RequestInit)
      expect(await problemOf(chunked)).toEqual(problem(413, 'payload_too_large'))
      expect((await fetch(`${rig.url}/api/trading/x`, { method: 'POST', body: 'x'.repeat(65_536) })).status).toBe(200)
      expect(seen).toEqual(['POST /x'])
    })

    test('a body that is announced too large is not asked for', async () => {
      const { status } = await sendRaw(
        rig.url,
        'POST /api/trading/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
        'HTTP/1.1 100 Continue',
      )
      expect(status).toBe(100)
    })

    test('headers of 20 KB, a thousand headers, a target of 9,000 characters', async () => {
      expect(await sendRaw(rig.url, `GET /api/trading/x HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatchObject({
        status: 431,
        body: expect.stringContaining('headers_too_large'),
      })
      const many = Array.from({ length: 3_000 }, (_, index) => `X-${index}: 1`).join('\r\n')
      expect((await sendRaw(rig.url, `GET /api/trading/x HTTP/1.1\r\nHost: x\r\n${many}\r\n\r\n`)).status).toBe(431)
      expect(await problemOf(await fetch(`${rig.url}/api/trading/${'x'.repeat(9_000)}`))).toEqual(problem(414, 'uri_too_long'))
      expect(seen).toEqual([])
    })

    test('a client that sends its head or its body drop by drop is timed out with 408', async () => {
      await reopen({ MARU_GATEWAY_HEADERS_TIMEOUT_MS: '500', MARU_GATEWAY_REQUEST_TIMEOUT_MS: '700' })
      for (const start of ['GET /api/trading/x HTTP/1.1\r\n', 'POST /api/trading/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n']) {
        const socket = connect(Number(new URL(rig.url).port), '127.0.0.1')
        let text = ''
        socket.on('data', (chunk) => (text += chunk.toString())).on('error', () => undefined)
        socket.write(start)
        const drip = setInterval(() => socket.write('x'), 50)
        await once(socket, 'close')
        clearInterval(drip)
        expect(text).toContain('408 Request Timeout')
        expect(text).toContain('request_timeout')
      }
      expect(seen).toEqual([])
    })

    test('requests beyond what a service may have in flight are refused at once with 503, and those for others are not', async () => {
      // A quarter of it is for the service `user`.
      await reopen({ MARU_GATEWAY_IN_FLIGHT_MAX: '12' })
      const held: (() => void)[] = []
      await rig.serve('user', (_request, response) => held.push(() => response.end('{}')))
      const inFlight = Array.from({ length: 3 }, () => fetch(`${rig.url}/api/user/x`))
      await until(() => held.length === 3)
      const refused = await fetch(`${rig.url}/api/user/x`)
      expect(refused.headers.get('retry-after')).toBe('1')
      expect(await problemOf(refused)).toEqual(problem(503, 'overloaded'))
      expect((await fetch(`${rig.url}/api/trading/x`)).status).toBe(200)
      for (const release of held) release()
      for (const answer of inFlight) expect((await answer).status).toBe(200)
    })

    test('more requests than a caller may send: 429 with Retry-After; another caller is not affected', async () => {
      await reopen({
        MARU_RATE_LIMIT_PER_SECOND: '1',
        MARU_RATE_LIMIT_BURST: '3',
        MARU_RATE_LIMIT_ANONYMOUS_BURST: '1000',
        MARU_RATE_LIMIT_ADDRESS_BURST: '1000',
      })
      const remaining: (string | null)[] = []
      const mine = { authorization: `Bearer ${rig.issuer.sign({ sub: 'a' })}` }
      for (let count = 0; count < 3; count += 1)
        remaining.push((await fetch(`${rig.url}/api/trading/x`, { headers: mine })).headers.get('ratelimit-remaining'))
      expect(remaining).toEqual(['2', '1', '0'])
      const refused = await fetch(`${rig.url}/api/trading/x`, { headers: mine })
      expect([refused.headers.get('retry-after'), refused.headers.get('ratelimit-limit')]).toEqual(['1', '3'])
      expect(await problemOf(refused)).toEqual(problem(429, 'rate_limited'))
      expect(
        (await fetch(`${rig.url}/api/trading/x`, { headers: { authorization: `Bearer ${rig.issuer.sign({ sub: 'b' })}` } })).status,
      ).toBe(200)
    })
  })

  describe('who may enter', () => {
    const paths = serviceEndpoints.map((endpoint) => ({
      endpoint,
      path: `/api/${endpoint.service}${endpoint.path.replaceAll(/:[a-z_]+/g, 'u1')}`,
    }))

    test('every endpoint that is not public is refused without a token, with a forged and with an expired one', async () => {
      const guarded = paths.filter(({ endpoint }) => endpoint.access !== 'public')
      expect(guarded.length).toBeGreaterThan(10)
      const forged = `Bearer ${createIssuer().sign()}`
      const expired = `Bearer ${rig.issuer.sign({ exp: 1_000_000_000 })}`
      for (const { endpoint, path } of guarded) {
        const ask = (authorization?: string) =>
          fetch(rig.url + path, { method: endpoint.method, headers: authorization === undefined ? {} : { authorization } }).then(problemOf)
        expect({ path, ...(await ask()) }).toEqual({ path, ...problem(401, 'unauthenticated') })
        expect({ path, ...(await ask(forged)) }).toEqual({ path, ...problem(401, 'unauthenticated') })
        expect({ path, ...(await ask(expired)) }).toEqual({ path, ...problem(401, 'token_expired') })
      }
      expect(seen).toEqual([])
    })

    test('what is for operators is refused to others', async () => {
      const { endpoint, path } = paths.find(
        (entry) => entry.endpoint.access === 'operator' && entry.endpoint.service === 'trading',
      ) as (typeof paths)[number]
      const ask = (roles: string[]) =>
        fetch(rig.url + path, { method: endpoint.method, headers: { authorization: `Bearer ${rig.issuer.sign({ roles })}` } })
      expect(await problemOf(await ask([]))).toEqual(problem(403, 'forbidden'))
      expect((await ask(['operator'])).status).toBe(200)
    })

    test('a valid token goes on to the service, which verifies it again', async () => {
      const authorization = `Bearer ${rig.issuer.sign()}`
      const answer = await fetch(`${rig.url}/api/trading/orders/1`, { headers: { authorization } })
      expect(((await answer.json()) as Echoed).headers['authorization']).toBe(authorization)
    })

    test('health, metrics and what services ask one another cannot be reached, however they are spelt', async () => {
      for (const path of [
        '/health',
        '/health/live',
        '/metrics',
        '/%68ealth/ready',
        '//health/live',
        '/Metrics',
        '/metrics/',
        '/internal/revoked-tokens',
        '/Internal/x',
        '/%69nternal/x',
      ])
        expect(await problemOf(await fetch(`${rig.url}/api/trading${path}`))).toEqual(problem(404, 'not_found'))
      expect(seen).toEqual([])
    })

    test('unknown services and paths', async () => {
      for (const path of ['/api/nothing/x', '/api', '/api/', '/x', '/api/gateway/x', '/api/tradingx/y'])
        expect(await problemOf(await fetch(rig.url + path))).toEqual(problem(404, 'not_found'))
    })
  })

  describe('CORS', () => {
    const preflight = (origin: string) =>
      fetch(`${rig.url}/api/trading/orders`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      })

    test('without a list no origin is allowed', async () => {
      expect(await problemOf(await preflight('https://app.example'))).toEqual(problem(403, 'origin_not_allowed'))
      const answer = await fetch(`${rig.url}/api/trading/x`, { headers: { origin: 'https://app.example' } })
      expect(answer.headers.has('access-control-allow-origin')).toBe(false)
    })

    test('an origin on the list is, by name, and never with credentials', async () => {
      await reopen({ MARU_CORS_ORIGINS: 'https://app.example, http://localhost:5173' })
      const allowed = await preflight('https://app.example')
      expect(allowed.status).toBe(204)
      expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example')
      expect(allowed.headers.get('access-control-allow-methods')).toContain('DELETE')
      expect(allowed.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('authorization')
      expect(allowed.headers.has('access-control-allow-credentials')).toBe(false)
      expect(allowed.headers.get('vary')).toBe('Accept-Encoding, Origin')
      for (const origin of ['https://evil.example', 'null', 'https://app.example.evil', 'http://app.example']) {
        expect((await preflight(origin)).status).toBe(403)
        const answer = await fetch(`${rig.url}/api/trading/x`, { headers: { origin } })
        expect(answer.headers.has('access-control-allow-origin')).toBe(false)
      }
      const error = await fetch(`${rig.url}/api/trading/orders`, { headers: { origin: 'https://app.example' } })
      expect([error.status, error.headers.get('access-control-allow-origin')]).toEqual([401, 'https://app.example'])
      for (const name of ['Retry-After', 'Idempotent-Replayed']) expect(error.headers.get('access-control-expose-headers')).toContain(name)
      expect(seen).toEqual(['GET /x', 'GET /x', 'GET /x', 'GET /x'])
    })

    test.each(['*', 'app.example', 'https://app.example/path', 'null'])('%s is no origin to allow', async (origin) => {
      await expect(openHere({ MARU_CORS_ORIGINS: origin })).rejects.toThrow('MARU_CORS_ORIGINS')
    })
  })

  describe('its own pages', () => {
    test('health, readiness and the list of instances', async () => {
      expect((await fetch(`${rig.url}/health/live`)).status).toBe(200)
      dirty = true
      const waiting = await fetch(`${rig.url}/health/ready`)
      expect(waiting.status).toBe(503)
      expect(await waiting.json()).toMatchObject({ code: 'unavailable', waiting_for: ['user', 'market-data', 'notification', 'analytics'] })
      for (const service of ['user', 'market-data', 'notification', 'analytics'] as const) await rig.serve(service, echoListener)
      const ready = await fetch(`${rig.url}/health/ready`)
      expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }])
      expect(await rig.health()).toContainEqual({
        service: 'user',
        id: expect.any(String),
        pid: process.pid,
        url: expect.any(String),
        version: '0.1.0',
        state: 'ready',
        started_at: expect.any(String),
        ready_at: expect.any(String),
        capabilities: [],
        load: null,
        circuit: 'closed',
      })
    })

    test('the API document, its reader, the error catalogue, the keys', async () => {
      const document = (await (await fetch(`${rig.url}/api/openapi.json`)).json()) as { openapi: string; paths: Record<string, unknown> }
      expect(document.openapi).toBe('3.1.0')
      expect(document.paths).toHaveProperty('/api/trading/orders')
      for (const path of ['/', '/docs', '/docs/', '/docs/errors', '/docs/docs.js', '/docs/market.js', '/docs/style.css']) {
        const page = await fetch(rig.url + path)
        expect([path, page.status]).toEqual([path, 200])
        expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
        // Nothing is loaded from elsewhere.
        expect(await page.text()).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
      }
      expect(await (await fetch(`${rig.url}/docs/errors`)).text()).toContain('id="insufficient_funds"')
      dirty = true
      await rig.serve('user', echoListener)
      expect(((await (await fetch(`${rig.url}/.well-known/jwks.json`)).json()) as Echoed).url).toBe('/.well-known/jwks.json')
      const wrong = await fetch(`${rig.url}/docs`, { method: 'POST' })
      expect(wrong.headers.get('allow')).toBe('GET, HEAD')
      expect(await problemOf(wrong)).toEqual(problem(405, 'method_not_allowed'))
    })

    test('every answer has RateLimit headers and a request id', async () => {
      for (const [method, path] of [
        ['GET', '/'],
        ['GET', '/health/live'],
        ['GET', '/nothing'],
        ['GET', '/api/trading/orders'],
        ['GET', '/api/user/x'],
        ['OPTIONS', '/x'],
        ['GET', '/api/trading/..%2f'],
      ] as const) {
        const answer = await fetch(rig.url + path, { method })
        for (const name of ['x-request-id', 'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'x-content-type-options'])
          expect([path, name, answer.headers.has(name)]).toEqual([path, name, true])
      }
      expect((await sendRaw(rig.url, 'NONSENSE\r\n\r\n')).head).toContain('ratelimit-limit')
    })
  })
})
