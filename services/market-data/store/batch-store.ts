import type { Sources } from '@maru/contracts/http/market-data'
import type { Tick } from '../source.ts'
import type { Queryable } from './candle-store.ts'

/**
 * What the leading instance saw since its last batch. Every instance, the leader included, applies batches in the order of their
 * ids and nothing else, so all show the same prices.
 */
export interface TickBatch {
  /** 0 until stored. */
  id: number
  /** When it was stored, by the clock of the database; now, until then. */
  storedMs: number
  feed: string
  ticks: readonly Tick[]
  /** Ticks of this minute and later, seen before, are to be forgotten: they are given again from its start. */
  resetFromMs?: number
  /** How the sources are, when it was time to say so. */
  sources?: Sources
  /** True when candles tell their number of trades. */
  countsTrades: boolean
  /** Stored candles were completed (a backfill): those of minutes before this are the truth, and are to be read again. */
  reloadUptoMs?: number
  /**
   * The stored candles of this feed are complete as far as its source goes. Said with every batch from then on: the one that had them read again is kept for minutes only, and
   * an instance that comes later would wait for it.
   */
  isHistoryComplete?: true
}

/** symbol, time, price, bid, ask, quantity, 1 for BUY, index of the list of sources, 1 where outside */
type PackedTick = [string, number, number, number, number, number, 0 | 1, number, 1?]

interface PackedBatch {
  t: PackedTick[]
  s: string[][]
  c: boolean
  r?: number
  d?: Sources
  l?: number
  h?: 1
}

export function packBatch(batch: TickBatch): string {
  const lists: string[][] = []
  const indexOf = new Map<string, number>()
  const ticks = batch.ticks.map((tick): PackedTick => {
    const key = tick.sources.join()
    let index = indexOf.get(key)
    if (index === undefined) {
      index = lists.push([...tick.sources]) - 1
      indexOf.set(key, index)
    }
    const side = tick.side === 'BUY' ? 1 : 0
    const common: PackedTick = [tick.symbol, tick.timeMs, tick.price, tick.bid, tick.ask, tick.quantity, side, index]
    if (tick.outside === true) common.push(1)
    return common
  })
  const packed: PackedBatch = { t: ticks, s: lists, c: batch.countsTrades }
  if (batch.resetFromMs !== undefined) packed.r = batch.resetFromMs
  if (batch.sources !== undefined) packed.d = batch.sources
  if (batch.reloadUptoMs !== undefined) packed.l = batch.reloadUptoMs
  if (batch.isHistoryComplete) packed.h = 1
  return JSON.stringify(packed)
}

export function unpackBatch(id: number, storedMs: number, feed: string, packed: PackedBatch): TickBatch {
  return {
    id,
    storedMs,
    feed,
    countsTrades: packed.c,
    ticks: packed.t.map(([symbol, timeMs, price, bid, ask, quantity, buy, list, outside]) => ({
      symbol,
      timeMs,
      price,
      bid,
      ask,
      quantity,
      side: buy === 1 ? 'BUY' : 'SELL',
      sources: packed.s[list] ?? [],
      ...(outside === 1 ? { outside: true } : {}),
    })),
    ...(packed.r === undefined ? {} : { resetFromMs: packed.r }),
    ...(packed.d === undefined ? {} : { sources: packed.d }),
    ...(packed.l === undefined ? {} : { reloadUptoMs: packed.l }),
    ...(packed.h === undefined ? {} : { isHistoryComplete: true as const }),
  }
}

/** Stores a batch and gives its id. On the leader's own connection, whose loss ends its lead, so a former leader can store no more. */
export async function storeBatch(database: Queryable, batch: TickBatch): Promise<number> {
  const { rows } = await database.query<{ id: string }>('insert into tick_batches (feed, body) values ($1, $2) returning id', [
    batch.feed,
    packBatch(batch),
  ])
  return Number(rows[0]!.id)
}

/** Batches after `afterId`, oldest first, at most `max`. */
export async function readBatches(database: Queryable, afterId: number, max: number): Promise<TickBatch[]> {
  const { rows } = await database.query<{ id: string; stored_ms: string; feed: string; body: PackedBatch }>(
    `select id, floor(extract(epoch from made_at) * 1000)::bigint as stored_ms, feed, body from tick_batches
     where id > $1 order by id limit $2`,
    [afterId, max],
  )
  return rows.map((row) => unpackBatch(Number(row.id), Number(row.stored_ms), row.feed, row.body))
}

/** Whether the batch is still there; it goes after those before it. */
export async function isKept(database: Queryable, id: number): Promise<boolean> {
  const { rows } = await database.query('select 1 from tick_batches where id = $1', [id])
  return rows.length > 0
}

/** Drops batches older than `keepSeconds`, by the clock of the database. */
export async function trimBatches(database: Queryable, keepSeconds: number): Promise<void> {
  await database.query('delete from tick_batches where made_at < now() - make_interval(secs => $1)', [keepSeconds])
}
