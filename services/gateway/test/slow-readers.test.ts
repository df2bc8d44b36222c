import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { openRig, until, type Rig } from './support/rig.ts'

const [normalCount, slowCount] = [200, 8]
const piece = Buffer.alloc(64 * 1_024)
/** Unsent at the service: more than it holds for a reader (256 KB), so it knows that this one is slow. */
const isSlowBytes = 512 * 1_024
/** Of one reader, within the gateway and the system: at most some megabytes of socket buffers on each side. */
const onTheWayMaxBytes = 64 * 1_024 * 1_024

/** A client that is upgraded and never reads again. */
async function openSlow(rig: Rig): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(rig.url).port) })
  socket.on('error', () => undefined)
  socket.write(
    'GET /api/market-data/ws?slow HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  expect(head.toString('latin1')).toMatch(/^HTTP\/1\.1 101 /)
  return socket.pause()
}

async function openNormal(rig: Rig, received: Map<WebSocket, number[]>): Promise<void> {
  const client = new WebSocket(`${rig.url.replace('http', 'ws')}/api/market-data/ws`, { perMessageDeflate: false })
  const mine: number[] = []
  received.set(client, mine)
  client.on('message', (data: Buffer) => mine.push(Number(data.toString('latin1'))))
  await once(client, 'open')
}

test(`${slowCount} sockets that do not read beside ${normalCount} that do: these get all in order, those hold a bounded amount and are cut off`, async () => {
  await using rig = await openRig({ MARU_GATEWAY_SLOW_READER_MS: '400', MARU_RATE_LIMIT_ANONYMOUS_BURST: '100000' })
  const service = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const [toNormal, toSlow] = [new Set<WebSocket>(), new Set<WebSocket>()]
  const { server } = await rig.serve('market-data', (_request, response) => void response.end('{}'))
  server.on('upgrade', (request, socket, head) =>
    service.handleUpgrade(request, socket, head, (client) => {
      const group = request.url?.endsWith('slow') ? toSlow : toNormal
      group.add(client)
      client.on('error', () => undefined).on('close', () => group.delete(client))
    }),
  )
  const handles = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
  const handlesBefore = handles()

  const received = new Map<WebSocket, number[]>()
  // Some at a time: this one process is clients, gateway and service at once, and a busy machine is no overload to be shown here.
  while (received.size < normalCount) await Promise.all(Array.from({ length: 20 }, () => openNormal(rig, received)))
  const slow = await Promise.all(Array.from({ length: slowCount }, () => openSlow(rig)))
  await until(() => toNormal.size === normalCount && toSlow.size === slowCount)
  const slowOnes = [...toSlow]
  expect(rig.gateway.work().streams).toBe(normalCount + slowCount)

  let sent = 0
  const sendToNormal = () => {
    sent += 1
    for (const client of toNormal) client.send(String(sent))
  }
  const [pushed, unsent] = [new Map<WebSocket, number>(), new Map<WebSocket, number>()]
  for (let turn = 0; slowOnes.some((client) => (unsent.get(client) ?? 0) < isSlowBytes); turn += 1) {
    if (turn % 8 === 0) sendToNormal()
    for (const client of slowOnes) {
      if ((unsent.get(client) ?? 0) >= isSlowBytes) continue
      client.send(piece)
      pushed.set(client, (pushed.get(client) ?? 0) + piece.length)
      unsent.set(client, client.bufferedAmount)
      // What the gateway holds for one that reads nothing has an end: the rest stays at the service, which then knows.
      expect(pushed.get(client)).toBeLessThan(onTheWayMaxBytes)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  // Some are given up by the service, of which the gateway hears nothing: it reads no more from it.
  for (const client of slowOnes.slice(0, slowCount / 2)) client.terminate()
  sendToNormal()

  await until(() => rig.gateway.work().streams === normalCount && toSlow.size === 0)
  sendToNormal()
  const all = Array.from({ length: sent }, (_, index) => index + 1)
  await until(() => [...received.values()].every((mine) => mine.length >= sent))
  for (const mine of received.values()) expect(mine).toEqual(all)
  const metrics = await (await fetch(`${rig.gateway.metricsUrl}/metrics`)).text()
  expect(metrics).toContain(`maru_gateway_slow_readers_total ${slowCount}`)

  // They find what had come for them, and then the end.
  await Promise.all(slow.map((socket) => once(socket.resume(), 'close')))
  for (const client of received.keys()) client.terminate()
  await until(() => rig.gateway.work().streams === 0 && toNormal.size === 0)
  await until(() => handles() <= handlesBefore + 4)
})
