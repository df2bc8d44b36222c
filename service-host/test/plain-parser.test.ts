import fc from 'fast-check'
import { pino } from 'pino'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endpoint, Strict } from '@maru/contracts'
import { createHttpService, type HttpService } from '../http.ts'
import { ask, expectAlike, fuzzRuns, mangled } from './support/differential.ts'
import { createIssuer } from './support/tokens.ts'

/**
 * The short path and Node's parser are sent the same bytes and must give the same answers, whatever the bytes are and however they are cut: so no request means one thing to
 * one and another to the other, and none hides in the body of another.
 */
const issuer = createIssuer()
const contracts = {
  echo: endpoint({
    service: 'trading',
    method: 'POST',
    path: '/echo/:id',
    access: 'public',
    summary: '',
    params: Type.Object({ id: Type.String() }),
    query: Strict({ n: Type.Optional(Type.Integer()), list: Type.Optional(Type.String()) }),
    body: Type.Object({ a: Type.Optional(Type.Unknown()) }),
    status: 201,
    reply: Type.Object({ heard: Type.Unknown() }),
  }),
  get: endpoint({
    service: 'trading',
    method: 'GET',
    path: '/get',
    access: 'user',
    summary: '',
    status: 200,
    reply: Type.Object({ heard: Type.Unknown() }),
  }),
}
const sides = new Map<'plain' | 'node', { http: HttpService; url: string; read: { plain: number } }>()

beforeAll(async () => {
  for (const parser of ['plain', 'node'] as const) {
    const http = createHttpService({
      logger: pino({ level: 'silent' }),
      verifier: issuer.verifier,
      parser,
      headersTimeoutMs: 500,
      requestTimeoutMs: 500,
    })
    const read = { plain: 0 }
    http.serve(contracts.echo, ({ params, query, body, request, stream }) => {
      if (!('raw' in request)) read.plain += 1
      return { heard: { params, query, body, headers: heardOf(request.headers), isStream: stream !== undefined } }
    })
    http.serve(contracts.get, ({ request, identity }) => ({ heard: { user: identity.userId, headers: heardOf(request.headers) } }))
    http.app.get('/page', () => 'a page')
    const url = await http.app.listen({ host: '127.0.0.1', port: 0 })
    sides.set(parser, { http, url, read })
  }
})
afterAll(async () => {
  for (const { http } of sides.values()) await http.stop(100)
})

function heardOf(headers: NodeJS.Dict<string | string[]>) {
  return Object.entries(headers).filter(([name]) => name !== 'authorization')
}

async function askBoth(chunks: readonly string[]): Promise<{ plain: string[]; node: string[] }> {
  const [plain, node] = await Promise.all([ask(sides.get('plain')!.url, chunks), ask(sides.get('node')!.url, chunks)])
  return { plain, node }
}

const last = 'GET /get HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n'
const post = (body: string, headers = '', target = '/echo/1') =>
  `POST ${target} HTTP/1.1\r\nHost: maru\r\nContent-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`

describe('the same answers from both', () => {
  test.each<[string, string]>([
    ['one request', post('{"a":1}')],
    ['three at once', post('{"a":1}') + post('{"a":[2]}', 'X-Request-Id: mine\r\n') + post('{"a":"\u00e9"}')],
    ['a request hidden in a body', post(post('{"a":1}'))],
    [
      'plain, then chunked, then plain',
      `${post('{}')}POST /echo/2 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n${post('{"a":3}')}`,
    ],
    [
      'Content-Length and Transfer-Encoding',
      'POST /echo/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a body where none belongs', 'GET /get HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}'],
    ['a body shorter than announced', post('{"a":1}').replace('Content-Length: 7', 'Content-Length: 5')],
    ['no path', 'GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['no such method', 'DELETE /get HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a page of Fastify alone', 'GET /page/ HTTP/1.1\r\nHost: a\r\n\r\nPUT /page HTTP/1.1\r\nHost: a\r\n\r\n'],
    [
      'queries',
      post('{}', '', '/echo/%2F?n=3&list=a+b') +
        post('{}', '', '/echo/1?n=x') +
        post('{}', '', '/echo/1?n=1&n=2') +
        post('{}', '', '/echo/%zz'),
    ],
    [
      'types',
      post('{}').replace('application/json', 'text/plain') +
        post('{}', 'Content-Encoding: gzip\r\n') +
        post('{"a"').replace('Content-Type: application/json\r\n', ''),
    ],
    ['no body', post('')],
    ['an event stream', post('{}', 'Accept: text/event-stream\r\n')],
    ['no authority', 'GET /get HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a.b.c\r\n\r\n'],
    ['authority', `GET /get HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${issuer.sign()}\r\n\r\n`.repeat(2)],
    ['too large', post(`{"a":"${'x'.repeat(70_000)}"}`)],
    ['large', post(`{"a":"${'x'.repeat(60_000)}"}`)],
    ['prototype', post('{"__proto__":{"x":1}}') + post('{"a":{"constructor":{"prototype":{}}}}') + post('{"a":"\\u0000"}')],
    ['one head again and again', [1, 2, 3, 4, 5, 6].map((a) => post(`{"a":${a}}`)).join('')],
    [
      'heads that alternate, and differ in one byte',
      ['1', '2', '1', '3', '1', '2', '3', '3', '2'].map((id) => post(`{"a":${id}}`, `X-Request-Id: ${id}\r\n`)).join(''),
    ],
    ['one head again, with a body that is short', post('{"a":1}').repeat(3) + post('{"a":1}').slice(0, -1) + post('{"a":2}')],
    ['one head again, and then more of it', post('{}').repeat(3) + post('{}', 'Content-Length: 2\r\n') + post('{}')],
    [
      'many heads, each said once, and then one again and again',
      Array.from({ length: 24 }, (_, at) => post('{}', `X-Request-Id: ${at}\r\n`)).join('') + post('{}').repeat(4),
    ],
    ['a long target', post('{}', '', `/echo/1?list=${'x'.repeat(9_000)}`) + post('{}', '', `/echo/${'x'.repeat(300)}`)],
  ])('%s', async (_name, text) => {
    const { plain, node } = await askBoth([text + last])
    expectAlike(plain, node)
    expect(node[0]).toMatch(/^HTTP\/1\.1 \d{3} /)
  })

  test('a body that never comes is 408 from both', async () => {
    const { plain, node } = await askBoth([post('{"a":1}').slice(0, -3)])
    for (const [answer] of [plain, node]) expect(answer).toMatch(/^HTTP\/1\.1 408 [^]*request_timeout/)
  })

  test('a connection on which nothing is asked is ended by both', async () => {
    const { plain, node } = await askBoth([])
    for (const [answer] of [plain, node]) expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  })

  const requests = [
    post('{"a":1}'),
    post('{"a":2}'),
    post('{}', 'X-Request-Id: r1\r\nAccept: */*\r\n', '/echo/2?n=4'),
    'GET /get HTTP/1.1\r\nHost: a\r\n\r\n',
    post(''),
  ]

  test('requests with anything put into them, cut anywhere', async () => {
    const property = fc.asyncProperty(mangled(requests, last), async (chunks) => {
      const { plain, node } = await askBoth(chunks)
      expectAlike(plain, node)
    })
    await fc.assert(property, { numRuns: fuzzRuns })
    // Not all of it may have gone to Node's parser.
    expect(sides.get('plain')!.read.plain).toBeGreaterThan(0)
    expect(sides.get('node')!.read.plain).toBe(0)
  }, 60_000)
})
