import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { pino } from 'pino'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endpoint } from '@maru/contracts'
import {
  createHttpService,
  frameKinds,
  FrameReader,
  FrameWriter,
  Problem,
  trunkCapability,
  trunkPath,
  trunkProtocol,
  type HttpService,
} from '@maru/service-host'
import { ask, expectAlike, fuzzRuns, mangled } from '../../../service-host/test/support/differential.ts'
import { createIssuer } from '../../../service-host/test/support/tokens.ts'
import { Trunk } from '../proxy/trunk.ts'
import { openRig, until, type Hosted, type Rig, type Upstream } from './support/rig.ts'

const anything = Type.Record(Type.String(), Type.Unknown())
const shared = { service: 'market-data', access: 'public', summary: '', status: 200 } as const
const post = endpoint({
  ...shared,
  method: 'POST',
  path: '/echo/:what',
  params: Type.Object({ what: Type.String() }),
  body: anything,
  reply: anything,
})
const get = endpoint({ ...shared, method: 'GET', path: '/echo', query: Type.Object({ x: Type.Optional(Type.String()) }), reply: anything })
const mine = endpoint({ ...shared, method: 'GET', path: '/mine', access: 'user', reply: anything })
const large = endpoint({ ...shared, method: 'GET', path: '/large', reply: Type.Object({ text: Type.String() }) })
const fault = endpoint({ ...shared, method: 'GET', path: '/fault', reply: anything })

const text = 'x'.repeat(300_000)
let reached = 0

