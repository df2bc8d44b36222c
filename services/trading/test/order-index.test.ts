import path from 'node:path'
import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FillData, OrderData, TradingEvent } from '@maru/contracts'
import { createPool, migrate } from '@maru/service-host'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { History } from '../history/history.ts'
import { PostgresTables } from '../history/postgres-tables.ts'
import { orderSpanMax, project } from '../history/project.ts'
import { eventTextsOf } from '../publisher/event-texts.ts'
import { formatId } from '../wire/order-id.ts'
import { orderOf, timestamp } from './order-of.ts'

/**
 * Orders are indexed by the runs of events that they begin in, or by a row each as releases before rules 4 read them. Whoever asks must not be able to tell.
 */

let database: TestDatabase
let pool: pg.Pool
let history: History

beforeAll(async () => {
  database = await createTestDatabase()
  pool = createPool(database.urls.trading, { applicationName: 'order-index-test', onError: () => undefined })
  await migrate(pool, 'trading', path.join(import.meta.dirname, '../store'))
  history = new History(pool)
}, 60_000)

afterAll(async () => {
  await pool.end()
  await database[Symbol.asyncDispose]()
})

const symbols = ['BTC/USDT', 'ETH/USDT', 'ADA/USDT']
const statuses = ['PENDING', 'PARTIALLY_FILLED', 'FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED'] as const

/** What happens to the account next. `pick` chooses among the orders that are open. */
type Step =
  | { is: 'place'; symbol: number; hasClientId: boolean; gap: number }
  | { is: 'reject'; hasClientId: boolean }
  | { is: 'list' }
  | { is: 'fill'; pick: number; isLast: boolean }
  | { is: 'end'; pick: number; status: 'CANCELLED' | 'EXPIRED' }
  | { is: 'other' }

/** The stream of an account to which that happens, each step one or a few events; order numbers begin after `base`. */
function streamOf(userId: string, base: number, steps: readonly Step[]): TradingEvent[][] {
  let sequence = 0
  let number = base
  let fills = 0
  const open: OrderData[] = []
  const event = (type: TradingEvent['type'], data: unknown): TradingEvent =>
    ({ id: `${formatId(1)}-0`, v: 1, timestamp, user_id: userId, type, sequence: ++sequence, data }) as TradingEvent
  const order = (symbol: string, hasClientId: boolean): OrderData => {
    const id = formatId(++number)
    return orderOf(id, userId, { client_order_id: hasClientId ? `mine-${number - base}` : id, symbol })
  }
  const changed = (at: number, change: Partial<OrderData>): TradingEvent => {
    const now = { ...open[at]!, ...change }
    if (now.status === 'PARTIALLY_FILLED') open[at] = now
    else open.splice(at, 1)
    return event('order.status_updated', now)
  }
  return steps.map((step) => {
    switch (step.is) {
      case 'place': {
        number += step.gap
        const placed = order(symbols[step.symbol]!, step.hasClientId)
        open.push(placed)
        return [event('order.created', placed)]
      }
      case 'reject':
        return [event('order.rejected', { ...order('BTC/USDT', step.hasClientId), status: 'REJECTED', reject_code: 'price_collar' })]
      case 'list': {
        const legs = [order('BTC/USDT', false), order('BTC/USDT', true)]
        open.push(...legs)
        const list = { id: legs[0]!.id, client_list_id: null, symbol: 'BTC/USDT', type: 'OCO', order_ids: legs.map(({ id }) => id) }
        return [...legs.map((leg) => event('order.created', leg)), event('order_list.created', list)]
      }
      case 'fill': {
        if (open.length === 0) return []
        const at = step.pick % open.length
        const trade = {
          trade_id: `t${++fills}`,
          order_id: open[at]!.id,
          symbol: open[at]!.symbol,
          side: 'BUY',
          price: '10',
          quantity: '0.1',
        }
        const more = { notional: '1', fee: '0', fee_asset: 'USDT', liquidity: 'MAKER', realized_pnl: '0', position: {}, balances: [] }
        return [event('trade.executed', { ...trade, ...more }), changed(at, { status: step.isLast ? 'FILLED' : 'PARTIALLY_FILLED' })]
      }
      case 'end':
        return open.length === 0 ? [] : [changed(step.pick % open.length, { status: step.status })]
      case 'other':
        return [event('mode.changed', { actor: 'op', mode: 'CASH' })]
      default:
        return step satisfies never
    }
  })
}

