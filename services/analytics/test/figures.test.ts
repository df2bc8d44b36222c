import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EquityPoint, Performance } from '@maru/contracts/http/analytics'
import { Account, priced } from './events.ts'
import { openAnalytics, until, type Analytics } from './open.ts'

/**
 * One account, computed by hand. Opened with 100,000; buys 0.5 BTC at 64,000 (fee 32); the mark rises to 66,000; deposits 10,000 USDT and
 * 0.1 BTC; sells 0.2 BTC at 66,000 (fee 13.2; average after the deposit (0.5 × 64,000 + 0.1 × 66,000) ÷ 0.6 = 64,333.33…, so it gains 333.33…).
 */
let analytics: Analytics
const alice = new Account('alice')
const minute = (number: number, second = 0): string => new Date(Date.UTC(2026, 0, 5, 9, number, second)).toISOString()
const query = `from=${minute(0)}&to=${minute(30)}`

beforeAll(async () => {
  analytics = await openAnalytics()
  await analytics.prices([
    priced(minute(0), 'BTC/USDT', '64000'),
    priced(minute(5), 'BTC/USDT', '65000'),
    priced(minute(5, 30), 'BTC/USDT', '65500'),
  ])
  await analytics.prices([priced(minute(8), 'BTC/USDT', '66000'), priced(minute(8), 'ETH/USDT', '3000')])
  await analytics.trading([alice.opened(minute(0, 1)), alice.moved(minute(0, 1), 'USDT', '100000', '100000', 'grant')])
  await analytics.trading([
    alice.traded(minute(2), {
      side: 'BUY',
      price: '64000',
      quantity: '0.5',
      fee: '32',
      position: ['0.5', '64000'],
      totals: { BTC: '0.5', USDT: '67968' },
    }),
  ])
  await analytics.trading([alice.moved(minute(9), 'USDT', '10000', '77968'), alice.moved(minute(9), 'BTC', '0.1', '0.6')])
  await analytics.trading([
    alice.traded(minute(10), {
      side: 'SELL',
      price: '66000',
      quantity: '0.2',
      fee: '13.2',
      realized: '333.33333333',
      position: ['0.4', '64333.33333333'],
      totals: { BTC: '0.4', USDT: '91154.8' },
    }),
  ])
  await until(async () => (await analytics.pool.query<{ n: string }>('select count(*) as n from marks')).rows[0]?.n === '4')
})

afterAll(() => analytics[Symbol.asyncDispose]())

describe('equity', () => {
  test('the curve is the balances at the marks of the time', async () => {
    const { status, body } = await analytics.get(`/equity/alice?${query}&interval=1m`)
    expect(status).toBe(200)
    const items = body['items'] as EquityPoint[]
    const at = (time: string) => items.find((point) => point.time === time)
    expect(items[0]).toEqual({ time: minute(0, 1), equity: '100000', cash: '100000', positions_value: '0' })
    expect(at(minute(1))?.equity).toBe('100000')
    expect(at(minute(2))).toEqual({ time: minute(2), equity: '99968', cash: '67968', positions_value: '32000' })
    // Within its minute a mark counts from its moment: at 9:05:00 only the last mark of an earlier minute is known.
    expect(at(minute(5))?.equity).toBe('99968')
    expect(at(minute(6))?.equity).toBe('100718')
    expect(at(minute(8))?.equity).toBe('100968')
    expect(at(minute(9))).toEqual({ time: minute(9), equity: '117568', cash: '77968', positions_value: '39600' })
    expect(items.at(-1)).toEqual({ time: minute(30), equity: '117554.8', cash: '91154.8', positions_value: '26400' })
    expect(body).toMatchObject({ next_cursor: null, interval: '1m', as_of: { sequence: 6 } })
  })

  test('without bounds it runs from the opening until now, with a fair number of points', async () => {
    const before = Date.now()
    const { body } = await analytics.get('/equity/alice')
    const items = body['items'] as EquityPoint[]
    expect(items[0]?.time).toBe(minute(0, 1))
    expect(Date.parse(items.at(-1)?.time ?? '')).toBeGreaterThanOrEqual(before)
    expect(items.at(-1)?.equity).toBe('117554.8')
    expect(items.length).toBeLessThanOrEqual(502)
    expect(Date.parse((body['as_of'] as { time: string }).time)).toBeGreaterThanOrEqual(before)
  })

  test('a time before the account gives no points, and one within a minute is one point', async () => {
    expect((await analytics.get('/equity/alice?to=2020-01-01')).body['items']).toEqual([])
    const { body } = await analytics.get(`/equity/alice?from=${minute(9, 30)}&to=${minute(9, 30)}`)
    expect((body['items'] as EquityPoint[]).map((point) => point.equity)).toEqual(['117568'])
  })

  test('what has just happened is seen by the next question', async () => {
    const bob = new Account('bob')
    const opened = new Date(Date.now() - 1_000).toISOString()
    await analytics.trading([bob.opened(opened), bob.moved(opened, 'USDT', '100000', '100000', 'grant')])
    for (let number = 1; number <= 20; number++) {
      await analytics.trading([bob.moved(new Date().toISOString(), 'USDT', '1', String(100_000 + number))])
      const { body } = await analytics.get('/equity/bob')
      expect((body['items'] as EquityPoint[]).at(-1)?.equity).toBe(String(100_000 + number))
      expect((body['as_of'] as { sequence: number }).sequence).toBe(2 + number)
    }
  })
})

