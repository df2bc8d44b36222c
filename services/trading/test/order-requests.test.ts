import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deadlineHeader } from '@maru/service-host'
import { eventually, type Client } from '../../../test/support/client.ts'
import { startTradingSide, type TradingSide } from '../../../test/support/trading.ts'

/** Every kind of order as a client asks for it, at a real instance over HTTP. */

let side: TradingSide
let alice: Client
let bob: Client

beforeAll(async () => {
  side = await startTradingSide()
  alice = await side.user('alice')
  bob = await side.user('bobby')
  // Somebody must have coins to sell.
  for (const { userId } of [alice, bob])
    await side.operator.post(`/accounts/${userId}/deposits`, { asset: 'BTC', amount: '10', reference: 'stock' })
}, 60_000)

afterAll(() => side[Symbol.asyncDispose]())

interface OrderBody extends Record<string, unknown> {
  id: string
  status: string
  code?: string
  errors?: { path: string }[]
  orders: OrderBody[]
}

const order = (more: Record<string, unknown>): Record<string, unknown> => ({
  symbol: 'BTC/USDT',
  side: 'BUY',
  order_type: 'LIMIT',
  quantity: '0.1',
  ...more,
})
const place = (client: Client, more: Record<string, unknown>) => client.post<OrderBody>('/orders', order(more))
const cancelAll = async (): Promise<void> => {
  for (const client of [alice, bob]) await client.delete('/orders')
}

describe('an order is shown with what it was asked for', () => {
  const rows: Record<string, { ask: Record<string, unknown>; shown: Record<string, unknown> }> = {
    'STOP_LIMIT by last': {
      ask: { order_type: 'STOP_LIMIT', price: '60000', stop_price: '59000', trigger_by: 'LAST' },
      shown: { order_type: 'STOP_LIMIT', price: '60000', stop_price: '59000', trigger_by: 'LAST', status: 'PENDING' },
    },
    GTD: {
      ask: { price: '100', quantity: '0.2', time_in_force: 'GTD', expires_at: '2099-01-31T12:00:00+01:00' },
      shown: { time_in_force: 'GTD', expires_at: '2099-01-31T11:00:00.000Z' },
    },
    'post-only iceberg': {
      ask: { price: '100', quantity: '1', display_quantity: '0.25', post_only: true },
      shown: { post_only: true, display_quantity: '0.25' },
    },
    'self-trade prevention': {
      ask: { price: '100', quantity: '0.2', self_trade_prevention: 'DECREMENT' },
      shown: { self_trade_prevention: 'DECREMENT' },
    },
  }

  test.each(Object.entries(rows))('%s', async (_, { ask, shown }) => {
    const placed = await place(alice, ask)
    expect(placed.status, JSON.stringify(placed.body)).toBe(201)
    expect(placed.body).toMatchObject(shown)
    expect((await alice.get<OrderBody>(`/orders/${placed.body.id}`)).body).toMatchObject(shown)
    // The same from the tables, once it is final.
    await alice.delete(`/orders/${placed.body.id}`)
    const listed = await alice.get<{ items: OrderBody[] }>('/orders?limit=1')
    expect(listed.body.items[0]).toMatchObject({ ...shown, id: placed.body.id, status: 'CANCELLED' })
  })

  test('a plain order has none of it', async () => {
    const placed = await place(alice, { price: '100', quantity: '0.2' })
    expect(Object.keys(placed.body).filter((key) => /list|trail|post|reduce|display|expires|prevent|waiting|quote/.test(key))).toEqual([])
    await cancelAll()
  })
})

describe('a market order by value', () => {
  test('spends at most the value', async () => {
    await place(bob, { side: 'SELL', price: '50000' })
    const bought = await place(alice, { order_type: 'MARKET', quantity: undefined, quote_quantity: '100' })
    expect(bought.body).toMatchObject({ status: 'FILLED', quantity: '0.002', filled_quantity: '0.002', quote_quantity: '100' })
    await cancelAll()
  })
})