/** Writes the steps in transactions of so many each, in turn; the first `before` steps as a release without rules 4 would. */
async function write(steps: readonly TradingEvent[][], sizes: readonly number[], before: number): Promise<void> {
  for (let at = 0, turn = 0; at < steps.length; turn++) {
    const size = sizes[turn % sizes.length]!
    const client = await pool.connect()
    try {
      await client.query('begin')
      const texts = eventTextsOf(steps.slice(at, at + size).flat())
      await project(new PostgresTables(client), texts.events, { indexesRuns: at >= before })
      await client.query('commit')
    } finally {
      client.release()
    }
    at += size
  }
}

/** All that can be asked of a user's orders, numbers counted from `base`. */
async function answers(userId: string, base: number, orders: number): Promise<unknown> {
  const plain = (order: OrderData | undefined): unknown =>
    order && {
      ...order,
      id: Number.parseInt(order.id, 36) - base,
      user_id: '',
      client_order_id: order.client_order_id === order.id ? '' : order.client_order_id,
    }
  const plainFill = ({ trade_id }: FillData): string => trade_id
  const lists: unknown[] = []
  for (const status of [undefined, ...statuses]) {
    for (const symbol of [undefined, ...symbols]) {
      const all = await history.orders(userId, { status, symbol, limit: 1_000 })
      const paged: OrderData[] = []
      for (let cursor: string | undefined; ;) {
        const page = await history.orders(userId, { status, symbol, limit: 7, cursor })
        paged.push(...page)
        if (page.length < 7) break
        cursor = page.at(-1)!.id
      }
      expect(paged).toEqual(all)
      expect(await history.orders(userId, { status, symbol, limit: 5, offset: 3 })).toEqual(all.slice(3, 8))
      lists.push(all.map(plain))
    }
  }
  const single: unknown[] = []
  for (let number = 1; number <= orders; number++) {
    const id = formatId(base + number)
    const order = await history.order(id, userId)
    expect(await history.order(id)).toEqual(order)
    expect(await history.order(id, 'nobody')).toBeUndefined()
    expect(await history.orderOfClientId('nobody', `mine-${number}`)).toBeUndefined()
    single.push([
      plain(order),
      order ? (await history.fillsOf(order)).map(plainFill) : [],
      plain(await history.orderOfClientId(userId, `mine-${number}`)),
    ])
  }
  return { lists, single }
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ is: fc.constant('place' as const), symbol: fc.nat(2), hasClientId: fc.boolean(), gap: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('reject' as const), hasClientId: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ is: 'list' as const }) },
  { weight: 5, arbitrary: fc.record({ is: fc.constant('fill' as const), pick: fc.nat(20), isLast: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      is: fc.constant('end' as const),
      pick: fc.nat(20),
      status: fc.constantFrom('CANCELLED' as const, 'EXPIRED' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ is: 'other' as const }) },
)

test('orders found by their runs, by rows, and by both after a switch in the middle are the same', { timeout: 120_000 }, async () => {
  let cases = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 30, maxLength: 120, size: 'max' }),
      fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 20, max: 60 })), { minLength: 1, maxLength: 4 }),
      fc.nat(120),
      async (steps, sizes, switched) => {
        cases += 1
        const found: unknown[] = []
        for (const [kind, before] of [Infinity, 0, switched].entries()) {
          const userId = `user-${cases}-${kind}`
          // Beyond the span in which an order of anybody is looked for.
          const base = (cases * 3 + kind) * (orderSpanMax * 2)
          await write(streamOf(userId, base, steps), sizes, before)
          found.push(await answers(userId, base, 2 * steps.length))
        }
        expect(found[1]).toEqual(found[0])
        expect(found[2]).toEqual(found[0])
      },
    ),
    { numRuns: 10 },
  )
})

