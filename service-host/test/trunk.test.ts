import { once } from 'node:events'
import { connect } from 'node:net'
import fc from 'fast-check'
import { pino } from 'pino'
import Type from 'typebox'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { endpoint, Strict } from '@maru/contracts'
import { createHttpService, type HttpService } from '../http.ts'
import { FrameWriter, type OutgoingFrame } from '../trunk/frame-writer.ts'
import { frameHeaderBytes, frameKinds, partMaxBytes, requestPlaces, trunkPath, trunkProtocol } from '../trunk/frames.ts'
import { createIssuer } from './support/tokens.ts'
import { answered, ask, elsewhere, openTrunk, type Peer } from './support/trunk-peer.ts'

/** A service of real contracts, asked on a trunk by what speaks frames and nothing else. */

const say = endpoint({
  service: 'trading',
  method: 'POST',
  path: '/say/:what',
  access: 'user',
  summary: '',
  params: Type.Object({ what: Type.String() }),
  query: Strict({ loud: Type.Optional(Type.Boolean()) }),
  body: Strict({ to: Type.String({ maxLength: 10 }) }),
  status: 201,
  reply: Type.Object({ what: Type.String(), to: Type.String(), loud: Type.Boolean(), user: Type.String() }),
})
const slow = endpoint({
  service: 'trading',
  method: 'GET',
  path: '/slow',
  access: 'public',
  summary: '',
  status: 200,
  reply: Type.Object({ at: Type.Integer() }),
})
const large = endpoint({
  service: 'trading',
  method: 'GET',
  path: '/large',
  access: 'public',
  summary: '',
  status: 200,
  reply: Type.Object({ text: Type.String() }),
})

const issuer = createIssuer()
let http: HttpService
let url: URL
/** What ends the slow answers. */
let finish: (() => void)[] = []
/** Large answers given. */
let larges = 0

beforeEach(async () => {
  finish = []
  larges = 0
  http = createHttpService({ logger: pino({ level: 'silent' }), verifier: issuer.verifier, strictReplies: true })
  http.serve(say, ({ params, query, body, identity }) => ({
    what: params.what,
    to: body.to,
    loud: query.loud === true,
    user: identity.userId,
  }))
  http.serve(slow, () => new Promise((resolve) => finish.push(() => resolve({ at: finish.length }))))
  http.serve(large, () => {
    larges += 1
    return { text: 'é'.repeat(100_000) }
  })
  http.app.get('/fastify', () => ({ by: 'Fastify' }))
  url = new URL(await http.app.listen({ host: '127.0.0.1', port: 0 }))
})
afterEach(() => http.stop(100))

const open = (): Promise<Peer> => openTrunk(url)
const json = 'content-type: application/json\r\n'
const token = () => `authorization: Bearer ${issuer.sign({ sub: 'u7' })}\r\n`
const sayHead = () => `POST /say/hello?loud=true HTTP/1.1\r\nhost: a\r\n${json}${token()}`
const slowHead = 'GET /slow HTTP/1.1\r\nhost: a\r\n'

