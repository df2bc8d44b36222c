import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { openRig, until, type Rig } from './support/rig.ts'

/** What a connection hears before it ends or, where it is let in, the first answer. */
async function open(rig: Rig, localAddress = '127.0.0.1'): Promise<{ socket: Socket; isLetIn: boolean }> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(rig.url).port), localAddress })
  socket.on('error', () => undefined)
  socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
  const isLetIn = await new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true)).once('close', () => resolve(false))
  })
  return { socket, isLetIn }
}

const bound = 20

test.each(['plain', 'node'])('one address has so many connections and no more; others are not touched (parser %s)', async (parser) => {
  await using rig = await openRig({
    MARU_HTTP_PARSER: parser,
    MARU_GATEWAY_CONNECTIONS_PER_ADDRESS: String(bound),
    // Not this machine, as it is otherwise.
    MARU_GATEWAY_CONNECTIONS_UNLIMITED: '192.0.2.0/24',
  })
  const first = await Promise.all(Array.from({ length: bound }, () => open(rig)))
  expect(first.map(({ isLetIn }) => isLetIn)).toEqual(Array<boolean>(bound).fill(true))
  for (let count = 0; count < 3; count += 1) expect((await open(rig)).isLetIn).toBe(false)
  const metrics = await (await fetch(`${rig.gateway.metricsUrl}/metrics`)).text()
  expect(metrics).toContain('maru_gateway_connections_refused_total{reason="address"} 3')
  // Another address of this machine, where it has more than one.
  if (process.platform === 'linux') {
    const other = await open(rig, '127.0.0.2')
    expect(other.isLetIn).toBe(true)
    other.socket.destroy()
  }
  // Whoever leaves makes room.
  first[0]!.socket.destroy()
  await until(async () => {
    const next = await open(rig)
    if (next.isLetIn) first[0] = next
    return next.isLetIn
  })
  expect((await open(rig)).isLetIn).toBe(false)
  for (const { socket } of first) socket.destroy()
})

test('trusted proxies, and this machine where nothing else is said, have as many as there is room for', async () => {
  for (const environment of [{ MARU_GATEWAY_CONNECTIONS_UNLIMITED: '192.0.2.1', MARU_TRUSTED_PROXIES: '127.0.0.0/8' }, {}]) {
    await using rig = await openRig({ ...environment, MARU_GATEWAY_CONNECTIONS_PER_ADDRESS: '2' })
    const opened = await Promise.all(Array.from({ length: 10 }, () => open(rig)))
    expect(opened.every(({ isLetIn }) => isLetIn)).toBe(true)
    for (const { socket } of opened) socket.destroy()
  }
})