describe('a trailing stop', () => {
  test('by distance and by percentage, shown where it stands', async () => {
    // A price to trail.
    await place(bob, { side: 'SELL', price: '50000', quantity: '0.001' })
    await place(alice, { price: '50000', quantity: '0.001' })
    const byDistance = await place(alice, { side: 'SELL', order_type: 'TRAILING_STOP', trailing_delta: '500' })
    expect(byDistance.body).toMatchObject({ status: 'PENDING', stop_price: '49500', trailing_delta: '500', price: null })
    const byShare = await place(alice, { side: 'SELL', order_type: 'TRAILING_STOP', trailing_delta: '1.5%' })
    expect(byShare.body).toMatchObject({ status: 'PENDING', stop_price: '49250', trailing_delta: '1.5%' })
    // A higher price takes both with it.
    await place(bob, { side: 'SELL', price: '52000', quantity: '0.001' })
    await place(alice, { price: '52000', quantity: '0.001' })
    expect((await alice.get(`/orders/${byDistance.body.id}`)).body).toMatchObject({ stop_price: '51500' })
    expect((await alice.get(`/orders/${byShare.body.id}`)).body).toMatchObject({ stop_price: '51220' })
    const listed = await alice.get<{ items: OrderBody[] }>('/orders?status=PENDING&limit=2')
    expect(listed.body.items.map(({ stop_price: stop }) => stop)).toEqual(['51220', '51500'])
    await cancelAll()
  })
})

describe('amending', () => {
  test('changes quantity and price, and says so in the stream', async () => {
    const placed = await place(alice, { price: '100', quantity: '0.5' })
    const amended = await alice.call<OrderBody>('PATCH', `/orders/${placed.body.id}`, { quantity: '0.4', price: '110' })
    expect(amended.status).toBe(200)
    expect(amended.body).toMatchObject({ id: placed.body.id, quantity: '0.4', price: '110', status: 'PENDING' })
    const newest = await eventually(
      async () => {
        const events = await alice.get<{ items: { type: string; data: OrderBody }[] }>(`/accounts/${alice.userId}/events?limit=1000`)
        return events.body.items.at(-1)
      },
      (event) => event?.type === 'order.amended',
    )
    expect(newest).toMatchObject({ data: { id: placed.body.id, quantity: '0.4', price: '110' } })
    await cancelAll()
  })

  test('refusals: another’s, a final one, nothing to change, what it does not have', async () => {
    const placed = await place(alice, { price: '100', quantity: '0.5' })
    const patch = (client: Client, body: unknown) => client.call<OrderBody>('PATCH', `/orders/${placed.body.id}`, body)
    expect((await patch(bob, { quantity: '0.4' })).body.code).toBe('order_not_found')
    expect((await patch(alice, {})).status).toBe(400)
    expect((await patch(alice, { quantity: '0' })).body.code).toBe('invalid_quantity')
    expect((await patch(alice, { side: 'SELL' })).body.errors?.[0]?.path).toBe('side')
    expect((await patch(alice, { stop_price: '90' })).body).toMatchObject({ code: 'order_not_amendable', status: 409 })
    expect((await patch(alice, { price: '100.001' })).body.code).toBe('tick_size')
    expect((await patch(alice, { quantity: '2000' })).body.code).toBe('position_limit')
    await alice.delete(`/orders/${placed.body.id}`)
    expect((await patch(alice, { quantity: '0.4' })).body).toMatchObject({ code: 'order_not_open', status: 409 })
  })
})

