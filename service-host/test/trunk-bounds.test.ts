import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import type { PlainClient } from '../plain-http/connection.ts'
import { FrameWriter } from '../trunk/frame-writer.ts'
import { frameHeaderBytes, frameKinds, partMaxBytes, trunkPath, trunkProtocol } from '../trunk/frames.ts'
import { TrunkServer } from '../trunk/server.ts'
import { ask, elsewhere, openTrunk, type Peer } from './support/trunk-peer.ts'

let url: URL
const open = (): Promise<Peer> => openTrunk(url)
const slowHead = 'GET /slow HTTP/1.1\r\nhost: a\r\n'

/** A server of trunks alone, which answers what it is told to. */
async function serve(inFlightMax: number) {
  const clients: PlainClient[] = []
  const trunks = new TrunkServer({ bodyMaxBytes: 1_024, inFlightMax, take: (_request, client) => clients.push(client) > 0 })
  const server = createServer()
  server.on('upgrade', (request, socket, head) => void trunks.upgrade(request, socket, head))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return {
    clients,
    async [Symbol.asyncDispose]() {
      await trunks.close(100)
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('what is asked beyond so many under way, cancelled ones too, is to be asked by HTTP', async () => {
  await using server = await serve(3)
  const peer = await open()
  peer.send(ask(1, slowHead), ask(2, slowHead), { kind: frameKinds.cancel, id: 2 }, ask(3, slowHead), ask(4, slowHead))
  expect(await peer.next(1)).toEqual([elsewhere(4)])
  server.clients[1]!.answer(200, '', 'cancelled')
  peer.send(ask(5, slowHead))
  while (server.clients.length < 4) await new Promise((resolve) => setImmediate(resolve))
  for (const at of [0, 2, 3]) server.clients[at]!.answer(200, '', 'answer')
  expect((await peer.next(3)).map(({ id }) => id)).toEqual([1, 3, 5])
})

test('answers of which parts are still to come count as under way', async () => {
  await using server = await serve(2)
  const peer = await open()
  peer.send(ask(1, slowHead), ask(2, slowHead))
  while (server.clients.length < 2) await new Promise((resolve) => setImmediate(resolve))
  for (const client of server.clients) client.answer(200, '', 'x'.repeat(partMaxBytes + 1))
  await peer.next(2)
  peer.send(ask(3, slowHead))
  expect(await peer.next(1)).toEqual([elsewhere(3)])
  peer.send({ kind: frameKinds.more, id: 1 })
  expect(await peer.next(1)).toMatchObject([{ kind: frameKinds.part, id: 1, flag: false, body: 'x' }])
  peer.send(ask(4, slowHead))
  while (server.clients.length < 3) await new Promise((resolve) => setImmediate(resolve))
})

test('so many trunks are open and no more; one that is refused and resets harms nobody', async () => {
  await using _server = await serve(3)
  const faults: unknown[] = []
  const listeners = process.rawListeners('uncaughtException') as ((error: Error) => void)[]
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => faults.push(error))
  try {
    const peers: Peer[] = []
    for (let count = 0; count < 512; count += 1) peers.push(await open())
    for (let count = 0; count < 20; count += 1) {
      const socket = connect({ host: url.hostname, port: Number(url.port) })
      socket.write(`GET ${trunkPath} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${trunkProtocol}\r\n\r\n`)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 503 /)
      socket.resetAndDestroy()
      const hasty = connect({ host: url.hostname, port: Number(url.port) })
      hasty.write(`GET ${trunkPath} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${trunkProtocol}\r\n\r\n`, () =>
        hasty.resetAndDestroy(),
      )
      await once(hasty, 'close')
    }
    peers[0]!.socket.destroy()
    await peers[0]!.closed
    let isOpen = false
    while (!isOpen)
      isOpen = await open().then(
        () => true,
        () => false,
      )
    for (const { socket } of peers) socket.destroy()
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
  expect(faults).toEqual([])
})

test('frames of one turn leave in one write, and small ones that wait hold on to no more than they are', async () => {
  const written: Buffer[] = []
  const socket = { destroyed: false, writableEnded: false, writableLength: 0, write: (bytes: Buffer) => written.push(bytes) }
  let more = 3
  const writer: FrameWriter = new FrameWriter(socket as never, () => {
    writer.add({ kind: frameKinds.more, id: 9 })
    return --more > 0
  })
  writer.add({ kind: frameKinds.more, id: 1 })
  writer.add({ kind: frameKinds.more, id: 2 })
  while (more > 0) await new Promise((resolve) => setImmediate(resolve))
  expect(written.map(({ length }) => length / frameHeaderBytes)).toEqual([3, 1, 1])
  socket.writableLength = 1
  more = 1
  writer.due()
  while (more > 0) await new Promise((resolve) => setImmediate(resolve))
  expect(written.at(-1)!.buffer).not.toBe(written[0]!.buffer)
})
