import { expect } from 'vitest'
import { SMTPServer } from 'smtp-server'
import type { AddressInfo } from 'node:net'
import WebSocket from 'ws'
import { Client, eventually } from '../support/client.ts'
import { dec, mul, text } from '../support/decimal.ts'
import type { Platform } from '../support/platform.ts'

interface Mail {
  to: string[]
  source: string
}

/** A real SMTP server that keeps what it receives. */
export async function startMailServer(): Promise<{ url: string; mails: Mail[]; [Symbol.asyncDispose](): Promise<void> }> {
  const mails: Mail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        mails.push({ to: session.envelope.rcptTo.map((to) => to.address), source: Buffer.concat(chunks).toString('utf8') })
        done()
      })
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

interface Fill {
  price: string
  quantity: string
  fee: string
}

export interface Order {
  id: string
  status: string
  filled_quantity: string
  average_price: string | null
  fee: string
  fills?: Fill[]
}

interface Position {
  symbol: string
  quantity: string
  average_price: string
  realized_pnl: string
  unrealized_pnl: string
  mark_price: string
  fees: string
}

const symbol = 'BTC/USDT'

/** Register, see prices, trade, see positions, events, mail and the equity curve: what a newcomer does, checked against sums made by hand. */
export async function walkThrough(platform: Platform, mails: readonly Mail[]): Promise<void> {
  const client = await Client.registered(platform.url, 'journey')

  // A price at once on the socket, then changes.
  const prices = await socketMessages(`${platform.url.replace('http', 'ws')}/api/market-data/ws/prices/BTC-USDT`, 2)
  for (const price of prices) expect(price).toMatchObject({ symbol })
  const quoted = await client.get<{ price: string; bid: string; ask: string; sources: string[] }>('/api/market-data/prices/BTC-USDT')
  expect(quoted.status).toBe(200)
  expect(quoted.body.sources.length).toBeGreaterThan(0)

  // A market buy, filled by the house at a price near the one shown.
  await eventually(
    () => client.get<{ asks: [string, string][] }>('/api/trading/markets/BTC-USDT/book'),
    ({ body }) => body.asks.length > 0,
  )
  const bought = await client.post<Order>('/api/trading/orders', {
    symbol,
    side: 'BUY',
    order_type: 'MARKET',
    quantity: '0.5',
    client_order_id: 'journey-buy',
  })
  expect(bought.status, JSON.stringify(bought.body)).toBe(201)
  expect(bought.body).toMatchObject({ status: 'FILLED', filled_quantity: '0.5' })
  const buys = bought.body.fills!
  expect(Math.abs(Number(buys[0]!.price) / Number(quoted.body.price) - 1)).toBeLessThan(0.02)
  const cost = buys.reduce((sum, fill) => sum + mul(dec(fill.price), dec(fill.quantity)), 0n)
  // 0.1 % of each fill, cut to the eight decimals of USDT.
  const fee = buys.reduce((sum, fill) => sum + dec(text(mul(mul(dec(fill.price), dec(fill.quantity)), dec('0.001')), 8)), 0n)
  expect(bought.body.fee).toBe(text(fee))

  // The same client order id again: the same order, not a second one.
  const repeated = await client.post<Order>('/api/trading/orders', {
    symbol,
    side: 'BUY',
    order_type: 'MARKET',
    quantity: '0.5',
    client_order_id: 'journey-buy',
  })
  expect([repeated.status, repeated.body]).toEqual([201, bought.body])

  const held = await positionOf(client)
  expect(held).toMatchObject({ quantity: '0.5', average_price: text(div8(cost, dec('0.5')), 8), fees: text(fee), realized_pnl: text(-fee) })
  expect(held.unrealized_pnl).toBe(text(mul(dec(held.mark_price), dec('0.5')) - cost, 8))
  expect(await balanceOf(client, 'USDT')).toMatchObject({ total: text(dec('100000') - cost - fee), held: '0' })
  expect(await balanceOf(client, 'BTC')).toMatchObject({ total: '0.5' })

  // A limit order rests and holds its cost; cancelled, it gives it back.
  const low = (Number(quoted.body.price) * 0.8).toFixed(2)
  const resting = await client.post<Order>('/api/trading/orders', { symbol, side: 'BUY', order_type: 'LIMIT', quantity: '0.1', price: low })
  expect(resting.body).toMatchObject({ status: 'PENDING', filled_quantity: '0' })
  const hold = mul(dec(low), dec('0.1'))
  expect(await balanceOf(client, 'USDT')).toMatchObject({ held: text(hold + dec(text(mul(hold, dec('0.001')), 8))) })
  const cancelled = await client.put<Order>(`/api/trading/orders/${resting.body.id}/status`, { status: 'CANCELLED' })
  expect([cancelled.status, cancelled.body.status]).toEqual([200, 'CANCELLED'])

  // What services ask one another is not for clients.
  expect((await client.get('/api/user/internal/revoked-tokens')).status).toBe(404)

  // The same by socket, on one connection through the gateway.
  const bySocket = { symbol, side: 'BUY', order_type: 'LIMIT', quantity: '0.1', price: low, client_order_id: 'journey-socket' }
  const answers = await socketMessages(`${platform.url.replace('http', 'ws')}/api/trading/ws?token=${client.token}`, 2, [
    { id: 'place', op: 'place', order: bySocket },
    { id: 'cancel', op: 'cancel', client_order_id: 'journey-socket' },
  ])
  expect(answers).toMatchObject([
    { id: 'place', status: 201, result: { status: 'PENDING', client_order_id: 'journey-socket' } },
    { id: 'cancel', status: 200, result: { status: 'CANCELLED' } },
  ])
  expect(await balanceOf(client, 'USDT')).toMatchObject({ held: '0' })

  // A stop a hair under the market: the next fall sets it off. The market moves by itself; where it only rises, the stop follows it up.
  const stop = await stopThatTriggers(client)
  expect(stop.status).toBe('FILLED')

  // The rest is sold; the average is what it was, the profit what the fills say.
  const before = await positionOf(client)
  expect(before.average_price).toBe(held.average_price)
  const sold = await client.post<Order>('/api/trading/orders', { symbol, side: 'SELL', order_type: 'MARKET', quantity: before.quantity })
  expect(sold.body).toMatchObject({ status: 'FILLED' })
  const flat = await positionOf(client)
  expect(flat.quantity).toBe('0')

  // The stream: numbered from 1 without a gap, each record holding the hash of the one before.
  interface StreamEvent {
    sequence: number
    type: string
    hash: string
    previous_hash: string
    data: { price: string; quantity: string; fee: string; side: string }
  }
  const stream = await client.get<{ items: StreamEvent[] }>(`/api/trading/accounts/${client.userId}/events?limit=1000`)
  const events = stream.body.items
  expect(events.map((event) => event.sequence)).toEqual(events.map((_, index) => index + 1))
  events.forEach((event, index) => expect(event.previous_hash).toBe(index === 0 ? '0'.repeat(64) : events[index - 1]!.hash))
  for (const type of ['account.opened', 'funds.moved', 'order.created', 'trade.executed', 'order.triggered', 'order.status_updated'])
    expect(events.map((event) => event.type)).toContain(type)

  // All fills added up by hand: proceeds less cost less fees is the realised profit, and the cash.
  const trades = events.filter((event) => event.type === 'trade.executed').map((event) => event.data)
  const cash = trades.reduce(
    (sum, { side, price, quantity, fee: paid }) => sum + (side === 'BUY' ? -1n : 1n) * mul(dec(price), dec(quantity)) - dec(paid),
    0n,
  )
  expect(await balanceOf(client, 'USDT')).toMatchObject({ total: text(dec('100000') + cash), held: '0' })
  const difference = dec(flat.realized_pnl) - cash
  // Each reduction rounds its share of the cost to the minor unit.
  expect(difference < 0n ? -difference : difference).toBeLessThanOrEqual(dec('0.00000001') * BigInt(trades.length))

  for (const list of [
    `/api/trading/orders/user/${client.userId}`,
    `/api/trading/positions/${client.userId}`,
    `/api/trading/accounts/${client.userId}/balances`,
    `/api/trading/accounts/${client.userId}/ledger`,
    `/api/trading/accounts/${client.userId}/events`,
    '/api/trading/markets',
    '/api/market-data/symbols',
    '/api/user/me/sessions',
  ])
    await expectSameInPages(client, list)

  // The inbox, and a mail at a real SMTP server.
  await eventually(
    () => client.get<{ items: unknown[] }>('/api/notification/notifications'),
    ({ body }) => JSON.stringify(body.items).includes('BTC/USDT'),
  )
  await eventually(
    () => Promise.resolve(mails.filter((mail) => mail.to.includes(client.email))),
    (received) => received.some((mail) => mail.source.includes('BTC/USDT')),
  )

  // The equity curve starts at the grant and ends at the cash left.
  const curve = await eventually(
    () => client.get<{ items: { equity: string }[] }>(`/api/analytics/equity/${client.userId}`),
    ({ status, body }) =>
      status === 200 && body.items.length > 0 && Math.abs(Number(body.items.at(-1)!.equity) - Number(text(dec('100000') + cash))) < 0.01,
  )
  expect(Number(curve.body.items[0]!.equity)).toBeGreaterThan(99_000)

  // Nothing was made or lost.
  const operator = new Client(platform.url)
  const login = await platform.operator()
  await operator.login(login.email, login.password)
  const books = await operator.get<{ assets: { asset: string; difference: string }[] }>('/api/trading/reconciliation')
  expect(books.status).toBe(200)
  for (const asset of books.body.assets) expect(asset).toMatchObject({ difference: '0' })
}

