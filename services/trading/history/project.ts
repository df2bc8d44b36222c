import type pg from 'pg'
import type { OrderData, TradingEvent } from '@maru/contracts'
import { canonicalJson, chainHash, genesisHash } from './chain.ts'

/**
 * Writes a run of trading events to the history tables, within the transaction of `client`. An event whose number an account already
 * has is dropped, so that events read twice count once; a number that is skipped throws, as the stream promises none is.
 */
export async function project(client: pg.PoolClient, events: readonly TradingEvent[]): Promise<void> {
  const tails = await readTails(client, events)
  const fresh: { event: TradingEvent; data: string; hash: string }[] = []
  for (const event of events) {
    const tail = tails.get(event.user_id) ?? { sequence: 0, hash: genesisHash }
    if (event.sequence <= tail.sequence) continue
    if (event.sequence !== tail.sequence + 1)
      throw new Error(`account ${event.user_id} jumps from event ${tail.sequence} to ${event.sequence}`)
    const data = canonicalJson(event.data)
    const hash = chainHash(tail.hash, event, data)
    fresh.push({ event, data, hash })
    tails.set(event.user_id, { sequence: event.sequence, hash })
  }
  if (fresh.length === 0) return
  await client.query(
    `insert into trading.account_events (user_id, sequence, type, occurred_at, data, hash)
     select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bytea[])`,
    columns(
      fresh,
      ({ event, data, hash }) => [event.user_id, event.sequence, event.type, event.timestamp, data, Buffer.from(hash, 'hex')],
      6,
    ),
  )
  await projectOrders(
    client,
    fresh.map(({ event }) => event),
  )
}

async function readTails(client: pg.PoolClient, events: readonly TradingEvent[]): Promise<Map<string, { sequence: number; hash: string }>> {
  const users = [...new Set(events.map((event) => event.user_id))]
  const { rows } = await client.query<{ user_id: string; sequence: string; hash: Buffer }>(
    `select tail.* from unnest($1::text[]) as wanted(user_id)
     cross join lateral (select user_id, sequence, hash from trading.account_events e where e.user_id = wanted.user_id order by sequence desc limit 1) tail`,
    [users],
  )
  return new Map(rows.map((row) => [row.user_id, { sequence: Number(row.sequence), hash: row.hash.toString('hex') }]))
}

const orderEvents = new Set<TradingEvent['type']>(['order.created', 'order.rejected', 'order.triggered', 'order.status_updated'])

async function projectOrders(client: pg.PoolClient, events: readonly TradingEvent[]): Promise<void> {
  // The last state of an order within the run is the one to keep.
  const latest = new Map<string, { order: OrderData; sequence: number }>()
  for (const { type, data, sequence } of events)
    if (orderEvents.has(type)) latest.set((data as OrderData).id, { order: data as OrderData, sequence })
  if (latest.size === 0) return
  await client.query(
    `insert into trading.orders (id, user_id, client_order_id, symbol, status, sequence, document)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[])
     on conflict (id) do update set status = excluded.status, sequence = excluded.sequence, document = excluded.document`,
    columns(
      [...latest.values()],
      ({ order, sequence }) => [
        order.id,
        order.user_id,
        order.client_order_id,
        order.symbol,
        order.status,
        sequence,
        JSON.stringify(order),
      ],
      7,
    ),
  )
}

/** Rows as one array a column, as `unnest` takes them. */
function columns<T>(rows: readonly T[], row: (value: T) => readonly unknown[], width: number): unknown[][] {
  const result: unknown[][] = Array.from({ length: width }, () => [])
  for (const value of rows) {
    const cells = row(value)
    for (let index = 0; index < width; index++) result[index]!.push(cells[index])
  }
  return result
}
