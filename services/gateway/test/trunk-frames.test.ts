import fc from 'fast-check'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { createHttpService, frameKinds, FrameReader, FrameWriter, trunkCapability, trunkProtocol } from '@maru/service-host'
import { ask } from '../../../service-host/test/support/differential.ts'
import { createIssuer } from '../../../service-host/test/support/tokens.ts'
import { Trunk } from '../proxy/trunk/trunk.ts'
import { openRig, until, type Rig, type Upstream } from './support/rig.ts'
import { api, define, get, hasTrunk, hosted } from './support/trunk.ts'

const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }

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

  test('what it sends back when it has left already goes to another instance', async () => {
    await using rig = await openRig()
    let sendBack: (() => void) | undefined
    const { upstream } = await serveBytes(rig, (id, write) => (sendBack = () => write(frameOf({ kind: frameKinds.elsewhere, id }))))
    const answered = fetch(`${rig.url}${api}/echo/a`, json)
    await until(() => sendBack !== undefined)
    await upstream.withdraw()
    await hosted(rig, define)
    sendBack!()
    expect(await (await answered).json()).toMatchObject({ what: 'a' })
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