/** A list read three items at a time holds what it holds at once. */
async function expectSameInPages(client: Client, list: string): Promise<void> {
  interface Page {
    items: Record<string, unknown>[]
    next_cursor: string | null
  }
  const keyOf = (item: Record<string, unknown>) => item['id'] ?? item['sequence'] ?? item['symbol'] ?? item['asset']
  const read = async (query: string): Promise<Page> => {
    const { status, body } = await client.get<Page>(`${list}?${query}`)
    expect([list, query, status]).toEqual([list, query, 200])
    return body
  }
  const whole = await read('limit=500')
  expect(whole.next_cursor, list).toBe(null)
  const keys: unknown[] = []
  for (let cursor = ''; ;) {
    const page = await read(`limit=3${cursor}`)
    keys.push(...page.items.map(keyOf))
    if (page.next_cursor === null) break
    cursor = `&cursor=${page.next_cursor}`
  }
  expect([list, keys]).toEqual([list, whole.items.map(keyOf)])
}

function div8(a: bigint, b: bigint): bigint {
  const scale = 10n ** 18n
  // Half-even at eight decimals, as the API rounds an average.
  const unit = 10n ** 10n
  const exact = (a * scale) / b
  const rest = exact % unit
  const down = exact - rest
  return rest * 2n > unit || (rest * 2n === unit && (down / unit) % 2n === 1n) ? down + unit : down
}

