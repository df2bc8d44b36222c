import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createHttpService } from '@maru/service-host'
import { openRig, until, type Rig, type Upstream } from './support/rig.ts'

/** What clients of sockets and event streams hear when a gateway, or a service behind it, ends. */

interface Service extends Upstream {
  readonly clients: Set<WebSocket>
  readonly transports: Set<Duplex>
}

/** A service whose sockets know nothing of gateways that go away. */
async function serveSockets(rig: Rig): Promise<Service> {
  const server = new WebSocketServer({ noServer: true })
  const transports = new Set<Duplex>()
  const upstream = await rig.serve('market-data', (_request, response) => void response.end())
  upstream.server.on('upgrade', (request, socket: Duplex, head) => {
    transports.add(socket)
    server.handleUpgrade(request, socket, head, (client) => client.on('error', () => undefined))
  })
  return { ...upstream, clients: server.clients, transports }
}

async function open(rig: Rig): Promise<{ socket: WebSocket; messages: string[]; closed: Promise<[number, string]> }> {
  const socket = new WebSocket(`${rig.url.replace('http', 'ws')}/api/market-data/ws`)
  const messages: string[] = []
  socket.on('message', (data: Buffer) => messages.push(data.toString()))
  const closed = once(socket, 'close').then(([code, reason]) => [code as number, String(reason)] as [number, string])
  socket.on('error', () => undefined)
  await once(socket, 'open')
  return { socket, messages, closed }
}

/** The head of a message of 1,000 bytes, and only ten of them. */
const halfMessage = Buffer.concat([Buffer.of(0x82, 126, 0x03, 0xe8), Buffer.alloc(10)])

test('an instance that dies: the gateway says 1013 after all that came from it, but in the middle of a message it can only cut', async () => {
  await using rig = await openRig()
  const service = await serveSockets(rig)
  const whole = await open(rig)
  const half = connect({ host: '127.0.0.1', port: Number(new URL(rig.url).port) })
  let heard = Buffer.alloc(0)
  half.on('data', (chunk: Buffer) => (heard = Buffer.concat([heard, chunk])))
  half.write(
    'GET /api/market-data/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  )
  await until(() => service.clients.size === 2)
  for (const client of service.clients) client.send('the last')
  const [, transport] = service.transports
  transport!.write(halfMessage)
  await until(() => whole.messages.length === 1 && heard.subarray(-halfMessage.length).equals(halfMessage))
  const ended = once(half, 'close')
  await service.crash()
  expect(await whole.closed).toEqual([1013, 'the service ended: connect again'])
  await ended
  expect(heard.subarray(-halfMessage.length).equals(halfMessage)).toBe(true)
  await until(() => rig.gateway.work().streams === 0)
})

test('a close frame of the service is the last that its client hears, with its code and reason', async () => {
  await using rig = await openRig()
  const service = await serveSockets(rig)
  const { closed } = await open(rig)
  await until(() => service.clients.size === 1)
  for (const client of service.clients) client.close(4_321, 'of its own')
  expect(await closed).toEqual([4_321, 'of its own'])
})

test('a gateway that stops has services answer and close; where one does not it says 1001 itself, and event streams end whole', async () => {
  await using rig = await openRig()
  const stubborn = await serveSockets(rig)
  const left = await open(rig)
  await until(() => stubborn.clients.size === 1)
  const http = createHttpService({ logger: pino({ level: 'silent' }), verifier: rig.issuer.verifier })
  const asked = Promise.withResolvers<void>()
  let agree: () => void = () => undefined
  const taken: string[] = []
  let transport: Socket | undefined
  http.socket('/ws', { access: 'public' }, (socket, { onLeaving, transport: own }) => {
    transport = own as Socket
    socket.on('message', (data: Buffer) => taken.push(data.toString()))
    onLeaving(async () => {
      asked.resolve()
      await new Promise<void>((resolve) => (agree = resolve))
      socket.send('the answer')
    })
  })
  http.app.get('/events', (_request, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).write('id: 7\ndata: {}\n\n')
  })
  await rig.announce('trading', await http.app.listen({ host: '127.0.0.1', port: 0 }))
  const trading = `${rig.url}/api/trading`
  const events = await fetch(`${trading}/events`, { headers: { accept: 'text/event-stream' } })
  const text = events.text()
  const answered = new WebSocket(`${trading.replace('http', 'ws')}/ws`)
  await once(answered, 'open')
  const messages: string[] = []
  answered.on('message', (data: Buffer) => messages.push(data.toString()))
  const closed = once(answered, 'close')
  // Half a message of the client: the gateway has to wait for the rest before it can say something to the service.
  const { _socket: client } = answered as unknown as { _socket: Duplex }
  const message = Buffer.concat([Buffer.of(0x81, 0x84, 0, 0, 0, 0), Buffer.from('half')])
  const before = transport!.bytesRead
  client.write(message.subarray(0, 8))
  await until(() => transport!.bytesRead === before + 8 && rig.gateway.work().streams === 3)

  const stopped = rig.gateway.stop()
  client.write(message.subarray(8))
  await asked.promise
  expect(messages).toEqual([])
  agree()
  expect((await closed).map(String)).toEqual(['1012', 'the gateway restarts: connect again'])
  expect(taken).toEqual(['half'])
  expect(messages).toEqual(['the answer'])
  expect(await text).toBe('id: 7\ndata: {}\n\n')
  expect(await left.closed).toEqual([1001, 'the gateway is going away'])
  await stopped
  await http.stop(500)
})