describe('amending what only some orders have', () => {
  const patch = (id: string, changes: unknown) => alice.call<OrderBody>('PATCH', `/orders/${id}`, changes)
  const expires = '2099-01-31T12:00:00.000Z'
  const pair = async (): Promise<OrderBody[]> => {
    const placed = await alice.post<OrderBody>('/order-lists', {
      type: 'OCO',
      symbol: 'BTC/USDT',
      orders: [
        { side: 'SELL', order_type: 'LIMIT', quantity: '0.1', price: '70000' },
        { side: 'SELL', order_type: 'STOP', quantity: '0.1', stop_price: '30000' },
      ],
    })
    return placed.body.orders
  }

  test.each<[string, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>]>([
    ['stop price', { side: 'SELL', order_type: 'STOP', stop_price: '20000' }, { stop_price: '21000' }, { stop_price: '21000' }],
    [
      'both prices',
      { side: 'SELL', order_type: 'STOP_LIMIT', stop_price: '20000', price: '19000' },
      { stop_price: 21000, price: '20000' },
      { stop_price: '21000', price: '20000' },
    ],
    [
      'expiry',
      { price: '100', quantity: '0.2', time_in_force: 'GTD', expires_at: expires },
      { expires_at: '2098-01-31T12:00:00+01:00' },
      { expires_at: '2098-01-31T11:00:00.000Z', time_in_force: 'GTD' },
    ],
    ['what is shown', { price: '100', quantity: '0.8' }, { display_quantity: '0.2' }, { display_quantity: '0.2', quantity: '0.8' }],
    [
      'what more is shown',
      { price: '100', quantity: '0.8', display_quantity: '0.2' },
      { display_quantity: '0.4' },
      { display_quantity: '0.4' },
    ],
    [
      'distance',
      { side: 'SELL', order_type: 'TRAILING_STOP', trailing_delta: '500' },
      { trailing_delta: '250.5' },
      { trailing_delta: '250.5', stop_price: '51749.5' },
    ],
    [
      'distance as a share, and quantity',
      { side: 'SELL', order_type: 'TRAILING_STOP', trailing_delta: '500' },
      { trailing_delta: '10%', quantity: '0.2' },
      { trailing_delta: '10%', stop_price: '46800', quantity: '0.2' },
    ],
  ])('%s', async (_, ask, changes, shown) => {
    const placed = await place(alice, ask)
    expect(placed.status, JSON.stringify(placed.body)).toBe(201)
    const amended = await patch(placed.body.id, changes)
    expect(amended.body).toMatchObject({ ...shown, id: placed.body.id, status: 'PENDING' })
    expect((await alice.get(`/orders/${placed.body.id}`)).body).toEqual(amended.body)
    // The same from the tables.
    const { fills: _fills, ...listed } = (await alice.get<{ items: OrderBody[] }>('/orders?limit=1')).body.items[0]!
    expect(listed).toEqual(amended.body)
    await alice.delete('/orders')
  })

  test('the quantity of either leg of an OCO is that of both, and each says so in the stream', async () => {
    const [profit, loss] = await pair()
    expect((await patch(loss!.id, { quantity: '0.3' })).body).toMatchObject({ id: loss!.id, quantity: '0.3' })
    expect((await alice.get(`/orders/${profit!.id}`)).body).toMatchObject({ quantity: '0.3' })
    const amended = await eventually(
      async () => {
        const events = await alice.get<{ items: { type: string; data: OrderBody }[] }>(`/accounts/${alice.userId}/events?limit=1000`)
        return events.body.items.slice(-2)
      },
      (events) => events.every(({ type }) => type === 'order.amended'),
    )
    expect(amended.map(({ data }) => [data.id, data['quantity']])).toEqual([
      [loss!.id, '0.3'],
      [profit!.id, '0.3'],
    ])
    expect((await patch(profit!.id, { quantity: '1000' })).body).toMatchObject({ status: 422 })
    expect((await alice.get(`/orders/${loss!.id}`)).body).toMatchObject({ quantity: '0.3' })
    await cancelAll()
  })

  const past = { expires_at: '2020-01-01T00:00:00Z' }
  const gtd = { price: '100', quantity: '0.2', time_in_force: 'GTD', expires_at: expires }
  const trailing = { side: 'SELL', order_type: 'TRAILING_STOP', trailing_delta: '500' }
  test.each<[Record<string, unknown>, Record<string, unknown>, number, string, string?]>([
    [{ price: '100', quantity: '0.2' }, { expires_at: expires }, 409, 'order_not_amendable', 'expires_at'],
    [{ price: '100', quantity: '0.2' }, { trailing_delta: '5' }, 409, 'order_not_amendable', 'trailing_delta'],
    [{ price: '100', quantity: '0.2' }, { quantity: '0.3', stop_price: '5' }, 409, 'order_not_amendable', 'stop_price'],
    [{ price: '100', quantity: '0.2' }, { display_quantity: '0.3' }, 422, 'invalid_display_quantity', 'display_quantity'],
    [{ price: '100', quantity: '0.2' }, { display_quantity: '0.123456789' }, 422, 'lot_size', 'display_quantity'],
    [trailing, { stop_price: '50000' }, 409, 'order_not_amendable', 'stop_price'],
    [trailing, { price: '50000' }, 409, 'order_not_amendable', 'price'],
    [trailing, { display_quantity: '0.01' }, 409, 'order_not_amendable', 'display_quantity'],
    [trailing, { trailing_delta: '0%' }, 400, 'invalid_request', 'trailing_delta'],
    [trailing, { trailing_delta: '100%' }, 400, 'invalid_request', 'trailing_delta'],
    [trailing, { trailing_delta: '0' }, 422, 'invalid_price', 'trailing_delta'],
    [trailing, { trailing_delta: '60000' }, 422, 'invalid_price'],
    [gtd, past, 422, 'invalid_expiry', 'expires_at'],
    [gtd, { expires_at: '2099-02-31T00:00:00Z' }, 400, 'invalid_request', 'expires_at'],
    [gtd, { expires_at: null }, 400, 'invalid_request', 'expires_at'],
    [gtd, { time_in_force: 'GTC' }, 400, 'invalid_request', 'time_in_force'],
  ])('%j with %j: %i %s', async (ask, changes, status, code, path) => {
    const placed = await place(alice, ask)
    const refused = await patch(placed.body.id, changes)
    expect([refused.status, refused.body.code, refused.body.errors?.[0]?.path]).toEqual([status, code, path])
    const { fills: _fills, ...before } = placed.body
    expect((await alice.get(`/orders/${placed.body.id}`)).body).toEqual(before)
    await alice.delete('/orders')
  })
})