/** What is said of a request, but for what differs between HTTP and a trunk, and between two requests. */
function echoOf(call: { request: { headers: Record<string, unknown> } }): Record<string, unknown> {
  reached += 1
  const headers = Object.entries(call.request.headers).filter(
    ([name]) => !['host', 'connection', 'content-length', 'traceparent'].includes(name),
  )
  return Object.fromEntries(headers.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function define(http: HttpService): void {
  http.serve(post, (call) => ({ what: call.params.what, body: call.body, headers: echoOf(call) }))
  http.serve(get, (call) => ({ query: call.query, headers: echoOf(call) }))
  http.serve(mine, (call) => ({ user: call.identity.userId, headers: echoOf(call) }))
  http.serve(large, () => ({ text }))
  http.serve(fault, () => {
    throw new Problem('unavailable', 'Not now.', { retryAfterSeconds: 3 })
  })
  http.app.get('/fastify', () => ({ by: 'Fastify' }))
}

const api = '/api/market-data'
const isTrunk = (service: Hosted) => trunksOf(service).length > 0

/** Connections to it that carry a trunk: HTTP knows nothing of them any more. */
function trunksOf({ sockets }: Hosted): Socket[] {
  return [...sockets].filter((socket) => (socket as { parser?: unknown }).parser === null && !socket.destroyed)
}

/** Whether the gateway says that it has one. */
async function hasTrunk({ gateway }: Rig): Promise<boolean> {
  const metrics = await (await fetch(`${gateway.metricsUrl}/metrics`)).text()
  return /^maru_gateway_trunk_open\{.*market-data.*\} 1$/m.test(metrics)
}

/** A service that has a trunk with the gateway. */
async function hosted(rig: Rig, define: (http: HttpService) => void): Promise<Hosted> {
  const service = await rig.host('market-data', define)
  await until(() => isTrunk(service))
  await until(() => hasTrunk(rig))
  return service
}

describe('by a trunk and by HTTP', () => {
  const rigs = new Map<'yes' | 'no', Rig>()
  const services = new Map<'yes' | 'no', Hosted>()
  beforeAll(async () => {
    for (const trunks of ['yes', 'no'] as const) {
      const short = { MARU_GATEWAY_HEADERS_TIMEOUT_MS: '500', MARU_GATEWAY_REQUEST_TIMEOUT_MS: '500' }
      const rig = await openRig({ MARU_GATEWAY_TRUNKS: trunks, ...short })
      rigs.set(trunks, rig)
      services.set(trunks, await rig.host('market-data', define))
    }
    await until(() => isTrunk(services.get('yes')!))
  })
  afterAll(async () => {
    for (const rig of rigs.values()) await rig[Symbol.asyncDispose]()
  })

  function withoutVarying(answers: readonly string[]): string[] {
    return answers.map((answer) => answer.replaceAll(/^(?:ratelimit-(?:remaining|reset)|content-length): .*\n/gm, ''))
  }

  async function askBoth(chunks: readonly string[]): Promise<[string[], string[]]> {
    const [yes, no] = await Promise.all([ask(rigs.get('yes')!.url, chunks), ask(rigs.get('no')!.url, chunks)])
    return [withoutVarying(yes), withoutVarying(no)]
  }

  const last = `GET ${api}/echo HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n`
  const request = (method: string, target: string, headers = '') => `${method} ${api}${target} HTTP/1.1\r\nHost: maru\r\n${headers}\r\n`
  const posted = (body: string, headers = '', target = '/echo/a') =>
    request('POST', target, `Content-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n`) +
    Buffer.from(body).toString('latin1')
  const signed = () => `Authorization: Bearer ${rigs.get('yes')!.issuer.sign()}\r\n`

  test.each<[string, () => string]>([
    ['bodies', () => posted('{"a":1}') + posted('') + posted('{"é":"\u{1f600}"}') + posted('{') + posted('[1]')],
    [
      'paths and queries',
      () =>
        request('GET', '/echo?x=1%20%C3%A9') +
        posted('{}', '', '/echo/a%2Fb') +
        request('GET', '/echo?x=1&x=2') +
        request('GET', '/echo?y=1'),
    ],
    ['headers', () => posted('{}', 'X-Many: a b\tc\r\nAccept: */*\r\nX-Empty:\r\nX-Request-Id: r1\r\n')],
    [
      'identities from outside',
      () => posted('{}', 'X-User-Id: root\r\nX-Maru-Deadline: 1\r\nForwarded: for=1\r\nX-Forwarded-For: 9.9.9.9\r\n'),
    ],
    ['no token, and one that is none', () => request('GET', '/mine') + request('GET', '/mine', 'Authorization: Bearer a.b.c\r\n')],
    ['what is not there', () => request('GET', '/nowhere') + request('PUT', '/echo') + request('DELETE', '/echo/a')],
    ['what Fastify serves alone', () => request('GET', '/fastify') + request('HEAD', '/echo') + request('OPTIONS', '/echo')],
    [
      'what is for the platform alone',
      () => request('GET', '/health/live') + request('GET', '/metrics') + request('GET', '/internal/trunk'),
    ],
    ['a refusal that says when to come again', () => request('GET', '/fault').repeat(2)],
    ['an answer in parts', () => request('GET', '/large')],
    [
      'one head again and again',
      () => posted('{"a":1}') + posted('{"a":2}').repeat(3) + posted('{"a":3}', 'X-Other: 1\r\n') + posted('{"a":4}'),
    ],
    ['no time', () => request('GET', '/echo', 'X-Request-Timeout-Ms: 0\r\n') + request('GET', '/echo', 'X-Request-Timeout-Ms: x\r\n')],
    ['the longest body, and a longer one', () => posted(`{"a":"${'x'.repeat(65_528)}"}`) + posted(`{"a":"${'x'.repeat(70_000)}"}`)],
  ])('%s: the same answers', async (_name, all) => {
    const [yes, no] = await askBoth([all() + last])
    expect(yes).toEqual(no)
    expect(yes[0]).toMatch(/^HTTP\/1\.1 \d{3} /)
  })

  test('an answer is compressed all the same', async () => {
    for (const rig of rigs.values()) {
      const answer = await fetch(`${rig.url}${api}/large`, { headers: { 'accept-encoding': 'gzip' } })
      expect(answer.headers.get('content-encoding')).toBe('gzip')
      expect(await answer.json()).toEqual({ text })
    }
  })

  test('who has a token is known', async () => {
    const { url } = rigs.get('yes')!
    const [answer, other] = await ask(url, [request('GET', '/mine', signed()) + last])
    expect(answer).toContain('"user":"u1"')
    expect(answer).toContain('cache-control: no-store')
    expect(other).not.toContain('authorization')
  })

  test('anything put into requests, cut anywhere: the same answers', async () => {
    reached = 0
    const requests = [posted('{"a":1}'), posted('{}', 'X-Request-Id: r1\r\nAccept: */*\r\n'), request('GET', '/echo?x=1'), posted('')]
    const property = fc.asyncProperty(mangled(requests, last), async (chunks) => {
      const [yes, no] = await askBoth(chunks)
      expectAlike(yes, no)
    })
    await fc.assert(property, { numRuns: fuzzRuns })
    expect(reached).toBeGreaterThan(0)
    expect(isTrunk(services.get('yes')!)).toBe(true)
    expect(isTrunk(services.get('no')!)).toBe(false)
  }, 120_000)

  test.each([trunkProtocol, 'websocket'])('nobody opens one from outside (upgrade to %s)', async (protocol) => {
    const upgrade = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n`
    for (const path of [
      `${api}${trunkPath}`,
      `${api}${trunkPath}/`,
      `${api}${trunkPath}?x=1`,
      `${api}/%69nternal/trunk`,
      `${api}//internal/trunk`,
      trunkPath,
    ]) {
      const answer = await firstOf(rigs.get('yes')!.url, `GET ${path} HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`)
      expect(answer).toMatch(/^HTTP\/1\.1 404 /)
    }
    expect(trunksOf(services.get('yes')!)).toHaveLength(1)
  })
})

