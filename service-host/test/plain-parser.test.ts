import { connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { pino } from 'pino'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endpoint, Strict } from '@maru/contracts'
import { createHttpService, type HttpService } from '../http.ts'
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

/** What came back, answer after answer, without what may differ: dates, and ids that were made up. Ends when the server closes the connection. */
function ask(url: string, chunks: readonly string[]): Promise<string[]> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    let text = ''
    socket.on('data', (data) => (text += data.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answersIn(text)))
    void (async () => {
      for (const chunk of chunks) {
        await new Promise<void>((sent) => socket.write(Buffer.from(chunk, 'latin1'), () => sent()))
        // A turn of the loop, so that it travels by itself.
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
  })
}

function answersIn(text: string): string[] {
  return text
    .replaceAll(/^date: .*\r\n/gim, '')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID')
    .split(/(?=HTTP\/1\.1 \d{3} )/)
    .map((answer) => {
      const [head = '', ...rest] = answer.split('\r\n\r\n')
      const [line, ...headers] = head.split('\r\n')
      return [line, ...headers.map((header) => header.toLowerCase()).sort(), '', ...rest].join('\n')
    })
}

async function askBoth(chunks: readonly string[]): Promise<{ plain: string[]; node: string[] }> {
  const [plain, node] = await Promise.all([ask(sides.get('plain')!.url, chunks), ask(sides.get('node')!.url, chunks)])
  return { plain, node }
}

/**
 * Node's parser ends a connection in two cases where the short path need not: after a body that is no JSON, and at bytes that are no HTTP while answers to requests before
 * them are still to come, which are lost then.
 */
function expectAlike(plain: readonly string[], node: readonly string[]): void {
  const withoutConnection = (answers: readonly string[]) =>
    answers.map((answer) => answer.replaceAll(/^(?:connection|keep-alive): .*\n/gm, ''))
  const [longer, shorter] = [withoutConnection(plain), withoutConnection(node)].sort((a, b) => b.length - a.length) as [string[], string[]]
  const count = shorter.length
  const isCutOff = longer.length > count && (shorter.at(-1) ?? '').startsWith('HTTP/1.1 400 ')
  if (!isCutOff) expect(withoutConnection(plain)).toEqual(withoutConnection(node))
  else if (!isDeepStrictEqual(longer.slice(0, count), shorter)) expect([...longer.slice(0, count - 1), longer.at(-1)]).toEqual(shorter)
}

/** What parsers have been known to read in two ways. */
const pieces = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  ':',
  '\0',
  '\x7f',
  '\u00ff',
  '0',
  '-1',
  ',',
  ';',
  '#',
  '%',
  '/',
  '..',
  'chunked',
  'close',
  'HTTP/1.1',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Host: b\r\n',
  'Connection: x-a\r\n',
  'Expect: 100-continue\r\n',
  'X-A: b\r\n c\r\n',
  '0\r\n\r\n',
  '{}',
] as const

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

  const piece = fc.constantFrom(...pieces)
  const cut = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), take: fc.nat(4), put: piece })
  const request = fc.record({ kind: fc.nat(3), edits: fc.array(cut, { maxLength: 3 }) }).map(({ kind, edits }) => {
    let text = [
      post('{"a":1}'),
      post('{}', 'X-Request-Id: r1\r\nAccept: */*\r\n', '/echo/2?n=4'),
      'GET /get HTTP/1.1\r\nHost: a\r\n\r\n',
      post(''),
    ][kind]!
    for (const { at, take, put } of edits) {
      const from = Math.floor(at * text.length)
      text = text.slice(0, from) + put + text.slice(from + take)
    }
    return text
  })

  test('requests with anything put into them, cut anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { minLength: 1, maxLength: 3 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 2 }),
        async (requests, cuts) => {
          const text = requests.join('') + last
          const places = [0, ...cuts.map((at) => Math.floor(at * text.length)).sort((a, b) => a - b), text.length]
          const chunks = places.slice(1).map((to, index) => text.slice(places[index], to))
          const { plain, node } = await askBoth(chunks.filter((chunk) => chunk !== ''))
          expectAlike(plain, node)
        },
      ),
      { numRuns: Number(process.env['MARU_FUZZ_RUNS'] ?? 300) },
    )
    // Not all of it may have gone to Node's parser.
    expect(sides.get('plain')!.read.plain).toBeGreaterThan(50)
    expect(sides.get('node')!.read.plain).toBe(0)
  }, 60_000)
})
