import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, type Client } from '../../../test/support/client.ts'
import { startTradingSide, type TradingSide } from '../../../test/support/trading.ts'

/** Controls, switches and timers at a running instance. */

let side: TradingSide
let operator: Client
let alice: Client
let bob: Client

beforeAll(async () => {
  side = await startTradingSide()
  operator = side.operator
  alice = await side.user('alice')
  bob = await side.user('bobby')
  for (const user of [alice, bob]) await operator.post(`/accounts/${user.userId}/deposits`, { asset: 'BTC', amount: '1' })
}, 60_000)

afterAll(() => side[Symbol.asyncDispose]())

interface Answered {
  id: string
  status: string | number
  code?: string
}
const limit = (side_: string, price: string, symbol = 'BTC/USDT', quantity = '0.01') => ({
  symbol,
  side: side_,
  order_type: 'LIMIT',
  quantity,
  price,
})
const place = async (client: Client, order: unknown): Promise<Answered> => (await client.post<Answered>('/orders', order)).body
/** Waits until so many orders of a user are open: lists may be a moment behind. */
const expectOpen = async (client: Client, count: number): Promise<void> => {
  await eventually(
    () => client.get<{ items: unknown[] }>('/orders?status=PENDING'),
    ({ body }) => body.items.length === count,
  )
}
/** Waits for an event of a type in a user's stream whose data are these. */
const expectEvent = async (client: Client, type: string, expected: Record<string, unknown>): Promise<void> => {
  await eventually(
    () => client.get<{ items: { type: string; data: Record<string, unknown> }[] }>(`/accounts/${client.userId}/events?limit=1000`),
    ({ body }) =>
      body.items.some((event) => event.type === type && Object.entries(expected).every(([name, value]) => event.data[name] === value)),
  )
}
const kill = (client: Client, body: Record<string, unknown>) =>
  client.post<Record<string, unknown> & { code?: string }>('/kill-switch', body)

describe('controls of an account', () => {
  test('are set by operators alone, shown to their owner, and told in the stream', async () => {
    const path = `/accounts/${alice.userId}/controls`
    expect((await alice.put(path, { reduce_only: true })).status).toBe(403)
    expect((await operator.put('/accounts/nobody/controls', { reduce_only: true })).status).toBe(404)
    expect((await operator.put(path, {})).status).toBe(400)
    expect((await operator.put(path, { fee_tier: 101 })).status).toBe(400)
    expect((await operator.put(path, { max_open_orders: 1, trade_group: 7 })).body).toMatchObject({
      max_open_orders: 1,
      trade_group: 7,
      fee_tier: null,
      kill_switch: null,
      reduce_only: false,
    })
    expect((await bob.get(path)).status).toBe(403)
    expect((await alice.get(path)).body).toMatchObject({ user_id: alice.userId, max_open_orders: 1 })

    expect(await place(alice, limit('BUY', '20000'))).toMatchObject({ status: 'PENDING' })
    expect(await place(alice, limit('BUY', '20000'))).toMatchObject({ status: 422, code: 'open_order_limit' })
    await operator.put(path, { max_open_orders: null, messages_per_second: 1 })
    const codes = await Promise.all([1, 2, 3, 4].map(async () => (await place(alice, limit('BUY', '20000'))).code))
    expect(codes).toContain('rate_limited')
    await operator.put(path, { messages_per_second: null, trade_group: null })
    expect((await alice.delete('/orders')).status).toBe(200)

    await expectEvent(alice, 'controls.changed', {
      actor: operator.userId,
      fee_tier: null,
      kill_switch: null,
      max_open_orders: 1,
      messages_per_second: null,
      reduce_only: false,
      trade_group: 7,
    })
  })
})