/** The first that comes back. */
async function firstOf(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.write(bytes)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return chunk.toString('latin1')
}

/** An endpoint whose answers the test gives. */
function held() {
  const waiting: (() => void)[] = []
  const endpointOf = (method: 'GET' | 'POST') =>
    endpoint({ ...shared, method, path: '/held', ...(method === 'POST' ? { body: anything } : {}), reply: anything })
  return {
    waiting,
    define(http: HttpService) {
      define(http)
      for (const method of ['GET', 'POST'] as const)
        http.serve(endpointOf(method), () => new Promise((resolve) => waiting.push(() => resolve({ method }))))
    },
  }
}

const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }

describe('when something fails', () => {
  test('an instance that dies: what is safe is asked of another, what is not is 502, and neither twice', async () => {
    await using rig = await openRig()
    const [a, b] = [held(), held()]
    const first = await hosted(rig, a.define)
    const safe = Promise.all(Array.from({ length: 5 }, () => fetch(`${rig.url}${api}/held`)))
    const unsafe = Promise.all(Array.from({ length: 5 }, () => fetch(`${rig.url}${api}/held`, json)))
    await until(() => a.waiting.length === 10)
    await hosted(rig, b.define)
    await first.crash()
    await until(() => b.waiting.length === 5)
    expect((await unsafe).map(({ status }) => status)).toEqual([502, 502, 502, 502, 502])
    for (const answer of b.waiting) answer()
    expect((await safe).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(b.waiting).toHaveLength(5)
  })

  test('a trunk that breaks is made anew, and what comes meanwhile goes by HTTP', async () => {
    await using rig = await openRig()
    const service = await hosted(rig, define)
    for (let round = 0; round < 3; round += 1) {
      const [trunk] = trunksOf(service)
      trunk!.destroy()
      await until(async () => !(await hasTrunk(rig)))
      const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(`${rig.url}${api}/echo`)))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
      await until(() => isTrunk(service))
    }
    expect(trunksOf(service)).toHaveLength(1)
  })

  test('no answer in time is 504; what is asked beside it is answered', async () => {
    await using rig = await openRig({ MARU_GATEWAY_UPSTREAM_TIMEOUT_MS: '300' })
    const h = held()
    const service = await hosted(rig, h.define)
    const late = fetch(`${rig.url}${api}/held`)
    let statuses: number[] = []
    await until(async () => {
      statuses.push((await fetch(`${rig.url}${api}/echo`)).status)
      return Promise.race([late.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))])
    })
    expect((await late).status).toBe(504)
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(trunksOf(service)).toHaveLength(1)
    // The answer that comes after all reaches nobody.
    for (const answer of h.waiting) answer()
    statuses = await Promise.all(Array.from({ length: 10 }, async () => (await fetch(`${rig.url}${api}/echo`)).status))
    expect(new Set(statuses)).toEqual(new Set([200]))
  })

  test('the time limit of a client is its own', async () => {
    await using rig = await openRig()
    const h = held()
    await hosted(rig, h.define)
    const answer = await fetch(`${rig.url}${api}/held`, { headers: { 'x-request-timeout-ms': '50' } })
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([504, 'gateway_timeout'])
  })

  test('an instance that stops answers what it took, is asked no more, and its trunk ends', async () => {
    await using rig = await openRig()
    const h = held()
    const service = await hosted(rig, h.define)
    const under = Promise.all(Array.from({ length: 10 }, () => fetch(`${rig.url}${api}/held`, json)))
    await until(() => h.waiting.length === 10)
    await service.withdraw()
    const stopped = service.http.stop(5_000)
    for (const answer of h.waiting) answer()
    expect((await under).map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200))
    await stopped
    expect(service.sockets.size).toBe(0)
  })

  /** A client that takes nothing of a long answer, and what has come to it once it does. */
  async function readSlowly(rig: Rig, service: Hosted) {
    const { hostname, port } = new URL(rig.url)
    const client = connect({ host: hostname, port: Number(port) })
    client.pause()
    let length = 0
    client.on('data', (chunk: Buffer) => (length += chunk.length))
    client.write(`GET ${api}/huge HTTP/1.1\r\nHost: a\r\n\r\n`)
    // Until its buffers are full nothing stops it.
    const [trunk] = trunksOf(service)
    await until(() => trunk!.bytesWritten > 1_000_000)
    for (let before = -1; trunk!.bytesWritten > before + 64 * 1_024;) {
      before = trunk!.bytesWritten
      for (let turn = 0; turn < 20; turn += 1) expect((await fetch(`${rig.url}${api}/echo`)).status).toBe(200)
    }
    return { client, trunk: trunk!, length: () => length, [Symbol.dispose]: () => void client.destroy() }
  }

  const body = 'y'.repeat(30_000_000)
  const huge = endpoint({ ...shared, method: 'GET', path: '/huge', reply: Type.Object({ body: Type.String() }) })
  const defineHuge = (http: HttpService): void => {
    define(http)
    http.serve(huge, () => ({ body }))
  }

  test('an answer in parts waits for a client that reads slowly, and no other waits with it', async () => {
    await using rig = await openRig()
    using reader = await readSlowly(rig, await hosted(rig, defineHuge))
    expect(reader.trunk.bytesWritten).toBeLessThan(20_000_000)
    reader.client.resume()
    await until(() => reader.length() > body.length)
  })

  test('an answer in parts comes whole also where its instance leaves meanwhile', async () => {
    await using rig = await openRig()
    const service = await hosted(rig, defineHuge)
    using reader = await readSlowly(rig, service)
    await service.withdraw()
    const stopped = service.http.stop(20_000)
    await until(async () => (await rig.health()).length === 0)
    reader.client.resume()
    await until(() => reader.length() > body.length)
    await stopped
    expect(service.sockets.size).toBe(0)
  })

  test('one that is asked for before its instance leaves, and begins after, comes whole', async () => {
    await using rig = await openRig()
    let give: (() => void) | undefined
    const late = endpoint({ ...shared, method: 'GET', path: '/late', reply: Type.Object({ text: Type.String() }) })
    const service = await hosted(rig, (http) => http.serve(late, () => new Promise((resolve) => (give = () => resolve({ text })))))
    const answer = fetch(`${rig.url}${api}/late`)
    await until(() => give !== undefined)
    await service.withdraw()
    const stopped = service.http.stop(20_000)
    await until(async () => (await rig.health()).length === 0)
    give!()
    expect(await (await answer).json()).toEqual({ text })
    await stopped
  })

  test('a body longer than a service takes is refused, and nobody else with it', async () => {
    await using rig = await openRig({ MARU_GATEWAY_BODY_MAX_BYTES: '1000000' })
    const h = held()
    const service = await hosted(rig, h.define)
    const others = Promise.all(Array.from({ length: 5 }, () => fetch(`${rig.url}${api}/held`, json)))
    await until(() => h.waiting.length === 5)
    const long = await fetch(`${rig.url}${api}/echo/a`, { ...json, body: JSON.stringify({ a: 'x'.repeat(200_000) }) })
    expect(long.status).toBe(413)
    for (const answer of h.waiting) answer()
    expect((await others).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(trunksOf(service)).toHaveLength(1)
  })

  test('an instance that says nothing for long is sent no more down that trunk, but what it was asked has its own time', async () => {
    await using rig = await openRig({ MARU_GATEWAY_UPSTREAM_TIMEOUT_MS: '1000' })
    const h = held()
    const service = await hosted(rig, h.define)
    const sinceMs = performance.now()
    const first = fetch(`${rig.url}${api}/held`)
    await until(() => h.waiting.length === 1)
    const [trunk] = trunksOf(service)
    // Asked when most of the time of the first is over.
    await until(() => performance.now() > sinceMs + 700)
    const second = fetch(`${rig.url}${api}/held`, json)
    expect((await first).status).toBe(504)
    h.waiting[1]!()
    expect((await second).status).toBe(200)
    await until(() => trunk!.destroyed)
    await until(() => hasTrunk(rig))
  })

  test('a client that leaves in the middle of an answer in parts leaves nothing behind', async () => {
    await using rig = await openRig()
    const service = await hosted(rig, defineHuge)
    const { hostname, port } = new URL(rig.url)
    const client = connect({ host: hostname, port: Number(port) })
    client.write(`GET ${api}/huge HTTP/1.1\r\nHost: a\r\n\r\n`)
    await once(client, 'data')
    client.resetAndDestroy()
    await until(async () => (await rig.health()).length === 1 && rig.gateway.work().inFlight === 0)
    // With nothing left to say, the trunk ends at once.
    await service.withdraw()
    const sinceMs = performance.now()
    await service.http.stop(60_000)
    expect(performance.now() - sinceMs).toBeLessThan(10_000)
  })
})

