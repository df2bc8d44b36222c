import type { Candle, Price } from '@maru/contracts/http/market-data'
import { createHttpService, createLogger, TokenVerifier } from '@maru/service-host'
import { connect } from 'node:net'
import { WebSocket } from 'ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { MarketFeed } from '../real-time/market-feed.ts'
import { serveSockets, subscriptionsMax } from '../real-time/sockets.ts'
import type { TickBatch } from '../store/batch-store.ts'
import { startInstance, until, type TestInstance } from './support/instance.ts'

interface Message {
  op?: string
  code?: string
  id?: unknown
  channel?: string
  channels?: string[]
  type?: string
  sequence?: number
  data?: unknown
}

interface Client extends Disposable {
  readonly socket: WebSocket
  readonly messages: Message[]
  readonly closed: Promise<{ code: number; reason: string }>
  send(message: unknown): void
}

async function open(url: string): Promise<Client> {
  const socket = new WebSocket(url)
  const messages: Message[] = []
  socket.on('message', (data) => messages.push(JSON.parse((data as Buffer).toString('utf8')) as Message))
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString('utf8') })),
  )
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return {
    socket,
    messages,
    closed,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    [Symbol.dispose]: () => socket.terminate(),
  }
}

describe('sockets of a running service', () => {
  let database: TestDatabase
  let service: TestInstance
  beforeAll(async () => {
    database = await createTestDatabase()
    service = await startInstance(database.urls['market-data'], { MARU_MARKET_DATA: 'synthetic:3' })
  })
  afterAll(async () => {
    await service[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  })

  test.each(['BTC-USDT', 'BTC%2FUSDT'])('/ws/prices/%s: the price at once, then changes', async (symbol) => {
    using client = await open(`${service.socketUrl}/ws/prices/${symbol}`)
    await until(() => (client.messages.length >= 3 ? true : undefined))
    const prices = client.messages as unknown as Price[]
    expect(prices[0]).toMatchObject({ symbol: 'BTC/USDT', sources: ['synthetic'], stale: false })
    expect(Object.keys(prices[0]!).sort()).toEqual(Object.keys((await service.get('/prices/BTC-USDT')).body as object).sort())
    expect(prices[2]!.timestamp > prices[0]!.timestamp).toBe(true)
  })

  test('/ws/prices of an unknown market: a code, and the end', async () => {
    using client = await open(`${service.socketUrl}/ws/prices/NO-PE`)
    expect(await client.closed).toEqual({ code: 1008, reason: 'symbol_not_found' })
    expect(client.messages).toMatchObject([{ op: 'error', code: 'symbol_not_found' }])
  })

  test('a snapshot of each channel, then deltas numbered without a gap', async () => {
    using client = await open(`${service.socketUrl}/ws`)
    const channels = ['prices:BTC/USDT', 'candles:BTC/USDT:1m', 'candles:BTC/USDT:1d', 'trades:BTC/USDT', 'book:BTC/USDT']
    client.send({ op: 'subscribe', channels, id: 'one' })
    await until(() =>
      channels.every((channel) => client.messages.filter((message) => message.channel === channel).length >= 4) ? true : undefined,
    )
    expect(client.messages[0]).toEqual({ op: 'subscribed', channels, id: 'one' })
    for (const channel of channels) {
      const mine = client.messages.filter((message) => message.channel === channel)
      expect(mine[0]!.type).toBe('snapshot')
      for (const [index, message] of mine.entries()) {
        if (index > 0) expect(message).toMatchObject({ type: 'delta', sequence: mine[index - 1]!.sequence! + 1 })
      }
    }
    const candle = client.messages.findLast((message) => message.channel === 'candles:BTC/USDT:1d')!.data as Candle
    expect(candle.start.endsWith('T00:00:00.000Z')).toBe(true)
  })

  test('unsubscribed, a channel is silent; others go on', async () => {
    using client = await open(`${service.socketUrl}/ws`)
    client.send({ op: 'subscribe', channels: ['prices:BTC/USDT', 'prices:ETH/USDT'] })
    await until(() => (client.messages.length > 4 ? true : undefined))
    client.send({ op: 'unsubscribe', channels: ['prices:BTC/USDT'] })
    await until(() => client.messages.find((message) => message.op === 'unsubscribed'))
    const at = client.messages.findIndex((message) => message.op === 'unsubscribed')
    await until(() => (client.messages.slice(at + 1).length >= 3 ? true : undefined))
    expect(new Set(client.messages.slice(at + 1).map((message) => message.channel))).toEqual(new Set(['prices:ETH/USDT']))
  })

  test.each([
    ['no JSON', '{', 'invalid_json'],
    ['a list', [], 'invalid_request'],
    ['null', 'null', 'invalid_request'],
    ['no op', { channels: ['prices:BTC/USDT'] }, 'invalid_request'],
    ['another op', { op: 'buy', channels: ['prices:BTC/USDT'] }, 'invalid_request'],
    ['an unknown field', { op: 'subscribe', channels: ['prices:BTC/USDT'], chanels: 1 }, 'invalid_request'],
    ['no channels', { op: 'subscribe', channels: [] }, 'invalid_request'],
    ['a channel that is a number', { op: 'subscribe', channels: [7] }, 'invalid_request'],
    ['an unknown channel', { op: 'subscribe', channels: ['orders:BTC/USDT'] }, 'invalid_request'],
    ['a channel of an object', { op: 'subscribe', channels: ['__proto__:BTC/USDT'] }, 'invalid_request'],
    ['candles without an interval', { op: 'subscribe', channels: ['candles:BTC/USDT'] }, 'invalid_request'],
    ['an unknown interval', { op: 'subscribe', channels: ['candles:BTC/USDT:2m'] }, 'invalid_request'],
    ['an unknown market', { op: 'subscribe', channels: ['prices:BTC/USDT', 'prices:NO/PE'] }, 'symbol_not_found'],
    ['an id that is an object', { op: 'subscribe', channels: ['prices:BTC/USDT'], id: {} }, 'invalid_request'],
    ['a message that is too long', { op: 'subscribe', channels: ['x'.repeat(20_000)] }, 'invalid_request'],
  ])('%s is refused with a code, and nothing is subscribed', async (_what, message, code) => {
    using client = await open(`${service.socketUrl}/ws`)
    client.send(message)
    await until(() => (client.messages.length > 0 ? true : undefined))
    expect(client.messages[0]).toMatchObject({ op: 'error', code })
    client.send({ op: 'unsubscribe', channels: ['prices:BTC/USDT'] })
    await until(() => (client.messages.length > 1 ? true : undefined))
    expect(client.messages[1]!.op).toBe('unsubscribed')
  })

  test('a message far too long, or a flood of them, ends the socket', async () => {
    using long = await open(`${service.socketUrl}/ws`)
    long.socket.on('error', () => undefined)
    long.send('x'.repeat(200_000))
    expect((await long.closed).code).toBe(1009)
    using flood = await open(`${service.socketUrl}/ws`)
    for (let index = 0; index < 200; index++) flood.send({ op: 'unsubscribe', channels: ['prices:BTC/USDT'] })
    expect(await flood.closed).toEqual({ code: 1008, reason: 'rate_limited' })
    expect(flood.messages.at(-1)).toMatchObject({ code: 'rate_limited' })
  })

  test('subscribing twice changes nothing', async () => {
    using client = await open(`${service.socketUrl}/ws`)
    const channels = ['prices:DOT/USDT', 'prices:DOT/USDT']
    client.send({ op: 'subscribe', channels })
    client.send({ op: 'subscribe', channels })
    await until(() => (client.messages.filter((message) => message.type === 'delta').length >= 2 ? true : undefined))
    expect(client.messages.filter((message) => message.type === 'snapshot')).toHaveLength(1)
    expect(subscriptionsMax).toBeGreaterThan(36)
  })
})

describe('slow and dead readers', () => {
  const logger = createLogger({ service: 'market-data', instanceId: 'sockets', level: 'silent' })

  /** A service whose batches the test makes. */
  async function start(bounds: { bufferedMaxBytes: number; slowMaxMs: number; pingMs: number }) {
    const http = createHttpService({ logger, verifier: new TokenVerifier(() => Promise.resolve([])) })
    const feed = new MarketFeed({ query: () => Promise.resolve({ rows: [], rowCount: 0 }) }, logger)
    serveSockets(http, feed, bounds)
    const url = await http.app.listen({ host: '127.0.0.1', port: 0 })
    let id = 0
    const batch = (count: number): TickBatch => ({
      id: ++id,
      storedMs: Date.now(),
      feed: 'test',
      countsTrades: true,
      ticks: Array.from({ length: count }, (_, index) => ({
        symbol: 'BTC/USDT',
        timeMs: Date.now(),
        price: 1e8 * (id + index),
        bid: 1e8,
        ask: 1e12,
        quantity: 1,
        side: 'BUY',
        sources: ['test'],
      })),
    })
    return {
      url: url.replace('http', 'ws'),
      feed,
      push: (count: number) => feed.accept(batch(count)),
      connections: () =>
        new Promise<number>((resolve, reject) =>
          http.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
        ),
      [Symbol.asyncDispose]: () => http.stop(100),
    }
  }

  test('a reader that stops reading holds nobody up, and is shown the newest when it reads again', async () => {
    await using service = await start({ bufferedMaxBytes: 16_384, slowMaxMs: 60_000, pingMs: 60_000 })
    using slow = await open(`${service.url}/ws`)
    using quick = await open(`${service.url}/ws`)
    for (const client of [slow, quick]) client.send({ op: 'subscribe', channels: ['trades:BTC/USDT'] })
    await until(() => (slow.messages.length === 2 && quick.messages.length === 2 ? true : undefined))
    slow.socket.pause()
    // More than what the network between the two holds.
    for (let count = 0; count < 300; count++) {
      await service.push(300)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const deltas = (client: Client) => client.messages.filter((message) => message.type === 'delta')
    await until(() => (deltas(quick).at(-1)?.sequence === 300 ? true : undefined))
    slow.socket.resume()
    await until(() => (slow.messages.at(-1)?.type === 'snapshot' && slow.messages.length > 2 ? true : undefined))
    expect(deltas(slow).length).toBeLessThan(300)
    expect(slow.messages.at(-1)!.sequence).toBe(300)
    await service.push(1)
    await until(() => (slow.messages.at(-1)?.type === 'delta' ? true : undefined))
    expect(slow.messages.at(-1)!.sequence).toBe(301)
    expect(deltas(quick).map((message) => message.sequence)).toEqual(Array.from({ length: deltas(quick).length }, (_, index) => index + 1))
  })

  test('one that stays behind is disconnected', async () => {
    await using service = await start({ bufferedMaxBytes: 16_384, slowMaxMs: 200, pingMs: 60_000 })
    using slow = await open(`${service.url}/ws`)
    slow.send({ op: 'subscribe', channels: ['trades:BTC/USDT'] })
    await until(() => (slow.messages.length === 2 ? true : undefined))
    slow.socket.pause()
    for (let count = 0; count < 300; count++) {
      await service.push(300)
      await new Promise((resolve) => setImmediate(resolve))
    }
    // Deaf for longer than it may be: only then does it look again.
    await until(async () => ((await service.connections()) === 0 ? true : undefined))
    slow.socket.resume()
    expect((await slow.closed).code).toBe(1006)
  })

  test('one that answers no ping is disconnected', async () => {
    await using service = await start({ bufferedMaxBytes: 16_384, slowMaxMs: 60_000, pingMs: 30 })
    const { port, hostname } = new URL(service.url)
    const raw = connect(Number(port), hostname)
    raw.write(
      'GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    raw.resume()
    await new Promise((resolve) => raw.once('close', resolve))
    // One that does answer stays for many pings.
    using alive = await open(`${service.url}/ws`)
    let pings = 0
    await new Promise<void>((resolve) => alive.socket.on('ping', () => ++pings > 8 && resolve()))
    expect(alive.socket.readyState).toBe(WebSocket.OPEN)
  })
})
