import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, type Client } from '../../../test/support/client.ts'
import { startTradingSide, type TradingSide } from '../../../test/support/trading.ts'

/** Fees by tier, transfers, the insurance fund and margin at a running instance. */

let side: TradingSide
let operator: Client
let alice: Client
let bob: Client

beforeAll(async () => {
  side = await startTradingSide()
  operator = side.operator
  alice = await side.user('alice')
  bob = await side.user('bobby')
  await operator.post(`/accounts/${bob.userId}/deposits`, { asset: 'BTC', amount: '5' })
}, 60_000)

afterAll(() => side[Symbol.asyncDispose]())

interface Listed {
  items: { type: string; data: Record<string, unknown> }[]
}
interface Reconciliation {
  assets: { asset: string; insurance: string; difference: string }[]
}
const limit = (of: string, price: string, quantity: string) => ({ symbol: 'BTC/USDT', side: of, order_type: 'LIMIT', quantity, price })
const market = (of: string, quantity: string) => ({ symbol: 'BTC/USDT', side: of, order_type: 'MARKET', quantity })
/** The last event of a type in an account's stream, once it is as it should be: the stream may be a moment behind. */
const lastEvent = async (client: Client, type: string, expected: Record<string, unknown>): Promise<void> => {
  const last = async () => {
    const { body } = await client.get<Listed>(`/accounts/${client.userId}/events?limit=1000`)
    return body.items.findLast((event) => event.type === type)?.data
  }
  const found = await eventually(last, (data) => data?.['amount'] === expected['amount'])
  expect(found).toMatchObject(expected)
}
const usdt = async () => {
  const { body } = await operator.get<Reconciliation>('/reconciliation')
  for (const { difference } of body.assets) expect(difference).toBe('0')
  return body.assets.find(({ asset }) => asset === 'USDT')!
}

test('fees of a tier are set by operators, shown, and paid', async () => {
  const fees = { tier: 2, maker_fee: '0', taker_fee: '0.0004' }
  expect((await alice.put('/fees', fees)).status).toBe(403)
  expect((await operator.put('/fees', { ...fees, symbol: 'XXX/USDT' })).status).toBe(404)
  for (const [wrong, status, path] of [
    [{ symbol: 'BTC/USDT', taker_fee: '0.002' }, 422, 'taker_fee'],
    [{ maker_fee: '0.11' }, 422, 'maker_fee'],
    [{ maker_fee: '0.0000001' }, 400, 'maker_fee'],
    [{ taker_fee: '-1' }, 400, 'taker_fee'],
  ] as const)
    expect(await operator.put('/fees', { ...fees, ...wrong })).toMatchObject({ status, body: { errors: [{ path }] } })
  expect((await operator.put('/fees', { ...fees, tier: 0 })).status).toBe(400)
  expect((await operator.put('/fees', fees)).body).toEqual({ items: [{ symbol: null, ...fees }] })
  await operator.put(`/accounts/${alice.userId}/controls`, { fee_tier: 2 })
  const path = `/accounts/${alice.userId}/fees`
  expect((await bob.get(path)).status).toBe(403)
  expect((await alice.get<{ items: unknown[] }>(path)).body).toMatchObject({
    fee_tier: 2,
    items: expect.arrayContaining([{ symbol: 'BTC/USDT', maker_fee: '0', taker_fee: '0.0004' }]),
  })
  expect((await alice.get('/markets/BTC-USDT')).body).toMatchObject({ taker_fee: '0.001', fee_tiers: [fees] })
  await bob.post('/orders', limit('SELL', '20000', '0.1'))
  expect((await alice.post('/orders', limit('BUY', '20000', '0.1'))).body).toMatchObject({ status: 'FILLED', fee: '0.8' })
})

describe('a transfer', () => {
  test('moves funds once a reference, and stands in both journals', async () => {
    const transfer = { from_user_id: alice.userId, to_user_id: bob.userId, asset: 'USDT', amount: '100.5', reference: 'rent' }
    expect((await alice.post('/transfers', transfer)).status).toBe(403)
    const before = (await bob.get<{ items: { asset: string; total: string }[] }>(`/accounts/${bob.userId}/balances`)).body.items.find(
      ({ asset }) => asset === 'USDT',
    )!
    const done = await operator.post<{ to: { total: string } }>('/transfers', transfer)
    expect(done.status).toBe(201)
    expect(Number(done.body.to.total)).toBe(Number(before.total) + 100.5)
    expect((await operator.post<{ to: { total: string } }>('/transfers', transfer)).body.to.total).toBe(done.body.to.total)
    expect((await operator.post('/transfers', { ...transfer, amount: '1' })).body).toMatchObject({ code: 'reference_reused' })
    expect((await operator.post('/transfers', { ...transfer, to_user_id: 'nobody' })).body).toMatchObject({ code: 'account_not_found' })
    expect((await operator.post('/transfers', { ...transfer, to_user_id: alice.userId })).status).toBe(400)
    expect((await operator.post('/transfers', { ...transfer, asset: 'XXX' })).body).toMatchObject({ code: 'asset_not_found' })
    expect((await operator.post('/transfers', { ...transfer, amount: '1e9', reference: 'r2' })).status).toBe(400)
    expect((await operator.post('/transfers', { ...transfer, amount: '1000000', reference: 'r2' })).body).toMatchObject({
      code: 'insufficient_funds',
    })

    await lastEvent(alice, 'funds.moved', { amount: '-100.5', counterparty: bob.userId, actor: operator.userId, reference: 'rent' })
    await lastEvent(bob, 'funds.moved', { amount: '100.5', counterparty: alice.userId })
    const { body } = await bob.get<{ items: unknown[] }>(`/accounts/${bob.userId}/ledger?limit=1`)
    expect(body.items[0]).toMatchObject({ asset: 'USDT', amount: '100.5', reason: 'transfer', reference: 'rent' })
    await usdt()
  })
})