describe('an instance that speaks something else on a trunk', () => {
  /** Grants the upgrade and then says these bytes at each frame that it is asked. */
  async function serveBytes(
    rig: Rig,
    say: (id: number, write: (bytes: Buffer) => void) => void,
  ): Promise<{ opened: () => number; upstream: Upstream }> {
    let opened = 0
    const upstream = await rig.serveTcp(
      'market-data',
      (socket) => {
        let isTrunk = false
        const write = (bytes: Buffer): void => void socket.write(bytes)
        const reader = new FrameReader({ maxBytes: 2 ** 20, isLent: false })
        socket.on('data', (chunk: Buffer) => {
          if (isTrunk) {
            reader.read(chunk, ({ kind, id }) => {
              if (kind === frameKinds.request) say(id, write)
              return true
            })
          } else if (chunk.toString().includes(trunkProtocol)) {
            isTrunk = true
            opened += 1
            socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${trunkProtocol}\r\n\r\n`)
          } else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhttp')
        })
      },
      [trunkCapability],
    )
    await until(() => opened === 1)
    await until(() => hasTrunk(rig))
    return { opened: () => opened, upstream }
  }

  function frameOf(frame: Parameters<FrameWriter['add']>[0]): Buffer {
    const bytes: Buffer[] = []
    const socket = { write: (chunk: Buffer) => bytes.push(Buffer.from(chunk)), writableLength: 0, end: () => undefined }
    const writer = new FrameWriter(socket as never)
    writer.add(frame)
    writer.end()
    return Buffer.concat(bytes)
  }

  const answer = (id: number, more: object = {}) => ({
    kind: frameKinds.answer,
    id,
    place: 200,
    head: 'content-type: text/plain\r\n',
    body: 'evil',
    totalBytes: 4,
    ...more,
  })

  test.each<[string, (id: number) => Buffer]>([
    ['no frame', () => Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil')],
    ['a kind of the other side', (id) => frameOf({ kind: frameKinds.request, id })],
    ['no status', (id) => frameOf(answer(id, { place: 99 }))],
    ['another length than it says', (id) => frameOf(answer(id, { totalBytes: 5 }))],
    ['a part of what has not begun', (id) => frameOf({ kind: frameKinds.part, id, body: 'evil' })],
    [
      'more parts than it says',
      (id) =>
        Buffer.concat([
          frameOf(answer(id, { flag: true, totalBytes: 70_000 })),
          frameOf({ kind: frameKinds.part, id, flag: false, body: 'evil' }),
        ]),
    ],
  ])('%s: 502 or a broken answer, nothing of it to anybody else, and the trunk is made anew', async (_name, say) => {
    await using rig = await openRig({ MARU_CIRCUIT_FAILURES: '1000' })
    const { opened } = await serveBytes(rig, (id, write) => write(say(id)))
    const statuses = new Set<string>()
    await until(async () => {
      const [first = ''] = await ask(rig.url, [
        `POST ${api}/echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`,
        `GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      ])
      statuses.add(first.slice(9, 12))
      if (!first.startsWith('HTTP/1.1 200')) expect(first).not.toContain('evil')
      return opened() > 1
    })
    expect([...statuses].filter((status) => !['200', '502', ''].includes(status))).toEqual([])
  })

  test.each([
    ['a header that is none', 'content-type text\r\n'],
    ['a header that ends another', 'a: b\n\r\n'],
    ['a framing of its own', 'content-length: 4\r\n'],
  ])('%s: 502, and all else goes on', async (_name, head) => {
    await using rig = await openRig({ MARU_CIRCUIT_FAILURES: '1000' })
    const { opened } = await serveBytes(rig, (id, write) => write(frameOf(answer(id, { head }))))
    let status = 0
    await until(async () => {
      const reply = await fetch(`${rig.url}${api}/echo`)
      expect(await reply.text()).not.toContain('evil')
      return (status = reply.status) !== 200
    })
    expect([status === 502 || status === 503, opened()]).toEqual([true, 1])
  })

  test('after it has said that it leaves, nothing more is asked on that trunk', async () => {
    await using rig = await openRig()
    const perTrunk = new Map<unknown, number>()
    await serveBytes(rig, (id, write) => {
      perTrunk.set(write, (perTrunk.get(write) ?? 0) + 1)
      write(Buffer.concat([frameOf({ kind: frameKinds.leaving }), frameOf(answer(id, { body: 'good' }))]))
    })
    await until(async () => {
      expect(['good', 'http']).toContain(await (await fetch(`${rig.url}${api}/echo`)).text())
      return perTrunk.size === 3
    })
    expect(new Set(perTrunk.values())).toEqual(new Set([1]))
  })

  test('what it would have asked by HTTP, and cannot be reached by, goes to another instance, as nothing was sent', async () => {
    await using rig = await openRig()
    let refused = 0
    const fake = await serveBytes(rig, (id, write) => {
      refused += 1
      fake.upstream.server.close()
      write(frameOf({ kind: frameKinds.elsewhere, id }))
    })
    await hosted(rig, define)
    const statuses: number[] = []
    await until(async () => {
      statuses.push((await fetch(`${rig.url}${api}/echo/a`, json)).status)
      return refused > 0
    })
    expect(new Set(statuses)).toEqual(new Set([200]))
  })

  test('answers to what was not asked reach nobody', async () => {
    await using rig = await openRig()
    let asked = 0
    await serveBytes(rig, (id, write) => {
      asked += 1
      write(
        Buffer.concat([frameOf(answer(id + 1)), frameOf(answer(id + 4_096)), frameOf(answer(id, { body: 'good' })), frameOf(answer(id))]),
      )
    })
    await until(async () => {
      expect(['good', 'http']).toContain(await (await fetch(`${rig.url}${api}/echo`)).text())
      return asked >= 5
    })
  })
})