describe('requests on a trunk', () => {
  test('are judged by their contracts, as by HTTP, and answered by their ids', async () => {
    const peer = await open()
    peer.send(
      ask(1, sayHead(), '{"to":"you"}'),
      ask(2, sayHead(), '{"to":"far too long a name"}'),
      ask(3, `POST /say/hello HTTP/1.1\r\nhost: a\r\n${json}`, '{"to":"you"}'),
      ask(4, sayHead(), '{'),
      ask(5, 'GET /nowhere HTTP/1.1\r\nhost: a\r\n'),
      ask(6, sayHead().replace('POST', 'PUT'), '{}'),
    )
    const all = await peer.next(6)
    const byId = all.sort((a, b) => a.id - b.id).map(({ place, body }) => [place, JSON.parse(body) as Record<string, unknown>] as const)
    expect(byId[0]).toEqual([201, { what: 'hello', to: 'you', loud: true, user: 'u7' }])
    expect(byId.slice(1).map(([status, { code }]) => [status, code])).toEqual([
      [400, 'invalid_request'],
      [401, 'unauthenticated'],
      [400, 'invalid_json'],
      [404, 'not_found'],
      [405, 'method_not_allowed'],
    ])
    expect(all[0]).toMatchObject({ ...answered(1), head: 'content-type: application/json; charset=utf-8\r\n' })
    expect(all[5]!.head).toContain('allow: POST')
  })

  test('a slow one holds up nobody', async () => {
    const peer = await open()
    peer.send(ask(1, slowHead), ask(2, sayHead(), '{"to":"you"}'), ask(3, slowHead), ask(4, sayHead(), '{"to":"me"}'))
    expect((await peer.next(2)).map(({ id }) => id)).toEqual([2, 4])
    finish[1]!()
    finish[0]!()
    expect((await peer.next(2)).map(({ id }) => id)).toEqual([3, 1])
  })

  test('say a head once, and what differs with each', async () => {
    const peer = await open()
    peer.send(
      { kind: frameKinds.head, place: 7, head: sayHead() },
      { kind: frameKinds.request, place: 7, id: 1, body: '{"to":"a"}', flag: true },
      {
        kind: frameKinds.request,
        place: 7,
        id: 2,
        head: 'x-request-id: mine\r\nx-maru-deadline: 1000\r\n',
        body: '{"to":"b"}',
        flag: true,
      },
      // What is kept at a place is given way to what comes later.
      { kind: frameKinds.head, place: 7, head: sayHead().replace('hello', 'bye') },
      { kind: frameKinds.request, place: 7, id: 3, body: '{"to":"c"}', flag: true },
    )
    const [first, late, third] = (await peer.next(3)).sort((a, b) => a.id - b.id)
    expect(JSON.parse(first!.body)).toMatchObject({ what: 'hello', to: 'a' })
    expect([late!.place, JSON.parse(late!.body)]).toMatchObject([504, { code: 'deadline_exceeded', request_id: 'mine' }])
    expect(JSON.parse(third!.body)).toMatchObject({ what: 'bye', to: 'c' })
  })

  test.each<[string, (id: number) => OutgoingFrame]>([
    ['a place at which no head is kept', (id) => ({ kind: frameKinds.request, place: 9, id })],
    ['a header that was said already', (id) => ({ kind: frameKinds.request, place: 1, id, head: token(), body: '{}', flag: true })],
    ['a header of the connection', (id) => ({ kind: frameKinds.request, place: 1, id, head: 'connection: close\r\n' })],
    ['a length', (id) => ({ kind: frameKinds.request, place: 1, id, head: 'content-length: 2\r\n', body: '{}', flag: true })],
    ['a coding', (id) => ({ kind: frameKinds.request, place: 1, id, head: 'transfer-encoding: chunked\r\n' })],
    ['a line that is none', (id) => ({ kind: frameKinds.request, place: 1, id, head: 'x-a : b\r\n' })],
    ['a line without its end', (id) => ({ kind: frameKinds.request, place: 1, id, head: 'x-a: b\n' })],
    ['a head with a length', (id) => ask(id, `${sayHead()}content-length: 2\r\n`, '{}')],
    ['no host', (id) => ask(id, 'GET /slow HTTP/1.1\r\n')],
    ['a target that is no path', (id) => ask(id, 'GET http://a/slow HTTP/1.1\r\nhost: a\r\n')],
    ['what Fastify serves alone', (id) => ask(id, 'GET /fastify HTTP/1.1\r\nhost: a\r\n')],
    ['an event stream', (id) => ask(id, `${slowHead}accept: text/event-stream\r\n`)],
    ['a body where none is expected', (id) => ask(id, slowHead, '{}')],
    ['a body longer than it may be', (id) => ask(id, sayHead(), 'x'.repeat(65_537))],
  ])('%s: nothing is done, and it is to be asked by HTTP', async (_name, frame) => {
    const peer = await open()
    peer.send({ kind: frameKinds.head, place: 1, head: sayHead() }, frame(5), ask(6, sayHead(), '{"to":"you"}'))
    expect(await peer.next(2)).toEqual([elsewhere(5), expect.objectContaining(answered(6))])
    expect(finish).toHaveLength(0)
  })

  test('frames that are cut anywhere are read as whole ones', async () => {
    const head = sayHead()
    const bytes: Buffer[] = []
    const writer = new FrameWriter({ write: (chunk: Buffer) => bytes.push(Buffer.from(chunk)), writableLength: 0 } as never)
    const bodies = ['{"to":"a"}', '{"to":"é"}', '{"to":"ccc"}']
    writer.add({ kind: frameKinds.head, place: 3, head })
    for (const [at, body] of bodies.entries())
      writer.add({ kind: frameKinds.request, place: 3, id: at + 1, head: `x-request-id: r${at}\r\n`, body, flag: true })
    await new Promise((resolve) => setImmediate(resolve))
    const whole = Buffer.concat(bytes)
    const property = fc.asyncProperty(fc.array(fc.nat({ max: whole.length }), { maxLength: 8 }), async (cuts) => {
      const peer = await open()
      const at = [0, ...cuts.sort((a, b) => a - b), whole.length]
      for (let piece = 1; piece < at.length; piece += 1) {
        await new Promise<void>((sent) => void peer.socket.write(whole.subarray(at[piece - 1], at[piece]), () => sent()))
        await new Promise((resolve) => setImmediate(resolve))
      }
      const heard = (await peer.next(3)).sort((a, b) => a.id - b.id)
      expect(heard.map(({ body }) => (JSON.parse(body) as { to: string }).to)).toEqual(['a', 'é', 'ccc'])
      peer.socket.destroy()
    })
    await fc.assert(property, { numRuns: 40 })
  })
})

