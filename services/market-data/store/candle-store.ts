import type { Candle } from '@maru/domain/candles'
import type { SymbolCandle } from '../source.ts'

/** What both a pool and a client do. */
export interface Queryable {
  query<Row extends object>(text: string, values?: unknown[]): Promise<{ rows: Row[]; rowCount: number | null }>
}

interface CandleRow {
  symbol: string
  start_ms: string
  open: string
  high: string
  low: string
  close: string
  volume: string
  trades: number | null
}

/** Rows read at once; longer spans are read page by page. */
const pageMax = 5_000

/** Writes candles, in place of any of the same minute. */
export async function upsertCandles(database: Queryable, feed: string, rows: readonly SymbolCandle[]): Promise<void> {
  if (rows.length === 0) return
  const column = (pick: (candle: Candle) => unknown) => rows.map((row) => pick(row.candle))
  await database.query(
    `insert into candles (feed, symbol, start_ms, open, high, low, close, volume, trades)
     select $1, * from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::numeric[], $9::integer[])
     on conflict (feed, symbol, start_ms) do update set open = excluded.open, high = excluded.high, low = excluded.low,
       close = excluded.close, volume = excluded.volume, trades = excluded.trades`,
    [
      feed,
      rows.map((row) => row.symbol),
      column((candle) => candle.startMs),
      column((candle) => candle.open),
      column((candle) => candle.high),
      column((candle) => candle.low),
      column((candle) => candle.close),
      column((candle) => candle.volume.toString()),
      column((candle) => candle.trades),
    ],
  )
}

function toCandle(row: CandleRow): Candle {
  return {
    startMs: Number(row.start_ms),
    open: Number(row.open),
    high: Number(row.high),
    low: Number(row.low),
    close: Number(row.close),
    volume: BigInt(row.volume),
    trades: row.trades,
  }
}

/** Stored 1-minute candles of a symbol that start in [`fromMs`, `toMs`), oldest first, in pages of at most 5,000. */
export async function* readCandles(
  database: Queryable,
  feed: string,
  symbol: string,
  fromMs: number,
  toMs: number,
): AsyncGenerator<Candle[]> {
  let next = fromMs
  while (next < toMs) {
    const { rows } = await database.query<CandleRow>(
      `select symbol, start_ms, open, high, low, close, volume, trades from candles
       where feed = $1 and symbol = $2 and start_ms >= $3 and start_ms < $4 order by start_ms limit ${pageMax}`,
      [feed, symbol, next, toMs],
    )
    if (rows.length > 0) yield rows.map(toCandle)
    if (rows.length < pageMax) return
    next = Number(rows.at(-1)!.start_ms) + 1
  }
}

/** Starts of the minutes in [`fromMs`, `toMs`) that a symbol has stored. */
export async function storedStarts(database: Queryable, feed: string, symbol: string, fromMs: number, toMs: number): Promise<Set<number>> {
  const { rows } = await database.query<{ start_ms: string }>(
    'select start_ms from candles where feed = $1 and symbol = $2 and start_ms >= $3 and start_ms < $4',
    [feed, symbol, fromMs, toMs],
  )
  return new Set(rows.map((row) => Number(row.start_ms)))
}

/** Drops candles that start before `beforeMs`; gives how many. */
export async function dropCandlesBefore(database: Queryable, beforeMs: number): Promise<number> {
  const { rowCount } = await database.query('delete from candles where start_ms < $1', [beforeMs])
  return rowCount ?? 0
}

/** When a replay of this feed began on the wall clock: as stored, or `nowMs`, which is then stored. */
export async function feedStart(database: Queryable, feed: string, nowMs: number): Promise<number> {
  await database.query('insert into feeds (feed, started_ms) values ($1, $2) on conflict do nothing', [feed, nowMs])
  const { rows } = await database.query<{ started_ms: string }>('select started_ms from feeds where feed = $1', [feed])
  return Number(rows[0]!.started_ms)
}
