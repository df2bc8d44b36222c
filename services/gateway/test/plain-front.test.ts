import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, expectAlike, fuzzRuns, mangled } from '../../../service-host/test/support/differential.ts'
import { echoListener, openRig, until, type Rig } from './support/rig.ts'

/**
 * Two gateways, one with the short path and one without, are sent the same bytes. The services behind say what reached them, so the same answers mean that the same
 * requests went through, and no others.
 */
const rigs = new Map<'plain' | 'node', Rig>()
let count = 0

beforeAll(async () => {
  for (const parser of ['plain', 'node'] as const) {
    const rig = await openRig({ MARU_HTTP_PARSER: parser, MARU_GATEWAY_HEADERS_TIMEOUT_MS: '500', MARU_GATEWAY_REQUEST_TIMEOUT_MS: '500' })
    await rig.serve('trading', (request, response) => {
      count += 1
      echoListener(request, response)
    })
    rigs.set(parser, rig)
  }
})
afterAll(async () => {
  for (const rig of rigs.values()) await rig[Symbol.asyncDispose]()
})

/** What differs between two gateways and two requests, and says nothing of what was read. */
function withoutVarying(answers: readonly string[]): string[] {
  return answers.map((answer) =>
    answer
      .replaceAll(/^ratelimit-(?:remaining|reset): .*\n/gm, '')
      .replaceAll(/"traceparent":"00-[0-9a-f]{32}-[0-9a-f]{16}-00"/g, '"traceparent":"made"')
      .replaceAll(/"host":"[^"]*"|"[Hh]ost","127[^"]*"/g, '')
      .replaceAll(/"(?:connection|keep-alive)":"[^"]*",?|"(?:connection|keep-alive)","[^"]*",?/g, '')
      .replaceAll(/"rawHeaders":.*?"body"/g, '"body"')
      .replace(/content-length: \d+/, ''),
  )
}

async function askBoth(chunks: readonly string[]): Promise<{ plain: string[]; node: string[] }> {
  const [plain, node] = await Promise.all([ask(rigs.get('plain')!.url, chunks), ask(rigs.get('node')!.url, chunks)])
  return { plain: withoutVarying(plain), node: withoutVarying(node) }
}

const last = 'GET /api/trading/markets HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n'
const post = (body: string, headers = '', target = '/api/trading/nowhere?x=1') =>
  `POST ${target} HTTP/1.1\r\nHost: maru\r\nContent-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`

describe('the same from both gateways', () => {
  test.each<[string, string]>([
    ['requests one after the other', post('{"a":1}') + post('') + 'GET /api/trading/markets HTTP/1.1\r\nHost: a\r\nX-Many: 1\r\n\r\n'],
    ['a request hidden in a body', post(post('{}'))],
    ['bytes beyond ASCII in a body', post('{"a":"\u00e9\u00ff"}')],
    [
      'a chunked one among plain ones',
      `${post('1')}POST /api/trading/nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n${post('2')}`,
    ],
    [
      'identities from outside',
      post('{}', 'X-User-Id: root\r\nX-Forwarded-For: 9.9.9.9\r\nX-Maru-Role: operator\r\nForwarded: for=1\r\nTraceparent: 00-1-2-01\r\n'),
    ],
    [
      'no token, a token that is none',
      'GET /api/trading/orders HTTP/1.1\r\nHost: a\r\n\r\nGET /api/trading/orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a.b.c\r\n\r\n',
    ],
    [
      'pages and paths',
      'GET /health/live HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\nPOST /docs HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
    ],
    [
      'paths that climb',
      post('{}', '', '/api/trading/../user/me') + post('{}', '', '/api/trading/%2e%2e/x') + post('{}', '', '/api/trading/a%2fb'),
    ],
    [
      'what is for the platform alone',
      'GET /api/trading/health/live HTTP/1.1\r\nHost: a\r\n\r\nGET /api/trading//metrics HTTP/1.1\r\nHost: a\r\n\r\n',
    ],
    [
      'one head again and again, and one that differs',
      post('{"a":1}') + post('{"a":2}') + post('{"a":3}') + post('{"a":4}', '', '/api/trading/nowhere?x=2') + post('{"a":5}'),
    ],
    [
      'ids and traces of its own with each',
      [1, 2, 3, 1, 2, 3]
        .map((at) => post('{}', `X-Request-Id: r${at}\r\nTraceparent: 00-${`${at}`.repeat(32)}-${`${at}`.repeat(16)}-01\r\n`))
        .join(''),
    ],
    ['too large', post('x'.repeat(70_000))],
    ['large', post('x'.repeat(65_000))],
  ])('%s', async (_name, text) => {
    const { plain, node } = await askBoth([text + last])
    expectAlike(plain, node)
    expect(node[0]).toMatch(/^HTTP\/1\.1 \d{3} /)
  })

  const requests = [
    post('{"a":1}'),
    post('{}', 'X-Request-Id: r1\r\nAccept: */*\r\n'),
    'GET /api/trading/markets HTTP/1.1\r\nHost: a\r\n\r\n',
    post(''),
  ]

  test('requests with anything put into them, cut anywhere', async () => {
    count = 0
    const property = fc.asyncProperty(mangled(requests, last), async (chunks) => {
      const { plain, node } = await askBoth(chunks)
      expectAlike(plain, node)
    })
    await fc.assert(property, { numRuns: fuzzRuns })
    expect(count).toBeGreaterThan(0)
  }, 120_000)
})