test('a transaction of orders that lie far apart and of many accounts: each is found, also without its account', async () => {
  const base = 900_000_000
  const place: Step = { is: 'place', symbol: 0, hasClientId: false, gap: 0 }
  const far: Step = { ...place, gap: orderSpanMax }
  const streams = Array.from({ length: 40 }, (_, at) =>
    streamOf(`crowd-${at}`, base + at, [place, { ...place, gap: 39 }, far, { ...place, gap: 39 }]),
  )
  const client = await pool.connect()
  await client.query('begin')
  await project(new PostgresTables(client), eventTextsOf(streams.flat(2)).events)
  await client.query('commit')
  client.release()
  for (let at = 0; at < 40; at++) {
    const ids = (await history.orders(`crowd-${at}`, { limit: 10 })).map(({ id }) => id)
    expect(ids).toHaveLength(4)
    for (const id of ids) expect((await history.order(id))?.user_id).toBe(`crowd-${at}`)
  }
  expect(await history.newestOrder()).toBe(base + 39 + 1 + 40 + orderSpanMax + 1 + 40)
  expect(await history.order(formatId(base + 200_000))).toBeUndefined()
  const { rows } = await pool.query<{ count: string }>(`select count(*) from trading.orders where user_id like 'crowd-%'`)
  expect(rows[0]!.count).toBe('0')
})

/** A pool that counts what it is asked, and does something before a question that holds a text. */
function watched(): { pool: pg.Pool; asked: () => number; before: (text: string, work: () => Promise<unknown>) => void } {
  let count = 0
  let hook: { text: string; work: () => Promise<unknown> } | undefined
  const query = async (question: string | pg.QueryConfig, values?: unknown[]): Promise<unknown> => {
    count += 1
    const due = hook && (typeof question === 'string' ? question : question.text).includes(hook.text) ? hook : undefined
    if (due) {
      hook = undefined
      await due.work()
    }
    return pool.query(question as string, values)
  }
  return { pool: { query } as unknown as pg.Pool, asked: () => count, before: (text, work) => (hook = { text, work }) }
}

test('a list of someone all of whose orders have rows asks a few questions, however many orders there are', async () => {
  const base = 950_000_000
  const placed = Array.from({ length: 600 }, (): Step => ({ is: 'place', symbol: 0, hasClientId: false, gap: 0 }))
  const ended = placed.map((): Step => ({ is: 'end', pick: 0, status: 'CANCELLED' }))
  // Each in a transaction of its own, as someone places them who is not busy.
  await write(streamOf('maker', base, [...placed, ...ended]), [1], 0)
  const { pool: counting, asked } = watched()
  const listed = await new History(counting).orders('maker', { limit: 20 })
  expect(listed.map(({ id, status }) => [id, status])).toEqual(
    Array.from({ length: 20 }, (_, at) => [formatId(base + 600 - at), 'CANCELLED']),
  )
  expect(asked()).toBeLessThan(8)
  const symbol = new History(watched().pool).orders('maker', { limit: 5, offset: 590, symbol: 'BTC/USDT' })
  expect((await symbol).map(({ id }) => id)).toEqual(Array.from({ length: 5 }, (_, at) => formatId(base + 10 - at)))
})

test('what is committed between two looks of one list is left to the next list, so that no page ever misses it', async () => {
  const base = 970_000_000
  const place: Step = { is: 'place', symbol: 0, hasClientId: false, gap: 0 }
  const stream = streamOf('racer', base, [place, place, place, place, { is: 'list' }])
  await write(stream.slice(0, 3), [1], 0)
  const racing = watched()
  racing.before('select id, sequence from trading.orders', () => write(stream.slice(3), [2], 0))
  const looking = new History(racing.pool)
  const first = await looking.orders('racer', { limit: 2 })
  const second = await looking.orders('racer', { limit: 10, cursor: first.at(-1)!.id })
  expect([...first, ...second].map(({ id }) => id)).toEqual([3, 2, 1].map((number) => formatId(base + number)))
  expect((await looking.orders('racer', { limit: 10 })).map(({ id }) => id)).toEqual(
    [6, 5, 4, 3, 2, 1].map((number) => formatId(base + number)),
  )
  expect(await looking.orders('racer', { limit: 10, cursor: 'no id' })).toEqual([])
})