test('more heads than places: each request goes with its own', async () => {
  const http = createHttpService({ logger: pino({ level: 'silent' }), verifier: createIssuer().verifier })
  http.serve(get, ({ request: { headers } }) => ({ who: headers['x-who'], own: headers['x-own'] }))
  const origin = new URL(await http.app.listen({ host: '127.0.0.1', port: 0 }))
  let elsewhere = 0
  const trunk = new Trunk(origin, { connectTimeoutMs: 1_000, timeoutMs: 10_000 }, () => (elsewhere += 1))
  await until(() => trunk.isOpen)
  const heads = Array.from({ length: 5_000 }, (_, at) => ({ at }))
  const askOne = (at: number, own: number) =>
    new Promise<string>((resolve, reject) => {
      const isTaken = trunk.dispatch(
        { method: 'GET', path: '/echo', fixedHeaders: `x-who: ${at}\r\n`, headers: `x-own: ${own}\r\n`, body: null, sameHead: heads[at] },
        {
          onRequestStart: () => undefined,
          onUnsent: () => undefined,
          onHead: () => undefined,
          onResponseData: () => undefined,
          onLastData: (_controller, body) => resolve(body.toString()),
          onResponseEnd: () => undefined,
          onResponseError: (_controller, error) => reject(error),
        },
      )
      if (!isTaken) reject(new Error('the trunk takes no more'))
    })
  let own = 0
  const ats = fc.array(fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: heads.length - 1 })), { minLength: 200, maxLength: 500 })
  const property = fc.asyncProperty(ats, async (all) => {
    const asked = all.map((at) => ({ at, own: (own += 1) }))
    expect(await Promise.all(asked.map((one) => askOne(one.at, one.own)))).toEqual(
      asked.map((one) => JSON.stringify({ who: String(one.at), own: String(one.own) })),
    )
  })
  // Until most heads have been said, forgotten and said again.
  await fc.assert(property, { numRuns: 60 })
  expect(elsewhere).toBe(0)
  trunk.destroy()
  await http.stop(100)
})