describe('performance', () => {
  test('profit by symbol and in all; deposits are none', async () => {
    const { status, body } = await analytics.get(`/performance/alice?${query}`)
    expect(status).toBe(200)
    const figures = body as unknown as Performance
    expect(figures.symbols).toEqual([
      {
        symbol: 'BTC/USDT',
        quantity: '0.4',
        // 0.4 × (66,000 − 64,333.33…) = 666.67; realised 333.33 less fees of 45.2; together 954.8, which is 117,554.8 − 100,000 − 16,600.
        total_pnl: '954.8',
        realized_pnl: '288.13333333',
        unrealized_pnl: '666.66666667',
        fees: '45.2',
        volume: '45200',
        trades: 2,
        win_rate: 1,
      },
    ])
    expect(figures.total).toMatchObject({ total_pnl: '954.8', trades: 2, fees: '45.2' })
    expect(figures).toMatchObject({ start_equity: '100000', end_equity: '117554.8', net_deposits: '16600', currency: 'USDT' })
    // (100,968 ÷ 100,000) × (117,554.8 ÷ 117,568) − 1
    expect(figures.return).toBeCloseTo((100_968 / 100_000) * (117_554.8 / 117_568) - 1, 9)
    expect(figures.max_drawdown).toBeCloseTo(-0.00032, 9)
    expect(figures.sharpe_ratio).toBeNull()
  })

  test('a part of the time has only the profit of that part', async () => {
    const { body } = await analytics.get(`/performance/alice?from=${minute(6)}&to=${minute(9, 30)}`)
    // From 65,500 to 66,000 on 0.5; the deposits change nothing, and their BTC is in the position at its own mark.
    expect(body).toMatchObject({
      total: { total_pnl: '250', realized_pnl: '0', trades: 0, win_rate: null },
      start_equity: '100718',
      end_equity: '117568',
      net_deposits: '16600',
    })
    expect(body['symbols']).toMatchObject([{ symbol: 'BTC/USDT', quantity: '0.6', unrealized_pnl: '1000' }])
  })

  test('a withdrawal is no loss: the gain it carries away stays in the total', async () => {
    const henry = new Account('henry')
    await analytics.prices([priced(minute(1), 'ADA/USDT', '100'), priced(minute(3), 'ADA/USDT', '150')])
    await analytics.trading([
      henry.opened(minute(1)),
      henry.moved(minute(1), 'USDT', '1000', '1000', 'grant'),
      henry.traded(minute(2), {
        side: 'BUY',
        symbol: 'ADA/USDT',
        price: '100',
        quantity: '1',
        fee: '0',
        position: ['1', '100'],
        totals: { ADA: '1', USDT: '900' },
      }),
      henry.moved(minute(4), 'ADA', '-0.4', '0.6', 'withdrawal'),
    ])
    await until(async () => (await analytics.pool.query("select 1 from marks where symbol = 'ADA/USDT'")).rowCount === 2)
    const { body } = await analytics.get(`/performance/henry?${query}`)
    expect(body).toMatchObject({
      total: { total_pnl: '50', realized_pnl: '0', unrealized_pnl: '30' },
      symbols: [{ symbol: 'ADA/USDT', quantity: '0.6' }],
      start_equity: '1000',
      end_equity: '990',
      net_deposits: '-60',
    })
    expect(body['return']).toBeCloseTo(0.05, 9)
  })

  test('an account that never traded has nothing, and no error', async () => {
    const carol = new Account('carol')
    const opened = new Date(Date.now() - 1_000).toISOString()
    await analytics.trading([carol.opened(opened)])
    const { status, body } = await analytics.get('/performance/carol')
    expect(status).toBe(200)
    expect(body).toMatchObject({ symbols: [], total: { total_pnl: '0', trades: 0 }, start_equity: '0', end_equity: '0', return: null })
  })

  test('a house account is counted by the hour', async () => {
    const house = new Account('system-house')
    await analytics.trading([
      house.opened(minute(0)),
      house.traded(minute(2), {
        side: 'SELL',
        price: '64000',
        quantity: '0.5',
        fee: '3',
        position: ['-0.5', '64000'],
        totals: { BTC: '-0.5', USDT: '31997' },
      }),
      house.traded(minute(2, 20), {
        side: 'BUY',
        price: '63000',
        quantity: '0.5',
        fee: '3',
        realized: '500',
        position: ['0', '0'],
        totals: { BTC: '0', USDT: '494' },
      }),
    ])
    const { body } = await analytics.get(`/performance/system-house?${query}`, { sub: 'op', roles: ['operator'] })
    expect(body).toMatchObject({
      total: { total_pnl: '494', realized_pnl: '494', trades: 2, win_rate: 1, volume: '63500' },
      end_equity: '494',
    })
    const { rows } = await analytics.pool.query("select count(*)::int as n from balances where user_id = 'system-house'")
    expect(rows).toEqual([{ n: 2 }])
  })
})

