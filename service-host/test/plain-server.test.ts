import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { PlainServer } from '../plain-http/server.ts'

const request = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'
const lines = 'content-type: text/plain\r\n'

let server: Server
let plain: PlainServer
let served: string[] = []

/** The short path alone on a bare server; `isLast` of each answer by the path that was asked for. */
async function listen(options: { keepAliveTimeoutMs?: number } = {}): Promise<number> {
  served = []
  server = createServer((_request, response) => response.end('by Node'))
  plain = new PlainServer(server, {
    bodyMaxBytes: 1_024,
    headersTimeoutMs: 200,
    requestTimeoutMs: 200,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? 65_000,
    idleMs: 60_000,
    take(asked, connection) {
      served.push(asked.target)
      connection.answer(200, lines, asked.target, asked.target === '/last')
      return true
    },
    timedOut: () => 'HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n',
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A client that goes on after the server has ended its side, as one that means harm would. */
function open(port: number): { socket: Socket; text: () => string; closed: Promise<unknown> } {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1'))).on('error', () => undefined)
  return { socket, text: () => text, closed: new Promise((resolve) => socket.once('close', resolve)) }
}

const connectionsOf = (): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))))

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

afterEach(async () => {
  await plain.close(100)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

describe('a client that never ends its side', () => {
  test('is cut off once its connection has been idle for as long as it may', async () => {
    const port = await listen({ keepAliveTimeoutMs: 50 })
    const client = open(port)
    client.socket.write(request)
    await until(() => client.text().includes('/x'))
    // Ended alone, the connection would stay for as long as the client likes.
    await until(async () => (await connectionsOf()) === 0)
    client.socket.destroy()
    await client.closed
  })

  test('is not served a request that comes after the answer that ended the connection', async () => {
    const port = await listen()
    const client = open(port)
    client.socket.write(request.replace('/x', '/last'))
    await once(client.socket, 'end')
    expect(client.text()).toContain('connection: close')
    // One on another connection shows that the server has had time to read what came before it.
    await new Promise<void>((sent) => client.socket.write(request.replace('/x', '/after'), () => sent()))
    const other = open(port)
    other.socket.write(request.replace('/x', '/other'))
    await until(() => other.text().includes('/other'))
    await until(() => served.includes('/other'))
    expect(served).toEqual(['/last', '/other'])
    expect(client.text()).not.toContain('/after')
    for (const { socket, closed } of [client, other]) {
      socket.destroy()
      await closed
    }
  })

  test('nor one that comes after the server said the end of a connection on which nothing was asked', async () => {
    const port = await listen()
    const [idle, late] = [open(port), open(port)]
    idle.socket.write(request)
    await until(() => idle.text().includes('/x'))
    // The one has asked nothing in time and was told so; the other is ended as the server stops.
    await once(late.socket, 'end')
    expect(late.text()).toContain('408 Request Timeout')
    const closing = plain.close(60_000)
    await once(idle.socket, 'end')
    for (const { socket } of [idle, late]) await new Promise<void>((sent) => socket.write(request.replace('/x', '/after'), () => sent()))
    const other = open(port)
    other.socket.write(request.replace('/x', '/other'))
    await until(() => other.text().includes('/other'))
    expect(served).toEqual(['/x', '/other'])
    for (const { socket, closed } of [idle, late, other]) {
      socket.destroy()
      await closed
    }
    await closing
  })
})