describe('cancel-replace', () => {
  test('both, or neither; a retry with the client order id gives the first outcome', async () => {
    const placed = await place(alice, { price: '100', quantity: '0.5' })
    const replace = (id: string, more: Record<string, unknown>) =>
      alice.post<OrderBody>(`/orders/${id}/replace`, {
        side: 'BUY',
        order_type: 'LIMIT',
        quantity: '0.3',
        price: '99',
        client_order_id: 'next',
        ...more,
      })
    const replaced = await replace(placed.body.id, {})
    expect(replaced.status).toBe(201)
    expect((await alice.get<OrderBody>(`/orders/${placed.body.id}`)).body.status).toBe('CANCELLED')
    const again = await replace(placed.body.id, {})
    expect([again.status, again.body.id, again.headers.get('idempotent-replayed')]).toEqual([201, replaced.body.id, 'true'])
    const refused = await replace(replaced.body.id, { quantity: '5000', client_order_id: 'more' })
    expect(refused.body.code).toBe('position_limit')
    expect((await alice.get<OrderBody>(`/orders/${replaced.body.id}`)).body.status).toBe('PENDING')
    await cancelAll()
  })
})

describe('order lists', () => {
  const exits = [
    { side: 'SELL', order_type: 'LIMIT', quantity: '0.1', price: '70000' },
    { side: 'SELL', order_type: 'STOP', quantity: '0.1', stop_price: '40000' },
  ]
  const list = (type: string, orders: unknown[], more: Record<string, unknown> = {}) =>
    alice.post<OrderBody>('/order-lists', { type, symbol: 'BTC/USDT', orders, ...more })

  test('an OCO: one leg cancelled, both are', async () => {
    const placed = await list('OCO', exits, { client_list_id: 'pair' })
    expect(placed.status, JSON.stringify(placed.body)).toBe(201)
    const [profit, loss] = placed.body.orders as [OrderBody, OrderBody]
    expect(profit['order_list_id']).toBe(placed.body.id)
    const again = await list('OCO', exits, { client_list_id: 'pair' })
    expect([again.headers.get('idempotent-replayed'), again.body.orders.map(({ id }) => id)]).toEqual(['true', [profit.id, loss.id]])
    await alice.delete(`/orders/${loss.id}`)
    expect((await alice.get<OrderBody>(`/orders/${profit.id}`)).body.status).toBe('CANCELLED')
  })

  test('a bracket: exits wait, come with the fill, and hold once', async () => {
    const before = await alice.get<{ items: { asset: string; held: string }[] }>(`/accounts/${alice.userId}/balances`)
    const placed = await list('BRACKET', [{ side: 'BUY', order_type: 'LIMIT', quantity: '0.1', price: '45000' }, ...exits])
    expect(placed.status, JSON.stringify(placed.body)).toBe(201)
    expect(placed.body.orders.map(({ is_waiting: waits }) => waits)).toEqual([undefined, true, true])
    await place(bob, { side: 'SELL', price: '45000' })
    const [, profit, loss] = placed.body.orders as [OrderBody, OrderBody, OrderBody]
    expect((await alice.get<OrderBody>(`/orders/${loss.id}`)).body).not.toHaveProperty('is_waiting')
    const held = (items: { asset: string; held: string }[]): number => Number(items.find(({ asset }) => asset === 'BTC')?.held ?? 0)
    const after = await alice.get<{ items: { asset: string; held: string }[] }>(`/accounts/${alice.userId}/balances`)
    expect(held(after.body.items) - held(before.body.items)).toBeCloseTo(0.1, 8)
    expect((await alice.get<OrderBody>(`/orders/${profit.id}`)).body.status).toBe('PENDING')
    await cancelAll()
  })

  test.each([
    ['OCO', [exits[0]], 'orders', 400],
    ['OCO', exits.map((exit) => ({ ...exit, client_order_id: 'twice' })), 'orders.1.client_order_id', 400],
    ['OCO', [exits[1], exits[0]], 'orders.0.order_type', 400],
    ['OCO', [exits[0], { ...exits[1], quantity: '0.2' }], 'orders.1.quantity', 400],
    ['OCO', [exits[0], { ...exits[1], side: 'BUY' }], 'orders.1.side', 400],
    ['BRACKET', [{ side: 'SELL', order_type: 'MARKET', quantity: '0.1' }, ...exits], 'orders.1.side', 400],
    ['OTO', [exits[0], { ...exits[1], price: '1' }], 'orders.1.price', 400],
    ['PAIR', exits, 'type', 400],
  ])('%s with %j is refused at %s', async (type, orders, path, status) => {
    const refused = await list(type, orders)
    expect([refused.status, refused.body.errors?.[0]?.path]).toEqual([status, path])
  })

  test('legs on the wrong sides are refused by the exchange, and nothing is left', async () => {
    const before = await alice.get<{ items: OrderBody[] }>('/orders?limit=1')
    const refused = await list('OCO', [{ ...exits[0], price: '30000' }, exits[1]])
    expect(refused.body).toMatchObject({ status: 422, code: 'invalid_price' })
    const after = await alice.get<{ items: OrderBody[] }>('/orders?limit=1')
    expect(after.body.items[0]!.id).toBe(before.body.items[0]!.id)
  })
})

