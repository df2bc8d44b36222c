import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { topics, type OrderData, type TradingEvent } from '@maru/contracts'
import { encodeJsonRecord, openPostgresEventLog, type Consumer } from '@maru/event-log'
import { createPool, migrate } from '@maru/service-host'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { canonicalJson, genesisHash } from '@maru/contracts/account-chain'
import { chainHash } from '../history/chain.ts'
import { History } from '../history/history.ts'
import { postgresHistory, PostgresTables } from '../history/postgres-tables.ts'
import { project } from '../history/project.ts'
import { readHistory } from '../history/reader.ts'
import { eventTextsOf, readEventTexts } from '../publisher/event-texts.ts'
import { orderOf, timestamp } from './order-of.ts'

const store = path.join(import.meta.dirname, '../store')
let database: TestDatabase
let pool: pg.Pool

beforeAll(async () => {
  database = await createTestDatabase()
  pool = createPool(database.urls.trading, { applicationName: 'history-test', onError: () => undefined })
}, 60_000)

afterAll(async () => {
  await pool.end()
  await database[Symbol.asyncDispose]()
})

/** Its id is not used. */
function whole(event: Omit<TradingEvent, 'id' | 'v' | 'timestamp'>): TradingEvent {
  return { id: `${idOf(1)}-0`, v: 1, timestamp, ...event } as TradingEvent
}

const idOf = (number: number): string => number.toString(36).padStart(11, '0')

/** The events of an order that is created and filled in two steps, from `sequence` on: five of them, two of which move the ledger. */
function filledOrder(userId: string, number: number, sequence: number): TradingEvent[] {
  const id = idOf(number)
  const fill = (trade: string) => ({
    trade_id: trade,
    order_id: id,
    client_order_id: id,
    symbol: 'BTC/USDT',
    side: 'BUY' as const,
    price: '10',
    quantity: '0.5',
    notional: '5',
    fee: '0.01',
    fee_asset: 'USDT',
    liquidity: 'TAKER' as const,
    realized_pnl: '0',
    position: { symbol: 'BTC/USDT', quantity: '1', average_price: '10', realized_pnl: '0', fees: '0' },
    balances: [],
  })
  const own = { user_id: userId }
  return [
    whole({ ...own, type: 'order.created', sequence, data: orderOf(id, userId) }),
    whole({ ...own, type: 'trade.executed', sequence: sequence + 1, data: fill(`${id}a`) }),
    whole({
      ...own,
      type: 'order.status_updated',
      sequence: sequence + 2,
      data: orderOf(id, userId, { status: 'PARTIALLY_FILLED', filled_quantity: '0.5' }),
    }),
    whole({ ...own, type: 'trade.executed', sequence: sequence + 3, data: fill(`${id}b`) }),
    whole({
      ...own,
      type: 'order.status_updated',
      sequence: sequence + 4,
      data: orderOf(id, userId, { status: 'FILLED', filled_quantity: '1' }),
    }),
  ] as TradingEvent[]
}

async function write(events: readonly TradingEvent[]): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await project(new PostgresTables(client), eventTextsOf(events).events)
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

describe('tables of an earlier release', () => {
  test('keep their events, hashes, orders and fills', async () => {
    const before = await mkdtemp(path.join(tmpdir(), 'maru-store-'))
    await copyFile(path.join(store, '0001_trading.sql'), path.join(before, '0001_trading.sql'))
    await migrate(pool, 'trading', before)
    await rm(before, { recursive: true })
    const events = filledOrder('old', 900, 1)
    let previous = genesisHash
    for (const event of events) {
      previous = chainHash(previous, event)
      await pool.query('insert into trading.account_events values ($1, $2, $3, $4, $5, $6)', [
        'old',
        event.sequence,
        event.type,
        event.timestamp,
        canonicalJson(event.data),
        Buffer.from(previous, 'hex'),
      ])
    }
    const last = events.at(-1)!.data as OrderData
    await pool.query('insert into trading.orders values ($1, $2, $3, $4, $5, $6, $7)', [
      last.id,
      'old',
      last.id,
      last.symbol,
      last.status,
      5,
      JSON.stringify(last),
    ])

    await migrate(pool, 'trading', store)

    const history = new History(pool)
    const read = await history.events('old', 0, 100)
    expect(read.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5])
    expect(read[0]!.previous_hash).toBe(genesisHash)
    for (const event of read) expect(event.hash).toBe(chainHash(event.previous_hash, event))
    expect(read.at(-1)!.hash).toBe(previous)
    expect(await history.order(last.id)).toEqual(last)
    expect((await history.fillsOf(last)).map(({ trade_id }) => trade_id)).toEqual([`${last.id}a`, `${last.id}b`])
    // The stream goes on from them.
    await write([whole({ user_id: 'old', type: 'mode.changed', sequence: 6, data: { actor: 'op', mode: 'CASH' } })])
    expect((await history.events('old', 5, 10))[0]!.previous_hash).toBe(previous)
  })
})

test('a trade with a quote, which has no order events, is taken: its fill is in the stream, and no order is made of it', async () => {
  const [taken, quote] = [filledOrder('taker', 800, 1), whole({ ...filledOrder('maker', 801, 1)[1]!, sequence: 1 })]
  await write([taken[0]!, taken[1]!, quote, ...taken.slice(2)])

  const history = new History(pool)
  expect((await history.events('maker', 0, 10)).map(({ type }) => type)).toEqual(['trade.executed'])
  expect(await history.orders('maker', { limit: 10 })).toEqual([])
  expect((await history.orders('taker', { limit: 10 })).map(({ status }) => status)).toEqual(['FILLED'])
  const order = await history.order(idOf(800))
  expect(await history.fillsOf(order!)).toHaveLength(2)
})