export async function positionOf(client: Client): Promise<Position> {
  const { body } = await client.get<{ items: Position[] }>(`/api/trading/positions/${client.userId}`)
  return body.items.find((position) => position.symbol === symbol)!
}

async function balanceOf(client: Client, asset: string): Promise<{ total: string; held: string } | undefined> {
  const { body } = await client.get<{ items: { asset: string; total: string; held: string }[] }>(
    `/api/trading/accounts/${client.userId}/balances`,
  )
  return body.items.find((balance) => balance.asset === asset)
}

/** Places a stop just under the market and moves it up after it until the market falls onto it. */
async function stopThatTriggers(client: Client): Promise<Order> {
  for (let attempt = 0; attempt < 60; attempt++) {
    const { body: market } = await client.get<{ mark_price: string }>('/api/trading/markets/BTC-USDT')
    const stopPrice = (Number(market.mark_price) - 0.01).toFixed(2)
    const placed = await client.post<Order & { code?: string }>('/api/trading/orders', {
      symbol,
      side: 'SELL',
      order_type: 'STOP',
      quantity: '0.2',
      stop_price: stopPrice,
    })
    if (placed.status === 422 && placed.body.code === 'stop_would_trigger') {
      // The last trade was below the market, and is what counts until the market moves.
      await eventually(
        () => client.get<typeof market>('/api/trading/markets/BTC-USDT'),
        ({ body }) => body.mark_price !== market.mark_price,
        5_000,
      ).catch(() => undefined)
      continue
    }
    expect(placed.status, JSON.stringify(placed.body)).toBe(201)
    const order = await eventually(
      () => client.get<Order>(`/api/trading/orders/${placed.body.id}`),
      ({ body }) => body.status !== 'PENDING',
      5_000,
    ).catch(() => undefined)
    if (order) return order.body
    await client.delete(`/api/trading/orders/${placed.body.id}`)
  }
  throw new Error('the market never fell onto the stop')
}

/** The first `count` messages of a socket, to which `sent` is said at first. */
function socketMessages(url: string, count: number, sent?: unknown): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url)
    if (sent !== undefined) socket.on('open', () => socket.send(JSON.stringify(sent)))
    const messages: unknown[] = []
    const timer = setTimeout(() => {
      socket.terminate()
      reject(new Error(`${messages.length} of ${count} messages came`))
    }, 20_000)
    socket.on('error', reject)
    socket.on('message', (data: Buffer) => {
      messages.push(JSON.parse(data.toString('utf8')))
      if (messages.length < count) return
      clearTimeout(timer)
      socket.close()
      resolve(messages)
    })
  })
}
