import type pg from 'pg'
import { topics, type TradingEvent } from '@maru/contracts'
import { isSystemUser, rowsOf, type Fill, type Rows } from './rows.ts'

type Client = Pick<pg.ClientBase, 'query'>

/**
 * Counts a batch of trading events in, inside the transaction that saves the reader's position. An event of an account that was
 * counted before is left out.
 */
export async function applyTradingEvents(client: Client, events: readonly TradingEvent[]): Promise<void> {
  const newest = events.at(-1)
  if (newest === undefined) return
  const users = [...new Set(events.map((event) => event.user_id))]
  const { rows: accounts } = await client.query<{ user_id: string; sequence: string }>({
    name: 'counted until',
    text: 'select user_id, sequence from accounts where user_id = any($1)',
    values: [users],
  })
  const rows = rowsOf(events, new Map(accounts.map((account) => [account.user_id, Number(account.sequence)])))
  // Sent one after another without waiting; where one fails, so do those behind it.
  await Promise.all([
    addAccounts(client, rows),
    addBalances(client, rows),
    addPositions(client, rows),
    addFlows(client, rows),
    addFills(
      client,
      rows.fills.filter((fill) => !isSystemUser(fill.userId)),
    ),
    addFillSums(
      client,
      rows.fills.filter((fill) => isSystemUser(fill.userId)),
    ),
    saveProgress(client, topics.tradingEvents, newest.timestamp),
  ])
}

/** Notes the time of the newest event of a topic that is counted in; never goes back. */
export async function saveProgress(client: Client, topic: string, at: string): Promise<void> {
  await client.query({
    name: 'save progress',
    text: `insert into progress (topic, event_at) values ($1, $2)
     on conflict (topic) do update set event_at = greatest(progress.event_at, excluded.event_at)`,
    values: [topic, at],
  })
}

async function addAccounts(client: Client, { accounts }: Rows): Promise<void> {
  if (accounts.size === 0) return
  const values = [...accounts.values()]
  await client.query({
    name: 'add accounts',
    text: `insert into accounts (user_id, opened_at, sequence, last_event_at)
     select * from unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::timestamptz[])
     on conflict (user_id) do update set sequence = excluded.sequence, last_event_at = excluded.last_event_at`,
    values: [
      [...accounts.keys()],
      values.map((row) => row.openedAt),
      values.map((row) => row.sequence),
      values.map((row) => row.lastEventAt),
    ],
  })
}

async function addBalances(client: Client, { balances }: Rows): Promise<void> {
  if (balances.size === 0) return
  const values = [...balances.values()]
  await client.query({
    name: 'add balances',
    text: `insert into balances (user_id, asset, at, total) select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::numeric[])
     on conflict (user_id, asset, at) do update set total = excluded.total`,
    values: [values.map((row) => row.userId), values.map((row) => row.asset), values.map((row) => row.at), values.map((row) => row.total)],
  })
}

async function addPositions(client: Client, { positions }: Rows): Promise<void> {
  if (positions.size === 0) return
  const values = [...positions.values()]
  await client.query({
    name: 'add positions',
    text: `insert into positions (user_id, symbol, at, quantity, average_price)
     select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::numeric[], $5::numeric[])
     on conflict (user_id, symbol, at) do update set quantity = excluded.quantity, average_price = excluded.average_price`,
    values: [
      values.map((row) => row.userId),
      values.map((row) => row.symbol),
      values.map((row) => row.at),
      values.map((row) => row.quantity),
      values.map((row) => row.averagePrice),
    ],
  })
}

async function addFlows(client: Client, { flows }: Rows): Promise<void> {
  if (flows.length === 0) return
  await client.query({
    name: 'add flows',
    text: `insert into flows (user_id, sequence, at, asset, amount)
     select * from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::numeric[])`,
    values: [
      flows.map((row) => row.userId),
      flows.map((row) => row.sequence),
      flows.map((row) => row.at),
      flows.map((row) => row.asset),
      flows.map((row) => row.amount),
    ],
  })
}

async function addFills(client: Client, fills: readonly Fill[]): Promise<void> {
  if (fills.length === 0) return
  await client.query({
    name: 'add fills',
    text: `insert into fills (user_id, sequence, at, symbol, notional, cash, fee, gross_realized, is_closing, is_winning)
     select * from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[], $9::boolean[], $10::boolean[])`,
    values: columnsOf(fills),
  })
}

async function addFillSums(client: Client, fills: readonly Fill[]): Promise<void> {
  if (fills.length === 0) return
  await client.query({
    name: 'add fill sums',
    text: `insert into fill_hours (user_id, symbol, hour, trades, closing, winning, volume, cash, fees, gross_realized)
     select user_id, symbol, date_trunc('hour', at - interval '1 microsecond', 'UTC'), count(*), count(*) filter (where is_closing), count(*) filter (where is_winning),
            sum(notional), sum(cash), sum(fee), sum(gross_realized)
     from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[], $9::boolean[], $10::boolean[])
       as fill (user_id, sequence, at, symbol, notional, cash, fee, gross_realized, is_closing, is_winning)
     group by 1, 2, 3
     on conflict (user_id, symbol, hour) do update set
       trades = fill_hours.trades + excluded.trades, closing = fill_hours.closing + excluded.closing, winning = fill_hours.winning + excluded.winning,
       volume = fill_hours.volume + excluded.volume, cash = fill_hours.cash + excluded.cash, fees = fill_hours.fees + excluded.fees,
       gross_realized = fill_hours.gross_realized + excluded.gross_realized`,
    values: columnsOf(fills),
  })
}

function columnsOf(fills: readonly Fill[]): unknown[][] {
  return [
    fills.map((fill) => fill.userId),
    fills.map((fill) => fill.sequence),
    fills.map((fill) => fill.at),
    fills.map((fill) => fill.symbol),
    fills.map((fill) => fill.notional),
    fills.map((fill) => fill.cash),
    fills.map((fill) => fill.fee),
    fills.map((fill) => fill.grossRealized),
    fills.map((fill) => fill.isClosing),
    fills.map((fill) => fill.isWinning),
  ]
}
