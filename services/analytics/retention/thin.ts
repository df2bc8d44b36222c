import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { topics } from '@maru/contracts'
import { isTransientDatabaseError } from '@maru/event-log'
import { inTransaction, type Logger } from '@maru/service-host'
import type { AnalyticsConfig } from '../config.ts'
import { findProgress } from '../store/history.ts'

const runEveryMs = 10 * 60_000
const dayMs = 86_400_000
const hourMs = 3_600_000

interface History {
  table: 'balances' | 'positions' | 'marks' | 'fills'
  /** What tells its rows apart besides the time. */
  key: readonly string[]
}

/** What is kept of each topic. Fills become sums of the hour; of the rest the last row of each hour is kept. */
const histories: readonly { topic: string; tables: readonly History[] }[] = [
  {
    topic: topics.tradingEvents,
    tables: [
      { table: 'balances', key: ['user_id', 'asset'] },
      { table: 'positions', key: ['user_id', 'symbol'] },
      { table: 'fills', key: [] },
    ],
  },
  { topic: topics.marketData, tables: [{ table: 'marks', key: ['symbol'] }] },
]

interface Options {
  pool: pg.Pool
  logger: Logger
  config: AnalyticsConfig
  signal: AbortSignal
}

/** Thins what has become old, now and every ten minutes, until the signal aborts. Never rejects: a failed run is tried again at the next. */
export async function keepThin({ pool, logger, config, signal }: Options): Promise<void> {
  while (!signal.aborted) {
    try {
      const hours = await thin(pool, config, signal)
      if (hours > 0) logger.info({ hours }, 'older figures were thinned')
    } catch (error) {
      if (!isTransientDatabaseError(error)) logger.error({ err: error }, 'older figures could not be thinned')
    }
    await sleep(runEveryMs, undefined, { signal }).catch(() => undefined)
  }
}

/**
 * Thins every whole hour that is older than `detailDays` by the time of the events, an hour a transaction, and drops what is older
 * than `historyDays`, but for the last state before. Returns the number of hours thinned. Instances that try at once take turns.
 */
export async function thin(pool: pg.Pool, config: AnalyticsConfig, signal: AbortSignal): Promise<number> {
  let hours = 0
  for (const { topic, tables } of histories) {
    // Not by the clock: what is read late, such as on a rebuild, must not fall into an hour that is thinned already.
    const newest = await findProgress(pool, topic)
    if (newest === undefined) continue
    const until = Math.floor((newest - config.detailDays * dayMs) / hourMs) * hourMs
    const before = hours
    while (!signal.aborted && (await inTransaction(pool, (client) => thinNextHour(client, topic, tables, until)))) hours += 1
    if (hours > before) await inTransaction(pool, (client) => dropBefore(client, tables, newest - config.historyDays * dayMs))
  }
  return hours
}

/**
 * Thins the oldest hour that is not yet, before `until`; false when there is none. An hour ends with its full hour, so that the state
 * kept of it is that of the full hour, where the points of a curve lie.
 */
async function thinNextHour(client: pg.PoolClient, topic: string, tables: readonly History[], until: number): Promise<boolean> {
  await client.query(`insert into thinning (topic, done_until) values ($1, 'epoch') on conflict do nothing`, [topic])
  const { rows } = await client.query<{ done_until: Date }>('select done_until from thinning where topic = $1 for update', [topic])
  const done = rows[0]?.done_until.getTime() ?? until
  if (done >= until) return false
  // Hours without any row are passed over in one step.
  const oldest = await oldestAfter(client, tables, done, until)
  const from = oldest === undefined ? until : Math.ceil(oldest / hourMs) * hourMs - hourMs
  const to = Math.min(from + hourMs, until)
  if (oldest !== undefined) for (const history of tables) await thinHour(client, history, new Date(from), new Date(to))
  await client.query('update thinning set done_until = $2 where topic = $1', [topic, new Date(to)])
  return oldest !== undefined
}

async function oldestAfter(client: pg.PoolClient, tables: readonly History[], from: number, to: number): Promise<number | undefined> {
  let oldest: number | undefined
  for (const { table } of tables) {
    const { rows } = await client.query<{ at: Date | null }>(`select min(at) as at from ${table} where at > $1 and at <= $2`, [
      new Date(from),
      new Date(to),
    ])
    const at = rows[0]?.at?.getTime()
    if (at !== undefined && (oldest === undefined || at < oldest)) oldest = at
  }
  return oldest
}

async function thinHour(client: pg.PoolClient, history: History, from: Date, to: Date): Promise<void> {
  if (history.table !== 'fills') {
    await client.query(`delete from ${history.table} where at > $1 and at <= $2 and ${hasLater(history)}`, [from, to])
    return
  }
  await client.query(
    `with old as (delete from fills where at > $1 and at <= $2 returning *)
     insert into fill_hours (user_id, symbol, hour, trades, closing, winning, volume, cash, fees, gross_realized)
     select user_id, symbol, $1, count(*), count(*) filter (where is_closing), count(*) filter (where is_winning), sum(notional), sum(cash), sum(fee), sum(gross_realized)
     from old group by user_id, symbol
     on conflict (user_id, symbol, hour) do update set
       trades = fill_hours.trades + excluded.trades, closing = fill_hours.closing + excluded.closing, winning = fill_hours.winning + excluded.winning,
       volume = fill_hours.volume + excluded.volume, cash = fill_hours.cash + excluded.cash, fees = fill_hours.fees + excluded.fees,
       gross_realized = fill_hours.gross_realized + excluded.gross_realized`,
    [from, to],
  )
}

async function dropBefore(client: pg.PoolClient, tables: readonly History[], time: number): Promise<void> {
  const before = new Date(time)
  for (const history of tables) {
    if (history.table === 'fills') await client.query('delete from fill_hours where hour < $1', [before])
    else await client.query(`delete from ${history.table} where at < $1 and ${hasLater(history, '$1')}`, [before])
  }
}

/** SQL: a later row of the same kind stands before `end`. */
function hasLater({ table, key }: History, end = '$2'): string {
  const same = key.map((column) => `later.${column} = ${table}.${column}`).join(' and ')
  return `exists (select 1 from ${table} later where ${same} and later.at > ${table}.at and later.at <= ${end})`
}