describe('what does not fit together is refused with its field', () => {
  test.each([
    [{ order_type: 'STOP_LIMIT', price: '100' }, 'stop_price'],
    [{ order_type: 'TRAILING_STOP' }, 'trailing_delta'],
    [{ order_type: 'TRAILING_STOP', trailing_delta: '0%' }, 'trailing_delta'],
    [{ order_type: 'TRAILING_STOP', trailing_delta: '100%' }, 'trailing_delta'],
    [{ order_type: 'TRAILING_STOP', trailing_delta: '-5' }, 'trailing_delta'],
    [{ price: '100', trailing_delta: '5' }, 'trailing_delta'],
    [{ price: '100', time_in_force: 'GTD' }, 'expires_at'],
    [{ price: '100', expires_at: '2099-01-01T00:00:00Z' }, 'expires_at'],
    [{ price: '100', time_in_force: 'GTD', expires_at: '2099-13-01T00:00:00Z' }, 'expires_at'],
    [{ price: '100', time_in_force: 'GTD', expires_at: '2099-02-31T00:00:00Z' }, 'expires_at'],
    [{ price: '100', time_in_force: 'GTD', expires_at: '2099-01-01T00:00:00' }, 'expires_at'],
    [{ price: '100', time_in_force: 'IOC', post_only: true }, 'post_only'],
    [{ price: '100', time_in_force: 'FOK', display_quantity: '0.01' }, 'display_quantity'],
    [{ order_type: 'MARKET', post_only: true }, 'post_only'],
    [{ order_type: 'MARKET', time_in_force: 'GTD', expires_at: '2099-01-01T00:00:00Z' }, 'expires_at'],
    [{ order_type: 'MARKET', quote_quantity: '10' }, 'quote_quantity'],
    [{ order_type: 'MARKET', quantity: undefined }, 'quantity'],
    [{ price: '100', quantity: undefined, quote_quantity: '10' }, 'quote_quantity'],
    [{ order_type: 'STOP', stop_price: '100', time_in_force: 'IOC' }, 'time_in_force'],
    [{ price: '100', self_trade_prevention: 'NONE' }, 'self_trade_prevention'],
    [{ price: '100', trigger_by: 'MARK' }, 'trigger_by'],
    [{ price: '100', post_only: 'yes' }, 'post_only'],
  ])('%j: %s', async (more, path) => {
    const refused = await place(alice, more)
    expect([refused.status, refused.body.code, refused.body.errors?.[0]?.path]).toEqual([400, 'invalid_request', path])
  })

  test.each([
    [{ price: '100', time_in_force: 'GTD', expires_at: '2020-01-01T00:00:00Z' }, 'invalid_expiry'],
    [{ price: '100', display_quantity: '0.5' }, 'invalid_display_quantity'],
    [{ price: '100', reduce_only: true }, 'reduce_only_would_increase'],
  ])('%j is refused as %s, and recorded', async (more, code) => {
    const refused = await place(alice, { ...more, quantity: '0.2' })
    expect([refused.status, refused.body.code]).toEqual([422, code])
    const listed = await alice.get<{ items: OrderBody[] }>('/orders?limit=1')
    expect(listed.body.items[0]).toMatchObject({ id: refused.body['order_id'], status: 'REJECTED', reject_code: code })
  })
})