describe('the kill switch', () => {
  test('of their own account a user may use, of nothing else', async () => {
    await place(alice, limit('BUY', '20000'))
    await place(bob, limit('BUY', '20000'))
    expect((await kill(alice, { scope: 'ACCOUNT', user_id: bob.userId, active: true })).status).toBe(403)
    expect((await kill(alice, { scope: 'ALL', active: true })).status).toBe(403)
    expect((await kill(alice, { scope: 'SYMBOL', symbol: 'BTC/USDT', active: true })).status).toBe(403)
    expect((await kill(alice, { scope: 'ACCOUNT', symbol: 'BTC/USDT', active: true })).status).toBe(400)
    expect((await kill(alice, { scope: 'ACCOUNT', active: true })).body).toEqual({
      scope: 'ACCOUNT',
      user_id: alice.userId,
      symbol: null,
      active: true,
      cancelled_orders: 1,
    })
    expect(await place(alice, limit('BUY', '20000'))).toMatchObject({ status: 422, code: 'kill_switch' })
    await expectOpen(alice, 0)
    await expectOpen(bob, 1)
    expect((await kill(alice, { scope: 'ACCOUNT', active: false })).status).toBe(200)

    await kill(operator, { scope: 'ACCOUNT', user_id: alice.userId, active: true })
    expect((await kill(alice, { scope: 'ACCOUNT', active: false })).body).toMatchObject({ code: 'forbidden' })
    expect((await alice.get(`/accounts/${alice.userId}/controls`)).body).toMatchObject({ kill_switch: 'OPERATOR' })
    await kill(operator, { scope: 'ACCOUNT', user_id: alice.userId, active: false })
    expect(await place(alice, limit('BUY', '20000'))).toMatchObject({ status: 'PENDING' })
    await alice.delete('/orders')
  })

  test('of a market and of all: shown with the market, cancels work', async () => {
    const elsewhere = limit('BUY', '1000', 'ETH/USDT', '0.1')
    expect((await kill(operator, { scope: 'SYMBOL', symbol: 'XXX/USDT', active: true })).body).toMatchObject({ code: 'symbol_not_found' })
    expect((await kill(operator, { scope: 'SYMBOL', active: true })).status).toBe(400)
    expect((await kill(operator, { scope: 'SYMBOL', symbol: 'BTC/USDT', active: true })).body).toMatchObject({ cancelled_orders: 1 })
    expect((await alice.get('/markets/BTC-USDT')).body).toMatchObject({ kill_switch: true })
    expect(await place(alice, limit('BUY', '20000'))).toMatchObject({ code: 'kill_switch' })
    const { id } = await place(alice, elsewhere)
    expect((await alice.delete(`/orders/${id}`)).status).toBe(200)
    await kill(operator, { scope: 'ALL', active: true })
    expect(await place(alice, elsewhere)).toMatchObject({ code: 'kill_switch' })
    await kill(operator, { scope: 'ALL', active: false })
    await kill(operator, { scope: 'SYMBOL', symbol: 'BTC/USDT', active: false })
    expect((await alice.get('/markets/BTC-USDT')).body).toMatchObject({ kill_switch: false })
  })
})

describe('time passes where nobody trades', () => {
  test('a dead-man timer cancels without any other command', async () => {
    await place(alice, limit('BUY', '20000'))
    expect((await alice.post('/orders/cancel-all-after', { timeout_ms: 86_400_001 })).status).toBe(400)
    const { body } = await alice.post<{ triggers_at: string }>('/orders/cancel-all-after', { timeout_ms: 1_500 })
    expect(Date.parse(body.triggers_at) - Date.now()).toBeGreaterThan(0)
    await expectOpen(alice, 0)
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(body.triggers_at))
    expect((await alice.post('/orders/cancel-all-after', { timeout_ms: 0 })).body).toEqual({ timeout_ms: 0, triggers_at: null })
  })

  test('an auction collects, shows where it would trade, and opens the market', async () => {
    const status = (body: unknown) => operator.put<Record<string, unknown>>('/markets/BTC-USDT/status', body)
    expect((await alice.put('/markets/BTC-USDT/status', { status: 'OPEN', auction_seconds: 1 })).status).toBe(403)
    expect((await status({ status: 'AUCTION' })).status).toBe(400)
    expect((await status({ status: 'HALTED', auction_seconds: 1 })).status).toBe(400)
    expect((await status({ status: 'OPEN', auction_seconds: 2.5 })).body).toMatchObject({ status: 'AUCTION', indicative_price: null })
    expect(await place(alice, { symbol: 'BTC/USDT', side: 'BUY', order_type: 'MARKET', quantity: '0.01' })).toMatchObject({
      code: 'market_auction',
    })
    const bid = await place(alice, limit('BUY', '30000'))
    await place(bob, limit('SELL', '29000', 'BTC/USDT', '0.02'))
    expect((await alice.get('/markets/BTC-USDT')).body).toMatchObject({
      status: 'AUCTION',
      indicative_price: '29000',
      indicative_volume: '0.01',
    })
    const opened = await eventually(
      () => alice.get<Record<string, unknown>>('/markets/BTC-USDT'),
      ({ body }) => body['status'] === 'OPEN',
    )
    expect(opened.body).toMatchObject({ last_price: '29000', phase_ends_at: null })
    expect((await alice.get(`/orders/${bid.id}`)).body).toMatchObject({ status: 'FILLED', average_price: '29000', fee: '0.145' })
    await expectEvent(alice, 'trade.executed', { liquidity: 'MAKER', price: '29000' })
    await bob.delete('/orders')
  })
})