describe('answers on a trunk', () => {
  test('a long one comes in parts, each once it is asked for, and others pass it', async () => {
    const peer = await open()
    peer.send(ask(1, 'GET /large HTTP/1.1\r\nhost: a\r\n'), ask(2, sayHead(), '{"to":"you"}'))
    const [first, other] = (await peer.next(2)).sort((a, b) => a.id - b.id)
    expect(other).toMatchObject(answered(2))
    expect(first).toMatchObject({ kind: frameKinds.answer, flag: true, place: 200 })
    const total = first!.totalBytes
    const sizes = [partMaxBytes]
    while (sizes.reduce((sum, size) => sum + size, 0) < total) {
      expect(peer.heard).toHaveLength(1 + sizes.length)
      peer.send({ kind: frameKinds.more, id: 1 })
      const [part] = await peer.next(1)
      sizes.push(Math.min(partMaxBytes, total - sizes.length * partMaxBytes))
      expect([part!.kind, part!.id, part!.flag]).toEqual([frameKinds.part, 1, sizes.reduce((sum, size) => sum + size, 0) < total])
    }
    expect(total).toBe(200_000 + '{"text":""}'.length)
  })

  test('one that nobody waits for any more is not sent', async () => {
    const peer = await open()
    peer.send(ask(1, slowHead), ask(2, slowHead), ask(3, 'GET /large HTTP/1.1\r\nhost: a\r\n'))
    expect(await peer.next(1)).toMatchObject([{ id: 3, flag: true }])
    peer.send({ kind: frameKinds.cancel, id: 1 }, { kind: frameKinds.cancel, id: 3 }, { kind: frameKinds.more, id: 3 })
    // Its place may be another's at once.
    peer.send(ask(1 + requestPlaces, sayHead(), '{"to":"you"}'))
    expect(await peer.next(1)).toMatchObject([{ id: 1 + requestPlaces }])
    for (const end of finish) end()
    expect(await peer.next(1)).toMatchObject([{ id: 2 }])
    expect(peer.heard).toHaveLength(3)
  })

  test('who ends its side is answered what it asked, but for parts it cannot ask for, and the trunk is over then', async () => {
    const peer = await open()
    peer.send(ask(1, slowHead), ask(2, 'GET /large HTTP/1.1\r\nhost: a\r\n'))
    await peer.next(1)
    peer.socket.end()
    await new Promise((resolve) => setImmediate(resolve))
    finish[0]!()
    expect(await peer.next(1)).toMatchObject([answered(1)])
    await peer.closed
  })

  test('an id that is said again has no answer to what was cancelled under it', async () => {
    const peer = await open()
    peer.send(ask(1, slowHead), { kind: frameKinds.cancel, id: 1 }, ask(1, slowHead))
    while (finish.length < 2) await new Promise((resolve) => setImmediate(resolve))
    finish[0]!()
    peer.send(ask(2, sayHead(), '{"to":"you"}'))
    expect(await peer.next(1)).toMatchObject([{ id: 2 }])
    finish[1]!()
    expect(await peer.next(1)).toMatchObject([{ id: 1 }])
    expect(peer.heard).toHaveLength(2)
  })

  test('nothing more is read from a gateway that takes nothing', async () => {
    const peer = await open()
    peer.socket.pause()
    const count = 2_000
    const head = `GET /large HTTP/1.1\r\nhost: a\r\nx-filler: ${'x'.repeat(2_000)}\r\n`
    for (let id = 1; id <= count; id += 1) peer.send(ask(id, head), { kind: frameKinds.cancel, id })
    for (let before = -1; before < larges;) {
      before = larges
      for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    }
    // What the kernel holds for both sides is some megabytes, of 64 KB each.
    expect(larges).toBeLessThan(count / 2)
    peer.socket.resume()
    while (larges < count) await once(peer.socket, 'data')
  })

  test('a service that stops says so, and answers what was asked before that was heard', async () => {
    const peer = await open()
    peer.send(ask(1, slowHead))
    while (finish.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const stopped = http.stop(5_000)
    expect(await peer.next(1)).toMatchObject([{ kind: frameKinds.leaving }])
    peer.send(ask(2, slowHead))
    while (finish.length < 2) await new Promise((resolve) => setImmediate(resolve))
    for (const end of finish) end()
    expect((await peer.next(2)).map(({ id }) => id)).toEqual([1, 2])
    peer.socket.end()
    await stopped
    await peer.closed
  })
})

describe('what is no frame', () => {
  const frame = (fields: { length?: number; kind?: number; headBytes?: number; place?: number; id?: number }) => {
    const bytes = Buffer.alloc(frameHeaderBytes)
    bytes.writeUInt32LE(fields.length ?? frameHeaderBytes, 0)
    bytes[4] = fields.kind ?? frameKinds.request
    bytes.writeUInt16LE(fields.place ?? 0, 6)
    bytes.writeUInt32LE(fields.id ?? 1, 8)
    bytes.writeUInt32LE(fields.headBytes ?? 0, 12)
    return bytes
  }

  test.each<[string, Buffer]>([
    ['longer than any', frame({ length: 2 ** 31 })],
    ['shorter than its own head', frame({ length: 3 })],
    ['a head beyond its end', frame({ headBytes: 1 })],
    ['a kind that is none', frame({ kind: 99 })],
    ['a kind of the other side', frame({ kind: frameKinds.answer })],
    ['a head at no place', frame({ kind: frameKinds.head, place: 0 })],
    ['a head beyond all places', frame({ kind: frameKinds.head, place: 60_000 })],
    ['HTTP', Buffer.from('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')],
  ])('%s ends the trunk, and nothing else', async (_name, bytes) => {
    const [peer, other] = [await open(), await open()]
    peer.socket.write(bytes)
    await peer.closed
    other.send(ask(1, sayHead(), '{"to":"you"}'))
    expect(await other.next(1)).toMatchObject([{ place: 201 }])
  })

  test('a second request at a place whose first is under way ends the trunk', async () => {
    const peer = await open()
    peer.send(ask(1, slowHead), ask(1 + requestPlaces, slowHead))
    await peer.closed
    for (const end of finish) end()
  })

  test('anything at all is answered by what can be, or ends the trunk; the service goes on', async () => {
    const frames = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
        fc
          .record({
            kind: fc.constantFrom(1, 2, 2, 2, 3, 4, 5, 9),
            place: fc.nat({ max: 4 }),
            id: fc.nat({ max: 6 }),
            text: fc.constantFrom('', sayHead(), slowHead, 'GET /large HTTP/1.1\r\nhost: a\r\n', 'x-a: b\r\n', '\0\r\n', 'host: b\r\n'),
            body: fc.string({ maxLength: 20 }),
          })
          .map(({ kind, place, id, text, body }) => {
            const header = frame({
              kind,
              place,
              id,
              headBytes: text.length,
              length: frameHeaderBytes + text.length + Buffer.byteLength(body),
            })
            return Buffer.concat([header, Buffer.from(text, 'latin1'), Buffer.from(body)])
          }),
      ),
      { maxLength: 12 },
    )
    const property = fc.asyncProperty(frames, async (pieces) => {
      const peer = await open()
      for (const piece of pieces) if (!peer.socket.destroyed) peer.socket.write(piece)
      peer.socket.end()
      for (const end of finish.splice(0)) end()
      const other = await open()
      other.send(ask(1, sayHead(), '{"to":"you"}'))
      expect(await other.next(1)).toMatchObject([{ place: 201 }])
      for (const { kind, place } of peer.heard) if (kind === frameKinds.answer) expect([200, 201, 400, 401, 404, 405, 415]).toContain(place)
      peer.socket.destroy()
      other.socket.destroy()
    })
    await fc.assert(property, { numRuns: 60 })
  })
})

test('a service that reads by Node alone has no trunks, and says so', async () => {
  const node = createHttpService({ logger: pino({ level: 'silent' }), verifier: issuer.verifier, parser: 'node' })
  expect(node.capabilities()).toEqual(['http'])
  expect(http.capabilities()).toEqual(['http', 'trunk:1'])
  const { hostname, port } = new URL(await node.app.listen({ host: '127.0.0.1', port: 0 }))
  const socket = connect({ host: hostname, port: Number(port) })
  socket.write(`GET ${trunkPath} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${trunkProtocol}\r\n\r\n`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 404 /)
  socket.destroy()
  await node.stop(100)
})
