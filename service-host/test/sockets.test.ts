import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createHttpService, type HttpService } from '../http.ts'
import { createIssuer } from './support/tokens.ts'
import { sendRaw } from './support/raw.ts'

const issuer = createIssuer()
let http: HttpService
let url: string

beforeEach(async () => {
  http = createHttpService({ logger: pino({ level: 'silent' }), verifier: issuer.verifier, socketsMax: 3, messageMaxBytes: 1_024 })
  http.socket('/ws/prices/:symbol', { access: 'public' }, (socket, { params, query, identity }) => {
    socket.send(JSON.stringify({ symbol: params['symbol'], depth: query.get('depth'), user: identity?.userId ?? null }))
    socket.on('message', (message: Buffer) => socket.send(message.toString()))
  })
  http.socket('/ws', { access: 'user' }, (socket, { identity, requestId }) =>
    socket.send(JSON.stringify({ user: identity?.userId, requestId })),
  )
  http.socket('/ws/admin', { access: 'operator' }, (socket) => socket.send('{}'))
  url = await http.app.listen({ host: '127.0.0.1', port: 0 })
})
afterEach(() => http.stop(500))

async function first(path: string, options: { headers?: Record<string, string>; protocols?: string[] } = {}) {
  const socket = new WebSocket(url.replace('http', 'ws') + path, options.protocols ?? [], { headers: options.headers ?? {} })
  const [message] = (await once(socket, 'message')) as [Buffer]
  return { socket, message: JSON.parse(message.toString()) as Record<string, unknown> }
}

async function refusal(path: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(url.replace('http', 'ws') + path, { headers })
  const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
  let text = ''
  for await (const chunk of answer) text += String(chunk)
  return { status: answer.statusCode, type: answer.headers['content-type'], code: (JSON.parse(text) as { code: string }).code }
}

describe('sockets of a service', () => {
  test('parameters, query and what is sent both ways', async () => {
    const { socket, message } = await first('/ws/prices/BTC%2FUSDT?depth=5')
    expect(message).toEqual({ symbol: 'BTC/USDT', depth: '5', user: null })
    socket.send('hello')
    expect(String((await once(socket, 'message'))[0])).toBe('hello')
    socket.terminate()
  })

  test('a token by header, by query, by subprotocol', async () => {
    const token = issuer.sign()
    expect((await first('/ws', { headers: { authorization: `Bearer ${token}`, 'x-request-id': 'r1' } })).message).toEqual({
      user: 'u1',
      requestId: 'r1',
    })
    expect((await first(`/ws?access_token=${token}`)).message).toMatchObject({ user: 'u1' })
    const { socket, message } = await first('/ws', { protocols: ['bearer', token] })
    expect(message).toMatchObject({ user: 'u1' })
    expect(socket.protocol).toBe('bearer')
  })

  test('refusals are problems with their status', async () => {
    const problem = { type: 'application/problem+json' }
    expect(await refusal('/nothing')).toEqual({ ...problem, status: 404, code: 'not_found' })
    expect(await refusal('/ws')).toEqual({ ...problem, status: 401, code: 'unauthenticated' })
    expect(await refusal('/ws?token=a.b.c')).toEqual({ ...problem, status: 401, code: 'unauthenticated' })
    expect(await refusal('/ws/admin', { authorization: `Bearer ${issuer.sign()}` })).toEqual({ ...problem, status: 403, code: 'forbidden' })
    const plain = await fetch(`${url}/ws`)
    expect({ status: plain.status, code: ((await plain.json()) as { code: string }).code }).toEqual({
      status: 426,
      code: 'upgrade_required',
    })
    expect((await sendRaw(url, 'GET /ws/prices/A HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')).status).toBe(
      400,
    )
  })

  test('no more sockets than the bound; a place freed can be taken', async () => {
    const open = await Promise.all(['A', 'B', 'C'].map((symbol) => first(`/ws/prices/${symbol}`)))
    expect(await refusal('/ws/prices/D')).toMatchObject({ status: 503, code: 'overloaded' })
    open[0]?.socket.close()
    await once(open[0]?.socket as WebSocket, 'close')
    await expect.poll(() => first('/ws/prices/D').then(({ message }) => message['symbol'])).toBe('D')
  })

  test('a message over the limit closes with 1009', async () => {
    const { socket } = await first('/ws/prices/A')
    socket.send('x'.repeat(2_000))
    expect((await once(socket, 'close'))[0]).toBe(1009)
  })

  test('when the service stops every socket is told 1012, and who does not answer is cut off', async () => {
    const { socket } = await first('/ws/prices/A')
    // This one never answers the closing handshake.
    const silent = sendRaw(
      url,
      'GET /ws/prices/B HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    await first('/ws/prices/C')
    const closed = once(socket, 'close')
    await http.stop(500)
    expect((await closed)[0]).toBe(1012)
    expect((await silent).status).toBe(101)
  })
})
