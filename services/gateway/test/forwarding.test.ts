import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { sendRaw } from '../../../service-host/test/support/raw.ts'
import { echoListener, openRig, until, type Echoed, type Rig } from './support/rig.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe.each(['plain', 'node'] as const)('a gateway whose requests are read by the parser %s', (parser) => {
  const openHere = (environment: Record<string, string> = {}) => openRig({ MARU_HTTP_PARSER: parser, ...environment })
  let rig: Rig
  beforeEach(async () => {
    rig = await openHere()
  })
  afterEach(() => rig[Symbol.asyncDispose]())

  async function echoed(path: string, init: RequestInit = {}): Promise<Echoed> {
    const answer = await fetch(rig.url + path, init)
    expect(answer.status).toBe(200)
    return (await answer.json()) as Echoed
  }

  describe('what goes through', () => {
    test('method, path, query, body and headers; an encoded slash stays encoded', async () => {
      await rig.serve('trading', echoListener)
      expect(
        await echoed('/api/trading/x/BTC%2FUSDT?a=1&b=%20', {
          method: 'PUT',
          body: '{"a":1}',
          headers: { 'content-type': 'application/json', 'x-mine': 'yes', traceparent },
        }),
      ).toMatchObject({
        method: 'PUT',
        url: '/x/BTC%2FUSDT?a=1&b=%20',
        body: '{"a":1}',
        headers: {
          'content-type': 'application/json',
          'content-length': '7',
          'x-mine': 'yes',
          traceparent,
          'x-forwarded-for': '127.0.0.1',
        },
      })
      expect((await echoed('/api/trading')).url).toBe('/')
      expect((await echoed('/api/trading/x', { method: 'DELETE' })).method).toBe('DELETE')
    })

    test('headers of one hop and identities from outside do not', async () => {
      await rig.serve('trading', echoListener)
      const head = [
        'GET /api/trading/x HTTP/1.1',
        'Host: maru',
        'Connection: close, X-Secret',
        'X-Secret: 1',
        'TE: trailers',
        'Proxy-Authorization: x',
        'X-User-Id: someone',
        'X-Maru-Role: operator',
        'X-Forwarded-For: 1.2.3.4',
        'Forwarded: for=1.2.3.4',
        'X-Real-Ip: 1.2.3.4',
      ]
      const { body } = await sendRaw(rig.url, `${head.join('\r\n')}\r\n\r\n`)
      const { headers } = JSON.parse(body) as Echoed
      for (const name of ['x-secret', 'te', 'proxy-authorization', 'x-user-id', 'x-maru-role', 'forwarded', 'x-real-ip'])
        expect(headers).not.toHaveProperty(name)
      expect(headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'maru' })
    })

    test('status, headers and cookies of the answer, without those of the hop', async () => {
      await rig.serve('trading', (_request, response) => {
        response
          .writeHead(418, {
            'set-cookie': ['a=1', 'b=2'],
            'x-own': 'v',
            'proxy-authenticate': 'x',
            connection: 'close, x-hop',
            'x-hop': '1',
          })
          .end('teapot')
      })
      const answer = await fetch(`${rig.url}/api/trading/x`, { headers: { 'x-request-id': 'r-1' } })
      expect(answer.status).toBe(418)
      expect(await answer.text()).toBe('teapot')
      expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
      expect(answer.headers.get('x-own')).toBe('v')
      expect(answer.headers.get('x-request-id')).toBe('r-1')
      for (const name of ['proxy-authenticate', 'x-hop']) expect(answer.headers.has(name)).toBe(false)
      for (const name of ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'x-content-type-options'])
        expect(answer.headers.has(name)).toBe(true)
    })

    test('HEAD, 204, 304, and a large answer', async () => {
      const large = 'x'.repeat(5_000_000)
      await rig.serve('trading', (request, response) => {
        if (request.url === '/204') response.writeHead(204).end()
        else if (request.url === '/304') response.writeHead(304, { etag: '"1"' }).end()
        else response.writeHead(200, { 'content-length': large.length }).end(request.method === 'HEAD' ? undefined : large)
      })
      expect((await fetch(`${rig.url}/api/trading/204`)).status).toBe(204)
      expect((await fetch(`${rig.url}/api/trading/304`)).headers.get('etag')).toBe('"1"')
      const head = await fetch(`${rig.url}/api/trading/big`, { method: 'HEAD' })
      expect([head.status, head.headers.get('content-length')]).toEqual([200, '5000000'])
      expect((await (await fetch(`${rig.url}/api/trading/big`)).text()).length).toBe(5_000_000)
    })

    test('every byte of a binary answer and of text beyond ASCII', async () => {
      const bytes = Buffer.concat([Buffer.from('마루 €'), Buffer.from(Array.from({ length: 256 }, (_, index) => index))])
      await rig.serve('trading', (_request, response) => {
        response.writeHead(200, { 'content-length': bytes.length, 'x-name': 'caf\u00e9' }).end(bytes)
      })
      const answer = await fetch(`${rig.url}/api/trading/x`)
      expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true)
      expect(answer.headers.get('x-name')).toBe('caf\u00e9')
    })

    test('an event stream arrives event by event, and the service hears when the client leaves', async () => {
      let send: (text: string) => void = () => undefined
      let left = false
      await rig.serve('trading', (request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.flushHeaders()
        send = (text) => response.write(text)
        request.on('close', () => (left = true))
      })
      const leaving = new AbortController()
      const answer = await fetch(`${rig.url}/api/trading/x`, { headers: { accept: 'text/event-stream' }, signal: leaving.signal })
      const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
      for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
        send(event)
        expect(Buffer.from((await reader.read()).value as Uint8Array).toString()).toBe(event)
      }
      leaving.abort()
      await until(() => left)
    })

    test('a client that does not read holds up its own answer, within bounded memory', async () => {
      let written = 0
      await rig.serve('trading', (_request, response) => {
        const chunk = Buffer.alloc(65_536)
        response.writeHead(200)
        const fill = () => {
          for (let more = true; more && written < 500_000_000; written += chunk.length) more = response.write(chunk)
        }
        response.on('drain', fill)
        fill()
      })
      const request = get(`${rig.url}/api/trading/x`)
      const [answer] = (await once(request, 'response')) as [IncomingMessage]
      answer.pause()
      let before = -1
      // It fills the buffers of the sockets on the way, and then stands still.
      await until(async () => {
        const still = before === written && written > 0
        before = written
        await new Promise((resolve) => setTimeout(resolve, 100))
        return still && before === written
      })
      expect(written).toBeLessThan(100_000_000)
      request.destroy()
    })

    test('a trusted proxy names the client, anybody else does not', async () => {
      await using trusting = await openHere({ MARU_TRUSTED_PROXIES: '127.0.0.0/8,10.0.0.1' })
      await trusting.serve('trading', echoListener)
      const answer = await fetch(`${trusting.url}/api/trading/x`, { headers: { 'x-forwarded-for': '6.6.6.6, 203.0.113.7, 10.0.0.1' } })
      expect(((await answer.json()) as Echoed).headers['x-forwarded-for']).toBe('203.0.113.7')
    })
  })

  describe('sockets', () => {
    async function serveSockets(): Promise<void> {
      const sockets = new WebSocketServer({ noServer: true })
      const { server } = await rig.serve('market-data', echoListener)
      server.on('upgrade', (request, socket, head) => {
        if (request.url?.startsWith('/refused')) {
          socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Type: application/problem+json\r\nContent-Length: 2\r\n\r\n{}')
          return
        }
        sockets.handleUpgrade(request, socket, head, (client) => {
          client.send(JSON.stringify({ url: request.url, headers: request.headers }))
          client.on('message', (message: Buffer) => client.send(message))
        })
      })
    }

    test('pass both ways, with path, query, token and subprotocol', async () => {
      await serveSockets()
      const socket = new WebSocket(`${rig.url.replace('http', 'ws')}/api/market-data/ws/prices/BTC%2FUSDT?token=t`, ['bearer', 'abc'], {
        headers: { 'x-user-id': 'someone' },
      })
      const [first] = (await once(socket, 'message')) as [Buffer]
      const seen = JSON.parse(first.toString()) as Echoed
      expect(seen).toMatchObject({
        url: '/ws/prices/BTC%2FUSDT?token=t',
        headers: { 'sec-websocket-protocol': 'bearer,abc', 'x-forwarded-for': '127.0.0.1' },
      })
      expect(seen.headers).not.toHaveProperty('x-user-id')
      const large = Buffer.alloc(3_000_000, 1)
      socket.send(large)
      expect(((await once(socket, 'message'))[0] as Buffer).equals(large)).toBe(true)
      socket.close(1000)
      expect((await once(socket, 'close'))[0]).toBe(1000)
    })

    test('a refusal of the service reaches the client, and nothing after it goes through', async () => {
      await serveSockets()
      const upgrade =
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
      const { status, body } = await sendRaw(
        rig.url,
        `GET /api/market-data/refused HTTP/1.1\r\nHost: x\r\n${upgrade}GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n`,
      )
      expect({ status, body }).toEqual({ status: 401, body: '{}' })
    })

    test('a page of a foreign origin may not open one; its own may', async () => {
      await serveSockets()
      const target = `${rig.url.replace('http', 'ws')}/api/market-data/ws`
      const foreign = new WebSocket(target, { origin: 'https://evil.example' })
      const [, answer] = (await once(foreign, 'unexpected-response')) as [unknown, IncomingMessage]
      expect(answer.statusCode).toBe(403)
      const own = new WebSocket(target, { origin: rig.url })
      await once(own, 'message')
      own.terminate()
    })

    test('no service, no path, and other protocols', async () => {
      const refused = async (path: string) => {
        const socket = new WebSocket(rig.url.replace('http', 'ws') + path)
        const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
        return answer.statusCode
      }
      expect(await refused('/api/market-data/ws')).toBe(503)
      expect(await refused('/ws')).toBe(404)
      expect(await refused('/api/market-data/health')).toBe(404)
      await rig.serve('trading', echoListener)
      // A client that offers HTTP/2 in the clear is served as if it had not.
      const { status } = await sendRaw(
        rig.url,
        'GET /api/trading/x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n',
        '}',
      )
      expect(status).toBe(200)
    })

    test('the client hears when the instance dies', async () => {
      const upstream = await rig.serve('market-data', echoListener)
      const sockets = new WebSocketServer({ noServer: true })
      upstream.server.on('upgrade', (request, socket, head) => sockets.handleUpgrade(request, socket, head, (client) => client.send('hi')))
      const socket = new WebSocket(`${rig.url.replace('http', 'ws')}/api/market-data/ws`)
      await once(socket, 'message')
      const closed = once(socket, 'close')
      await upstream.crash()
      expect((await closed)[0]).toBe(1013)
    })
  })
})