describe('a stream of many runs', () => {
  const orders = 60
  const all = Array.from({ length: orders }, (_, at) => filledOrder('busy', at + 1, at * 5 + 1)).flat()
  const history = (): History => new History(pool)

  beforeAll(async () => {
    // Records of one event, of some, and of more than a run takes, between those of another account; a fill and what it does to its order are
    // of one command and so of one record.
    const cuts = [0, 1, 3, 10, 21, 143, 150, all.length]
    for (let at = 1; at < cuts.length; at++) {
      const other = whole({ user_id: 'other', type: 'mode.changed', sequence: at, data: { actor: 'op', mode: 'CASH' } })
      await write([...all.slice(cuts[at - 1], cuts[at]), other])
    }
  })

  test.each([
    [0, 1],
    [0, 1_000],
    [6, 1],
    [19, 121],
    [49, 2],
    [139, 60],
    [299, 5],
    [300, 5],
  ])('after %i, %i at most: every number once, chained to the one before', async (after, limit) => {
    const events = await history().events('busy', after, limit)
    expect(events.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: Math.min(limit, all.length - after) }, (_, at) => after + at + 1),
    )
    for (const event of events) {
      expect(event.hash).toBe(chainHash(event.previous_hash, event))
      expect(event.data).toEqual(all[event.sequence - 1]!.data)
    }
    for (let at = 1; at < events.length; at++) expect(events[at]!.previous_hash).toBe(events[at - 1]!.hash)
  })

  test('orders come newest first, as their last events show them, page by page', async () => {
    const seen: OrderData[] = []
    for (let cursor: string | undefined; ;) {
      const page = await history().orders('busy', { limit: 25, cursor })
      if (page.length === 0) break
      seen.push(...page)
      cursor = page.at(-1)!.id
    }
    expect(seen.map(({ id }) => id)).toEqual(Array.from({ length: orders }, (_, at) => idOf(orders - at)))
    for (const found of seen) expect(found).toEqual(orderOf(found.id, 'busy', { status: 'FILLED', filled_quantity: '1' }))
    expect(Object.keys(seen[0]!)[0]).toBe('id')
    expect(await history().orders('busy', { limit: 5, status: 'PENDING' })).toEqual([])
  })

  test('fills of an order whose events lie in several runs', async () => {
    for (const number of [1, 4, 29, 30, orders]) {
      const fills = await history().fillsOf((await history().order(idOf(number)))!)
      expect(fills.map(({ trade_id }) => trade_id)).toEqual([`${idOf(number)}a`, `${idOf(number)}b`])
    }
  })

  test('the journal has three legs a fill, newest first, page by page', async () => {
    const seen: string[] = []
    for (let before: { sequence: number; leg: number } | undefined; ;) {
      const page = await history().ledger('busy', { limit: 7, before })
      if (page.length === 0) break
      seen.push(...page.map(({ sequence, leg }) => `${sequence}-${leg}`))
      before = page.at(-1)!
    }
    const expected = all
      .filter(({ type }) => type === 'trade.executed')
      .flatMap(({ sequence }) => [0, 1, 2].map((leg) => `${sequence}-${leg}`))
      .reverse()
    expect(seen).toEqual(expected)
    expect(await history().ledger('other', { limit: 10 })).toEqual([])
  })

  test('events read twice count once', async () => {
    await write([...all.slice(290), ...all.slice(295)])
    expect(await history().events('busy', 290, 100)).toHaveLength(10)
    expect(await history().fillsOf((await history().order(idOf(orders)))!)).toHaveLength(2)
  })

  test('a number that is missing stops the projection, and nothing of it stays', async () => {
    const [first, , third] = filledOrder('busy', 999, all.length + 1)
    await expect(write([first!, third!])).rejects.toThrow('account busy jumps from event 301 to 303')
    expect(await history().events('busy', all.length, 10)).toEqual([])
  })
})

test(
  'a record that cannot be applied is not set apart: the reader stops before it, and goes on once it can',
  { timeout: 60_000 },
  async () => {
    await using log = await openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'history-test' })
    const writer = await log.exclusiveWriter(topics.tradingEvents, 'history-test')
    const events = filledOrder('apart', 997, 1)
    const record = (from: number, to?: number): Promise<number> =>
      writer.append(encodeJsonRecord(events.slice(from, to).map((event) => JSON.stringify(event))))
    const read = (signal: AbortSignal): Consumer =>
      readHistory({
        log,
        store: postgresHistory(pool),
        decode: readEventTexts,
        indexesRuns: () => true,
        signal,
        logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
      })
    const stop = new AbortController()
    await record(0, 1)
    await record(3)
    await expect(read(stop.signal).done).rejects.toThrow('has set 0 records apart')
    const { rows } = await pool.query<{ count: string }>('select count(*) from trading.poison_records')
    expect(rows[0]!.count).toBe('0')
    expect((await new History(pool).events('apart', 0, 10)).map(({ sequence }) => sequence)).toEqual([1])

    // What was missing is there now, as after a mended release.
    await write(events.slice(1, 3))
    const again = read(stop.signal)
    await again.waitUntil(await log.head(topics.tradingEvents))
    expect((await new History(pool).events('apart', 0, 10)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5])
    stop.abort()
    await again.done
  },
)
