import { minuteMs, type Candle } from '@maru/domain/candles'
import { createLogger, createPool } from '@maru/service-host'
import { expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/support/postgres.ts'
import { MarketFeed } from '../real-time/market-feed.ts'
import type { Tick } from '../source.ts'
import { storeBatch, trimBatches, type TickBatch } from '../store/batch-store.ts'
import { upsertCandles } from '../store/candle-store.ts'
import { migrateMarketData } from './support/instance.ts'

/** A whole minute a few minutes ago. */
const minute0 = Math.floor(Date.now() / minuteMs) * minuteMs - 5 * minuteMs
const symbol = 'BTC/USDT'

function tick(atMs: number, quantity: number): Tick {
  return { symbol, timeMs: minute0 + atMs, price: 100, bid: 99, ask: 101, quantity, side: 'BUY', sources: ['test'] }
}

function candle(minute: number, volume: number, trades: number): Candle {
  return { startMs: minute0 + minute * minuteMs, open: 100, high: 100, low: 100, close: 100, volume: BigInt(volume), trades }
}

async function market() {
  const database = await createTestDatabase()
  const pool = createPool(database.urls['market-data'], { applicationName: 'feed', onError: () => undefined })
  await migrateMarketData(pool)
  const said: string[] = []
  const logger = createLogger({
    service: 'market-data',
    instanceId: 'feed',
    level: 'warn',
    destination: { write: (line: string) => said.push(line) },
  })
  return {
    pool,
    said,
    store: (part: Partial<TickBatch>) => storeBatch(pool, { id: 0, storedMs: 0, feed: 'test', countsTrades: true, ticks: [], ...part }),
    save: (...candles: Candle[]) =>
      upsertCandles(
        pool,
        'test',
        candles.map((one) => ({ symbol, candle: one })),
      ),
    /** Batches stored by now are as old as those that are dropped. */
    async drop() {
      await pool.query(`update tick_batches set made_at = made_at - interval '10 minutes'`)
      await trimBatches(pool, 180)
    },
    feed: () => new MarketFeed(pool, logger),
    async [Symbol.asyncDispose]() {
      await pool.end()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** Minute, volume and trades of each candle that a feed has. */
function shown(feed: MarketFeed): [minute: number, volume: number, trades: number | null][] {
  return feed.state.bySymbol
    .get(symbol)!
    .window.candles.map(({ startMs, volume, trades }) => [(startMs - minute0) / minuteMs, Number(volume), trades])
}

test('a minute that the last leader left half written, and the next tells again from its start, is counted once', async () => {
  await using db = await market()
  const feed = db.feed()
  await db.store({ ticks: [tick(0, 1), tick(60_000, 2), tick(70_000, 3)] })
  await db.save(candle(0, 1, 1))
  await feed.catchUp()
  // The last leader stops within minute 1 and writes what it has of it; the next begins the minute anew.
  await db.save(candle(1, 5, 2))
  await db.store({ resetFromMs: minute0 + minuteMs })
  // Its history is complete before its first ticks are there.
  await db.store({ reloadUptoMs: minute0 + minuteMs })
  await db.store({ ticks: [tick(60_000, 2), tick(70_000, 3), tick(80_000, 4)] })
  await feed.catchUp()
  expect(shown(feed)).toEqual([
    [0, 1, 1],
    [1, 9, 3],
  ])
})

test('an instance that comes minutes later shows what one shows that was there all the time', async () => {
  await using db = await market()
  await db.save(candle(-2, 7, 2), candle(-1, 8, 2))
  const early = db.feed()
  await db.store({ resetFromMs: minute0 })
  await db.store({ reloadUptoMs: minute0 })
  for (let second = 0; second < 200; second++) await db.store({ ticks: [tick(second * 1_000, 1)] })
  await early.catchUp()
  // The leader writes each minute when it is over, while its batches are still kept.
  await db.save(candle(0, 60, 60), candle(1, 60, 60), candle(2, 60, 60))
  const late = db.feed()
  await late.catchUp()
  expect(shown(late)).toEqual([
    [-2, 7, 2],
    [-1, 8, 2],
    [0, 60, 60],
    [1, 60, 60],
    [2, 60, 60],
    [3, 20, 20],
  ])
  expect(shown(late)).toEqual(shown(early))
})

test('an instance that comes when only the middle of a minute is kept takes that minute from the table, also where the first batch has no ticks', async () => {
  await using db = await market()
  await db.store({ ticks: [tick(0, 1)] })
  await db.drop()
  const stored = await db.store({})
  await db.pool.query(`update tick_batches set made_at = to_timestamp($1) where id = $2`, [(minute0 + 30_000) / 1_000, stored])
  await db.store({ ticks: [tick(40_000, 2), tick(60_000, 4)] })
  await db.save(candle(0, 3, 2))
  const feed = db.feed()
  await feed.catchUp()
  expect(shown(feed)).toEqual([
    [0, 3, 2],
    [1, 4, 1],
  ])
})

test('an instance that stood still for longer than batches are kept reads the minutes it missed from the table', async () => {
  await using db = await market()
  const feed = db.feed()
  await db.store({ resetFromMs: minute0 })
  await db.store({ ticks: [tick(0, 1)] })
  await feed.catchUp()
  expect(shown(feed)).toEqual([[0, 1, 1]])
  // A number that is missing for an insert that failed is no loss.
  await db.pool.query(`select nextval(pg_get_serial_sequence('tick_batches', 'id'))`)
  await db.store({ ticks: [tick(10_000, 1)] })
  await feed.catchUp()
  expect(shown(feed)).toEqual([[0, 2, 2]])
  expect(db.said).toEqual([])

  await db.store({ ticks: [tick(20_000, 1), tick(60_000, 1), tick(120_000, 1)] })
  await db.drop()
  await db.store({ ticks: [tick(130_000, 1), tick(180_000, 1)] })
  await db.save(candle(0, 3, 3), candle(1, 1, 1), candle(2, 2, 2))
  await feed.catchUp()
  expect(shown(feed)).toEqual([
    [0, 3, 3],
    [1, 1, 1],
    [2, 2, 2],
    [3, 1, 1],
  ])
  expect(db.said).toHaveLength(1)
  expect(db.said[0]).toContain('batches were dropped before they were read')
})

test('an instance that takes the lead while it still follows applies each batch once', async () => {
  await using db = await market()
  await db.store({ ticks: [tick(0, 1)] })
  for (let second = 60; second < 90; second++) await db.store({ ticks: [tick(second * 1_000, 1)] })
  const feed = db.feed()
  // Both have a connection at once, so that both read before either has applied anything.
  await Promise.all([db.pool.query('select pg_sleep(0.05)'), db.pool.query('select pg_sleep(0.05)')])
  await Promise.all([feed.catchUp(), feed.catchUp()])
  expect(shown(feed)).toEqual([[1, 30, 30]])
})
