import type pg from 'pg'
import { moveIntoPosition, parseFixed, type Entry, type FillSums, type Fixed, type Holding, type Steps } from '@maru/domain/statistics'

type Client = Pick<pg.ClientBase, 'query'>

/** Values are stated in this asset. */
export const quoteAsset = 'USDT'

export interface Account {
  openedAt: number
  /** Number of the newest event counted in. */
  sequence: number
  /** Time of that event. */
  lastEventAt: number
}

export async function findAccount(client: Client, userId: string): Promise<Account | undefined> {
  const { rows } = await client.query<{ opened_at: Date; sequence: string; last_event_at: Date }>({
    name: 'find account',
    text: 'select opened_at, sequence, last_event_at from accounts where user_id = $1',
    values: [userId],
  })
  const row = rows[0]
  return row && { openedAt: row.opened_at.getTime(), sequence: Number(row.sequence), lastEventAt: row.last_event_at.getTime() }
}

/** Time of the newest event of a topic that is counted in. */
export async function findProgress(client: Client, topic: string): Promise<number | undefined> {
  const { rows } = await client.query<{ event_at: Date }>({
    name: 'find progress',
    text: 'select event_at from progress where topic = $1',
    values: [topic],
  })
  return rows[0]?.event_at.getTime()
}

interface StepRow {
  name: string
  at: Date
  value: string
}

/** Balances of the quote asset and of every asset with a price, as far as they matter at `times`: for each time the change before it. */
export async function balancesAt(client: Client, userId: string, times: readonly number[]): Promise<Map<string, Steps>> {
  const { rows } = await client.query<StepRow>({
    name: 'balances at',
    text: `with assets as (
       select $3 as asset union select split_part(symbol, '/', 1) from symbols where split_part(symbol, '/', 2) = $3
     )
     select distinct assets.asset as name, balance.at, balance.total as value
     from assets cross join unnest($2::timestamptz[]) as point (time)
     cross join lateral (
       select at, total from balances where user_id = $1 and balances.asset = assets.asset and at <= point.time order by at desc limit 1
     ) as balance
     where exists (select 1 from balances held where held.user_id = $1 and held.asset = assets.asset)
     order by 1, 2`,
    values: [userId, isoTimes(times), quoteAsset],
  })
  return stepsByName(rows)
}

/** Marks at `times` of every asset that the account ever held; one whose marks all came later has its first. */
export async function marksAt(client: Client, userId: string, times: readonly number[]): Promise<Map<string, Steps>> {
  const { rows } = await client.query<StepRow>({
    name: 'marks at',
    text: `select distinct split_part(symbols.symbol, '/', 1) as name, coalesce(mark.at, '-infinity'::timestamptz) as at, coalesce(mark.price, symbols.first_price) as value
     from symbols cross join unnest($2::timestamptz[]) as point (time)
     left join lateral (
       select at, price from marks where marks.symbol = symbols.symbol and at <= point.time order by at desc limit 1
     ) as mark on true
     where split_part(symbols.symbol, '/', 2) = $3
       and exists (select 1 from balances held where held.user_id = $1 and held.asset = split_part(symbols.symbol, '/', 1))
     order by 1, 2`,
    values: [userId, isoTimes(times), quoteAsset],
  })
  return stepsByName(rows)
}

/** Deposits less withdrawals after `from` until `to`, at the marks of their time, oldest first, joined by moment and asset. */
export async function flowsBetween(
  client: Client,
  userId: string,
  from: number,
  to: number,
): Promise<{ at: number; asset: string; value: Fixed }[]> {
  const { rows } = await client.query<{ at: Date; asset: string; value: string }>({
    name: 'flows between',
    text: `select flow.at, flow.asset, sum(flow.amount * ${markSql('flow.asset', 'flow.at')}) as value
     from flows flow where flow.user_id = $1 and flow.at > $2 and flow.at <= $3 group by flow.at, flow.asset order by flow.at`,
    values: [userId, ...isoTimes([from, to])],
  })
  return rows.map(({ at, asset, value }) => ({ at: at.getTime(), asset, value: parseFixed(value) }))
}