test('rules of a market hold at once', async () => {
  const path = '/markets/BTC-USDT/rules'
  expect((await alice.put(path, { collar: '0.01' })).status).toBe(403)
  expect((await operator.put('/markets/XXX-USDT/rules', { collar: '0.01' })).status).toBe(404)
  for (const wrong of [
    { collar: '0.0000001' },
    { collar: '1.1' },
    { maintenance_margin: 1.5 },
    { limit_band: '11' },
    { halt_seconds: 86_400.5 },
  ])
    expect(await operator.put(path, wrong)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', errors: [{ path: Object.keys(wrong)[0] }] },
    })
  const halt = await operator.put(path, { halt_move: '0.1' })
  expect(halt).toMatchObject({ status: 400, body: { errors: [{ path: 'halt_window_seconds' }] } })
  expect(
    (await operator.put(path, { collar: '0.01', limit_band: 0.5, halt_move: '0.1', halt_window_seconds: 60, halt_seconds: 30 })).body,
  ).toMatchObject({
    rules: {
      collar: '0.01',
      limit_band: '0.5',
      maintenance_margin: '0.05',
      halt_move: '0.1',
      halt_window_seconds: 60,
      halt_seconds: 30,
      auction_seconds: 0,
    },
  })
  expect(await place(alice, limit('BUY', '43500.01'))).toMatchObject({ status: 422, code: 'price_collar' })
  await place(bob, limit('SELL', '29500'))
  const taken = await place(alice, { symbol: 'BTC/USDT', side: 'BUY', order_type: 'MARKET', quantity: '0.01' })
  expect(taken).toMatchObject({ status: 'EXPIRED', reject_code: 'price_collar' })
  await bob.delete('/orders')
})

test('a preview says what would happen, and changes nothing', async () => {
  await place(bob, limit('SELL', '29100', 'BTC/USDT', '0.02'))
  const carol = await side.user('carol')
  const before = (await operator.get<{ replicas: unknown[] }>('/reconciliation')).body.replicas
  const preview = (client: Client, order: unknown) => client.post<Record<string, unknown>>('/orders/preview', order)
  expect((await preview(carol, { symbol: 'BTC/USDT', side: 'BUY', order_type: 'MARKET', quantity: '0.01' })).body).toEqual({
    accepted: true,
    reject_code: null,
    estimated_quantity: '0.01',
    estimated_average_price: '29100',
    worst_price: '29100',
    estimated_fee: '0.291',
    required_asset: 'USDT',
    required_amount: '291.291',
    available_after: '99708.709',
    initial_margin: null,
  })
  expect((await preview(carol, limit('BUY', '29100', 'BTC/USDT', '0.03'))).body).toMatchObject({
    accepted: true,
    estimated_quantity: '0.02',
    required_amount: '873.873',
  })
  expect((await preview(carol, limit('SELL', '29100'))).body).toMatchObject({
    accepted: false,
    reject_code: 'insufficient_funds',
    estimated_fee: '0',
  })
  expect((await preview(carol, limit('BUY', '1'))).body).toMatchObject({ accepted: false, reject_code: 'min_notional' })
  expect((await preview(carol, { ...limit('BUY', '29000'), user_id: alice.userId })).status).toBe(403)
  expect((await preview(carol, limit('BUY', '1.001'))).body).toMatchObject({ code: 'tick_size' })
  const after = await eventually(
    () => operator.get<{ replicas: unknown[] }>('/reconciliation'),
    () => true,
  )
  expect(after.body.replicas).toEqual(before)
  await bob.delete('/orders')
})
