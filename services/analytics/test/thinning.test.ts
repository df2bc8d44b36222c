import { expect, test } from 'vitest'
import { thin } from '../retention/thin.ts'
import { Account, priced } from './events.ts'
import { openAnalytics, until, type Analytics } from './open.ts'

const day = (number: number, hour = 0, minute = 0): string => new Date(Date.UTC(2026, 0, number, hour, minute)).toISOString()
const config = { detailDays: 5, historyDays: 20 }

async function count(analytics: Analytics, table: string): Promise<number> {
  const { rows } = await analytics.pool.query<{ n: number }>(`select count(*)::int as n from ${table}`)
  return rows[0]?.n ?? -1
}

test('older detail becomes one state and one sum an hour, and the figures at whole hours stay what they were', async () => {
  // Kept long here, so that the service's own run changes nothing.
  await using analytics = await openAnalytics({ MARU_ANALYTICS_DETAIL_DAYS: '3000', MARU_ANALYTICS_HISTORY_DAYS: '36500' })
  const frank = new Account('frank')
  await analytics.trading([frank.opened(day(1)), frank.moved(day(1), 'USDT', '1000', '1000', 'grant')])
  for (let number = 1; number <= 40; number++) {
    const isBuy = number % 2 === 1
    const at = day(1, 1 + Math.floor(number / 10), number % 10)
    const cash = (1000 - number * 0.1 - (isBuy ? 10 : 0)).toFixed(1)
    const position: [string, string] = isBuy ? ['1', '10'] : ['0', '0']
    await analytics.trading([
      frank.traded(at, {
        side: isBuy ? 'BUY' : 'SELL',
        price: '10',
        quantity: '1',
        fee: '0.1',
        position,
        totals: { BTC: isBuy ? '1' : '0', USDT: cash },
      }),
    ])
    await analytics.prices([priced(at, 'BTC/USDT', String(10 + (number % 3)))])
  }
  await analytics.prices([priced(day(10), 'BTC/USDT', '10')])
  const last = await analytics.trading([frank.moved(day(10), 'USDT', '4', '1000')])
  expect(last).toBeGreaterThan(40)
  await until(async () => (await count(analytics, 'marks')) === 41)
  const asked = [`/equity/frank?from=${day(1)}&to=${day(12)}&interval=1h`, `/performance/frank?from=${day(1)}&to=${day(12)}`]
  const figures = async () => {
    const [equity, performance] = await Promise.all(asked.map((path) => analytics.get(path)))
    return { items: equity?.body['items'], total: performance?.body['total'] }
  }
  const before = await figures()
  expect(await count(analytics, 'fills')).toBe(40)

  const signal = new AbortController().signal
  const hours = await Promise.all([thin(analytics.pool, config, signal), thin(analytics.pool, config, signal)])
  expect(hours[0] + hours[1]).toBeGreaterThanOrEqual(5)
  expect(await figures()).toEqual(before)
  expect(await count(analytics, 'fills')).toBe(0)
  expect(await count(analytics, 'fill_hours')).toBe(4)
  expect(await count(analytics, 'positions')).toBe(4)
  expect(await count(analytics, 'marks')).toBe(5)
  expect(await thin(analytics.pool, config, signal)).toBe(0)
})

test('what is older than the history goes, but for the last state before it', async () => {
  await using analytics = await openAnalytics({ MARU_ANALYTICS_DETAIL_DAYS: '3000', MARU_ANALYTICS_HISTORY_DAYS: '36500' })
  const gina = new Account('gina')
  await analytics.trading([gina.opened(day(1)), gina.moved(day(1), 'USDT', '1000', '1000', 'grant')])
  await analytics.trading([
    gina.moved(day(2), 'USDT', '5', '1005'),
    gina.moved(day(25), 'USDT', '5', '1010'),
    gina.moved(day(40), 'USDT', '5', '1015'),
  ])
  expect((await analytics.get('/equity/gina')).status).toBe(200)
  await thin(analytics.pool, config, new AbortController().signal)
  const { rows } = await analytics.pool.query<{ total: string }>('select total from balances order by at')
  expect(rows.map((row) => row.total)).toEqual(['1005', '1010', '1015'])
})