describe('refusals', () => {
  test.each([
    ['/equity/alice', { sub: 'mallory' }, 403, 'forbidden'],
    ['/performance/alice', { sub: 'mallory' }, 403, 'forbidden'],
    ['/equity/nobody', { sub: 'mallory' }, 403, 'forbidden'],
    ['/equity/nobody', { sub: 'nobody' }, 404, 'account_not_found'],
    ['/performance/nobody', { sub: 'op', roles: ['operator'] }, 404, 'account_not_found'],
    ['/equity/alice?interval=2m', undefined, 400, 'invalid_request'],
    ['/equity/alice?interval=1m', undefined, 400, 'invalid_request'],
    ['/equity/alice?from=yesterday', undefined, 400, 'invalid_request'],
    ['/equity/alice?from=2026-13-45', undefined, 400, 'invalid_request'],
    ['/equity/alice?from=999999999999999', undefined, 200, undefined],
    ['/equity/alice?from=NaN', undefined, 400, 'invalid_request'],
    ['/equity/alice?from=1e400', undefined, 400, 'invalid_request'],
    ['/equity/alice?from=-1', undefined, 400, 'invalid_request'],
    ['/equity/alice?form=2026-01-01', undefined, 400, 'invalid_request'],
    ['/equity/alice?from=2026-01-02&to=2026-01-01', undefined, 400, 'invalid_request'],
    ['/performance/alice?from=2026-01-02&to=2026-01-01', undefined, 400, 'invalid_request'],
    ['/performance/alice?interval=1m', undefined, 400, 'invalid_request'],
    ['/performance/alice?from=2999-01-01', undefined, 200, undefined],
    [`/equity/${'a'.repeat(65)}`, undefined, 400, 'invalid_request'],
    ['/equity/a%20b', undefined, 400, 'invalid_request'],
  ] as const)('%s as %j: %i', async (path, claims, expected, code) => {
    const { status, body } = await analytics.get(path, claims)
    expect([status, body['code']]).toEqual([expected, code])
  })

  test('an operator sees any account', async () => {
    expect((await analytics.get('/equity/alice', { sub: 'op', roles: ['operator'] })).status).toBe(200)
  })
})