describe('the short way behind', () => {
  const get = 'GET /api/market-data/markets HTTP/1.1\r\nHost: a\r\n\r\n'
  /** A service whose answers are these bytes, one for each request, in so many pieces. */
  async function serveBytes(rig: Rig, answers: readonly string[], pieces = 1) {
    let at = 0
    return rig.serveTcp('market-data', (socket: Socket) => {
      socket.on('data', () => {
        const bytes = Buffer.from(answers[Math.min(at++, answers.length - 1)]!, 'latin1')
        const size = Math.ceil(bytes.length / pieces)
        void (async () => {
          for (let from = 0; from < bytes.length && !socket.destroyed; from += size) {
            await new Promise<void>((sent) => socket.write(bytes.subarray(from, from + size), () => sent()))
            await new Promise((resolve) => setImmediate(resolve))
          }
        })()
      })
    })
  }
  const good = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\ngood'

  test.each<[string, string, string]>([
    ['whole', good, 'good'],
    ['in chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\ngo\r\n2\r\nod\r\n0\r\n\r\n', 'good'],
    ['with header names in any case', 'HTTP/1.1 200 OK\r\nContent-LENGTH:4\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\ngood', 'good'],
    ['empty', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', ''],
  ])('an answer %s, in one piece or byte by byte', async (_name, bytes, expected) => {
    for (const pieces of [1, bytes.length]) {
      await using rig = await openRig()
      await serveBytes(rig, [bytes], pieces)
      for (let round = 0; round < 3; round += 1) {
        const answer = await fetch(`${rig.url}/api/market-data/markets`)
        expect([answer.status, await answer.text()]).toEqual([200, expected])
      }
    }
  })

  test.each<[string, string]>([
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\ngood'],
    ['a length and chunks', 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\ngood'],
    ['a coding that is none', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\ngood'],
    ['no length', 'HTTP/1.1 200 OK\r\n\r\ngood'],
    ['a length that is none', 'HTTP/1.1 200 OK\r\ncontent-length: -4\r\n\r\ngood'],
    ['a folded header', 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n x: y\r\n\r\ngood'],
    ['no status', 'HELLO\r\n\r\n'],
    ['an answer before the answer', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood'],
  ])('%s in an answer is 502, and nothing of it reaches the client', async (_name, bytes) => {
    await using rig = await openRig()
    await serveBytes(rig, [bytes])
    const [answer] = await ask(rig.url, [`${get.replace('GET', 'POST').replace('\r\n\r\n', '\r\nContent-Length: 0\r\n\r\n')}${last}`])
    expect(answer).toMatch(/^HTTP\/1\.1 502 [^]*bad_gateway/)
    expect(answer).not.toContain('good')
  })

  test('what a service says unasked, between two requests, reaches nobody', async () => {
    await using rig = await openRig()
    const sockets: Socket[] = []
    await rig.serveTcp('market-data', (socket) => {
      sockets.push(socket)
      socket.on('data', () => socket.write(good))
    })
    expect(await (await fetch(`${rig.url}/api/market-data/markets`)).text()).toBe('good')
    const closed = new Promise((resolve) => sockets[0]!.once('close', resolve))
    sockets[0]!.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil')
    await closed
    expect(await (await fetch(`${rig.url}/api/market-data/markets`)).text()).toBe('good')
    expect(sockets).toHaveLength(2)
  })

  test('a connection on which more came than was asked for is not used again', async () => {
    await using rig = await openRig()
    let opened = 0
    await rig.serveTcp('market-data', (socket) => {
      opened += 1
      socket.on('data', () => socket.write(`${good}HTTP/1.1 200 OK\r\ncontent-`))
    })
    for (let round = 1; round <= 3; round += 1) {
      expect(await (await fetch(`${rig.url}/api/market-data/markets`)).text()).toBe('good')
      expect(opened).toBe(round)
    }
  })

  test('a chunk without a size breaks the answer off', async () => {
    await using rig = await openRig()
    await serveBytes(rig, ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ngood\r\nevil\r\n'])
    const answer = await ask(rig.url, [get + last])
    expect(answer[0]).toMatch(/^HTTP\/1\.1 (?:502|200) /)
    expect(answer.join('')).not.toContain('evil')
    expect(answer.join('')).not.toMatch(/\n0\n/)
  })

  test('a connection that is left idle is closed by the service without harm to the next request', async () => {
    await using rig = await openRig()
    let open = 0
    await rig.serveTcp('market-data', (socket) => {
      open += 1
      socket.on('data', () => socket.write(good, () => socket.end()))
      socket.on('close', () => (open -= 1))
    })
    for (let round = 0; round < 5; round += 1) {
      expect((await fetch(`${rig.url}/api/market-data/markets`)).status).toBe(200)
      await until(() => open === 0)
    }
  })

  test('a client that leaves takes its request to the service with it', async () => {
    // So long that what ends the request is not its time limit.
    await using rig = await openRig({ MARU_GATEWAY_UPSTREAM_TIMEOUT_MS: '600000' })
    let closed = 0
    let asked = 0
    await rig.serveTcp('market-data', (socket) => {
      socket.on('data', () => (asked += 1)).on('close', () => (closed += 1))
    })
    const { hostname, port } = new URL(rig.url)
    const client = connect(Number(port), hostname, () => client.write(get))
    await until(() => asked === 1)
    // Not only half closed, as one does that still waits for its answer.
    client.resetAndDestroy()
    await until(() => closed === 1)
  })
})

describe('a head that is said again on one connection', () => {
  const list = (token: string) => `GET /api/trading/orders HTTP/1.1\r\nHost: maru\r\nAuthorization: Bearer ${token}\r\n\r\n`

  test('is judged anew each time: who asks too often is refused', async () => {
    await using rig = await openRig({ MARU_RATE_LIMIT_PER_SECOND: '1', MARU_RATE_LIMIT_BURST: '4' })
    let reached = 0
    await rig.serve('trading', (request, response) => {
      reached += 1
      echoListener(request, response)
    })
    const answers = await ask(rig.url, [list(rig.issuer.sign()).repeat(40), last])
    const statuses = answers.slice(0, -1).map((answer) => answer.slice(9, 12))
    const passed = statuses.filter((status) => status === '200').length
    // One more comes free each second that this takes.
    expect(statuses.slice(0, 4)).toEqual(['200', '200', '200', '200'])
    expect(statuses.filter((status) => status === '429')).toHaveLength(40 - passed)
    expect(passed).toBeLessThan(20)
    expect(reached).toBe(answers.filter((answer) => answer.startsWith('HTTP/1.1 200 ')).length)
  })

  test('goes on with an id and a trace of its own each time', async () => {
    await using rig = await openRig()
    const heard: { id: unknown; trace: unknown; deadline: unknown }[] = []
    await rig.serve('trading', (request, response) => {
      const { 'x-request-id': id, traceparent: trace, 'x-maru-deadline': deadline } = request.headers
      heard.push({ id, trace, deadline })
      echoListener(request, response)
    })
    await ask(rig.url, [post('{}').repeat(5), last])
    expect(heard).toHaveLength(6)
    expect(new Set(heard.map(({ id }) => id)).size).toBe(6)
    expect(new Set(heard.map(({ trace }) => trace)).size).toBe(6)
    for (const { id, trace, deadline } of heard) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(trace).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
      expect(deadline).toMatch(/^\d{13}$/)
    }
  })
})