test('the insurance fund is moved by operators and shown in the reconciliation', async () => {
  const move = { asset: 'USDT', amount: '50', direction: 'IN', reference: 'seed' }
  expect((await alice.post('/insurance', move)).status).toBe(403)
  expect((await operator.post('/insurance', { ...move, asset: 'XXX' })).status).toBe(404)
  expect((await operator.post('/insurance', move)).body).toEqual({ asset: 'USDT', insurance: '50' })
  expect((await operator.post('/insurance', move)).body).toEqual({ asset: 'USDT', insurance: '50' })
  expect((await operator.post('/insurance', { ...move, amount: '51', direction: 'OUT', reference: 'out' })).body).toMatchObject({
    code: 'insufficient_funds',
  })
  expect((await operator.post('/insurance', { ...move, amount: '40', direction: 'OUT', reference: 'out' })).body).toMatchObject({
    insurance: '10',
  })
  expect(await usdt()).toMatchObject({ insurance: '10' })
})

test('the margin of an account is shown', async () => {
  const carol = await side.user('carol')
  const path = `/accounts/${carol.userId}/risk`
  await operator.put(`/accounts/${carol.userId}/mode`, { mode: 'MARGIN' })
  expect((await carol.get(path)).body).toMatchObject({ maintenance_margin: '0', margin_level: null, liquidation: false })
  await bob.post('/orders', limit('BUY', '20000', '1'))
  expect((await carol.post('/orders', market('SELL', '1'))).body).toMatchObject({ status: 'FILLED' })
  // Short 20,000 with 99,980 of its own.
  expect((await carol.get(path)).body).toMatchObject({
    equity: '99980',
    borrowed: '20000',
    initial_margin: '2000',
    maintenance_margin: '1000',
    margin_level: '99.98',
    liquidation: false,
  })
  expect((await operator.post(`/accounts/${carol.userId}/withdrawals`, { asset: 'USDT', amount: '99980' })).body).toMatchObject({
    code: 'insufficient_funds',
  })
})

test('who falls below the maintenance margin is liquidated at the mark, and the journal tells all of it', async () => {
  const dave = await side.user('david')
  const path = `/accounts/${dave.userId}`
  await side.price('BTC/USDT', '20000')
  await operator.put(`${path}/mode`, { mode: 'MARGIN' })
  await operator.post(`${path}/withdrawals`, { asset: 'USDT', amount: '98000' })
  await bob.post('/orders', limit('SELL', '20000', '0.9'))
  expect((await dave.post('/orders', market('BUY', '0.9'))).body).toMatchObject({ status: 'FILLED', fee: '18' })
  await bob.post('/orders', limit('BUY', '18500', '0.9'))
  // 18,000 bought with 1,982: at 18,600 what is left is 722, and 5 % of 16,740 is more.
  await side.price('BTC/USDT', '18600')
  await lastEvent(dave, 'liquidation.fee_paid', { amount: '-83.25', asset: 'USDT', symbol: 'BTC/USDT' })
  expect((await dave.get(`${path}/risk`)).body).toMatchObject({ borrowed: '0', liquidation: false, maintenance_margin: '0' })
  const { body } = await dave.get<{ items: { asset: string; total: string }[] }>(`${path}/balances`)
  // 1,982 - 0.9 × 1,500 - the fee of the trade - that of the liquidation
  expect(body.items).toEqual([expect.objectContaining({ asset: 'USDT', total: '532.1' })])
  const ledger = await dave.get<{ items: { asset: string; amount: string; reason: string }[] }>(`${path}/ledger?limit=1000`)
  expect(ledger.body.items[0]).toMatchObject({ reason: 'liquidation_fee', amount: '-83.25' })
  const sum = ledger.body.items.filter(({ asset }) => asset === 'USDT').reduce((total, { amount }) => total + Number(amount), 0)
  expect(sum).toBeCloseTo(532.1, 8)
  expect(await usdt()).toMatchObject({ insurance: '93.25' })
})