/** Sums over the fills after `from` until `to`, by symbol. What is kept by the hour counts with every hour that the time touches. */
export async function fillSumsBetween(client: Client, userId: string, from: number, to: number): Promise<Map<string, FillSums>> {
  const { rows } = await client.query<{
    symbol: string
    trades: string
    closing: string
    winning: string
    volume: string
    cash: string
    fees: string
    gross_realized: string
  }>({
    name: 'fill sums between',
    text: `select symbol, sum(trades) as trades, sum(closing) as closing, sum(winning) as winning, sum(volume) as volume, sum(cash) as cash, sum(fees) as fees,
            sum(gross_realized) as gross_realized
     from (
       select symbol, 1 as trades, is_closing::int as closing, is_winning::int as winning, notional as volume, cash, fee as fees, gross_realized
       from fills where user_id = $1 and at > $2 and at <= $3
       union all
       select symbol, trades, closing, winning, volume, cash, fees, gross_realized
       from fill_hours where user_id = $1 and hour >= date_trunc('hour', $2::timestamptz, 'UTC') and hour < $3
     ) as fill
     where split_part(symbol, '/', 2) = $4
     group by symbol`,
    values: [userId, ...isoTimes([from, to]), quoteAsset],
  })
  return new Map(
    rows.map((row) => [
      row.symbol,
      {
        trades: Number(row.trades),
        closing: Number(row.closing),
        winning: Number(row.winning),
        volume: parseFixed(row.volume),
        cash: parseFixed(row.cash),
        fees: parseFixed(row.fees),
        grossRealized: parseFixed(row.gross_realized),
      },
    ]),
  )
}

interface PositionRow {
  symbol: string
  quantity: string
  average_price: string
  mark: string
  held: string
  moves: [amount: string, mark: string][] | null
}

/**
 * What the account held of each base asset at `time`, at its mark then, and the position in it, by symbol. Symbols that never had a
 * price, and those it never had anything of, are left out.
 */
export async function holdingsAt(client: Client, userId: string, time: number): Promise<Map<string, { holding: Holding; entry: Entry }>> {
  const { rows } = await client.query<PositionRow>({
    name: 'holdings at',
    text: `select symbols.symbol, coalesce(position.quantity, 0) as quantity, coalesce(position.average_price, 0) as average_price,
            ${markSql('base.asset', '$2')} as mark, coalesce(balance.total, 0) as held, moved.moves
     from symbols
     cross join lateral (select split_part(symbols.symbol, '/', 1) as asset) as base
     left join lateral (
       select at, quantity, average_price from positions
       where user_id = $1 and positions.symbol = symbols.symbol and at <= $2 order by at desc limit 1
     ) as position on true
     left join lateral (
       select total from balances where user_id = $1 and balances.asset = base.asset and at <= $2 order by at desc limit 1
     ) as balance on true
     left join lateral (
       select json_agg(json_build_array(flow.amount::text, ${markSql('flow.asset', 'flow.at')}::text) order by flow.sequence) as moves from flows flow
       where flow.user_id = $1 and flow.asset = base.asset and flow.at > coalesce(position.at, '-infinity') and flow.at <= $2
     ) as moved on true
     where split_part(symbols.symbol, '/', 2) = $3 and (position.at is not null or balance.total is not null)`,
    values: [userId, ...isoTimes([time]), quoteAsset],
  })
  return new Map(
    rows.map((row) => {
      const reported = { quantity: parseFixed(row.quantity), averagePrice: parseFixed(row.average_price) }
      const entry = (row.moves ?? []).reduce((now, [amount, mark]) => moveIntoPosition(now, parseFixed(amount), parseFixed(mark)), reported)
      return [row.symbol, { holding: { quantity: parseFixed(row.held), markPrice: parseFixed(row.mark) }, entry }]
    }),
  )
}

/** SQL of what one unit of an asset was worth at a time: its last mark then, else its first ever, else nothing. */
function markSql(asset: string, time: string): string {
  const symbol = `${asset} || '/${quoteAsset}'`
  return `(case when ${asset} = '${quoteAsset}' then 1 else coalesce(
    (select price from marks where marks.symbol = ${symbol} and marks.at <= ${time} order by marks.at desc limit 1),
    (select first_price from symbols first where first.symbol = ${symbol}), 0) end)`
}

function stepsByName(rows: readonly StepRow[]): Map<string, Steps> {
  const steps = new Map<string, { at: number; value: Fixed }[]>()
  for (const { name, at, value } of rows) {
    const own = steps.get(name) ?? []
    // The driver gives -infinity as a number.
    own.push({ at: at instanceof Date ? at.getTime() : Number.NEGATIVE_INFINITY, value: parseFixed(value) })
    steps.set(name, own)
  }
  return steps
}

function isoTimes(times: readonly number[]): string[] {
  return times.map((time) => new Date(time).toISOString())
}