describe('deadlines', () => {
  async function ask(
    method: string,
    path: string,
    body?: object,
    leftMs?: number,
  ): Promise<{ status: number; body: OrderBody & { items: OrderBody[] } }> {
    const answer = await fetch(`${side.service.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${alice.token}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(leftMs === undefined ? {} : { [deadlineHeader]: String(Date.now() + leftMs) }),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    return { status: answer.status, body: (await answer.json()) as never }
  }

  const placeBy = (id: string, leftMs?: number) => ask('POST', '/orders', order({ price: '100', client_order_id: id }), leftMs)

  test('a service whose log stands still: orders past their deadline are 504 and never done, the others are done once it goes on', async () => {
    const before = await placeBy('before')
    expect(before.status).toBe(201)
    const admin = new pg.Client({ connectionString: side.database.adminUrl })
    await admin.connect()
    try {
      await admin.query('begin')
      await admin.query('lock table event_log.trading_commands_head in exclusive mode')
      const onTheWay = placeBy('on-the-way', 60_000)
      await eventually(
        () => admin.query(`select from pg_locks where relation = 'event_log.trading_commands_head'::regclass and not granted`),
        ({ rowCount }) => rowCount === 1,
      )
      const patient = [placeBy('patient'), placeBy('in-time', 60_000)]
      const late = await Promise.all([
        placeBy('late', 300),
        placeBy('late-too', 500),
        ask('DELETE', `/orders/${before.body.id}`, undefined, 300),
        ask('DELETE', '/orders', undefined, 300),
      ])
      for (const { status, body } of late) expect([status, body.code]).toEqual([504, 'deadline_exceeded'])
      await admin.query('commit')
      for (const { status } of await Promise.all([onTheWay, ...patient])) expect(status).toBe(201)
    } finally {
      await admin.end()
    }
    for (const id of ['before', 'on-the-way', 'patient', 'in-time'])
      expect((await ask('GET', `/orders?client_order_id=${id}`)).body.items).toMatchObject([{ status: 'PENDING' }])
    for (const id of ['late', 'late-too']) expect((await ask('GET', `/orders?client_order_id=${id}`)).body.items).toEqual([])
    // Sent again, it is a new order.
    expect((await placeBy('late')).status).toBe(201)
  })
})
