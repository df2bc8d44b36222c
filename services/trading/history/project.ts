import type pg from 'pg'
import type { OrderData, TradingEvent } from '@maru/contracts'
import { encodeJsonRecord } from '@maru/event-log'
import type { EventText } from '../publisher/event-text.ts'
import { chainHash, genesisHash } from './chain.ts'
import { movesLedger } from './postings.ts'

/** Events in one row: a page of a few is read by parsing whole rows. */
export const runEventsMax = 50

interface Run {
  userId: string
  firstSequence: number
  lastSequence: number
  previousHash: string
  hashes: string[]
  hasPostings: boolean
  events: string[]
}

/**
 * Writes a run of trading events to the history tables, within the transaction of `client`. An event whose number an account already
 * has is dropped, so that events read twice count once; a number that is skipped throws, as the stream promises none is.
 */
export async function project(client: pg.PoolClient, events: readonly EventText[]): Promise<void> {
  const tails = await readTails(client, events)
  const fresh: TradingEvent[] = []
  const runs: Run[] = []
  const open = new Map<string, Run>()
  for (const { event, data } of events) {
    const { user_id: userId, sequence, type, timestamp } = event
    const tail = tails.get(userId) ?? { sequence: 0, hash: genesisHash }
    if (sequence <= tail.sequence) continue
    if (sequence !== tail.sequence + 1) throw new Error(`account ${userId} jumps from event ${tail.sequence} to ${sequence}`)
    let run = open.get(userId)
    if (!run || run.events.length === runEventsMax) {
      run = {
        userId,
        firstSequence: sequence,
        lastSequence: sequence,
        previousHash: tail.hash,
        hashes: [],
        hasPostings: false,
        events: [],
      }
      open.set(userId, run)
      runs.push(run)
    }
    const hash = chainHash(tail.hash, event, data)
    run.lastSequence = sequence
    run.hashes.push(hash)
    run.hasPostings ||= movesLedger(type)
    run.events.push(`{"sequence":${sequence},"type":"${type}","timestamp":"${timestamp}","data":${data}}`)
    tails.set(userId, { sequence, hash })
    fresh.push(event)
  }
  if (fresh.length === 0) return
  await client.query(
    `insert into trading.account_event_runs (user_id, last_sequence, first_sequence, previous_hash, hashes, has_postings, events)
     select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::boolean[], $7::bytea[])`,
    columns(
      runs,
      (run) => [
        run.userId,
        run.lastSequence,
        run.firstSequence,
        Buffer.from(run.previousHash, 'hex'),
        Buffer.from(run.hashes.join(''), 'hex'),
        run.hasPostings,
        encodeJsonRecord(run.events),
      ],
      7,
    ),
  )
  await projectOrders(client, fresh)
}

async function readTails(client: pg.PoolClient, events: readonly EventText[]): Promise<Map<string, { sequence: number; hash: string }>> {
  const users = [...new Set(events.map(({ event }) => event.user_id))]
  const { rows } = await client.query<{ user_id: string; sequence: string; hash: Buffer }>(
    `select tail.* from unnest($1::text[]) as wanted(user_id)
     cross join lateral (
       select user_id, last_sequence as sequence, substring(hashes from octet_length(hashes) - 31) as hash
       from trading.account_event_runs r where r.user_id = wanted.user_id order by last_sequence desc limit 1
     ) tail`,
    [users],
  )
  return new Map(rows.map((row) => [row.user_id, { sequence: Number(row.sequence), hash: row.hash.toString('hex') }]))
}

interface OrderRow {
  order: OrderData
  sequence: number
}

/** Events whose data is the order. */
const orderEvents = new Set<TradingEvent['type']>(['order.created', 'order.rejected', 'order.triggered', 'order.status_updated'])

async function projectOrders(client: pg.PoolClient, events: readonly TradingEvent[]): Promise<void> {
  // The last state of an order within the run is the one to keep.
  const latest = new Map<string, OrderRow>()
  const fills = new Map<string, number[]>()
  for (const { type, data, sequence } of events) {
    if (orderEvents.has(type)) latest.set((data as OrderData).id, { order: data as OrderData, sequence })
    if (type === 'trade.executed') {
      const { order_id: orderId } = data as Extract<TradingEvent, { type: 'trade.executed' }>['data']
      const known = fills.get(orderId)
      if (known) known.push(sequence)
      else fills.set(orderId, [sequence])
    }
  }
  // A fill and its order's new state are of one command, and so of one record. Only quotes have fills alone: they have no order events and no row.
  if (latest.size === 0) return
  await client.query(
    `insert into trading.orders as o (id, user_id, client_order_id, symbol, status, sequence, fills)
     select id, user_id, client_order_id, symbol, status, sequence, fills::bigint[]
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[])
       as row(id, user_id, client_order_id, symbol, status, sequence, fills)
     on conflict (id) do update set status = excluded.status, sequence = excluded.sequence,
       fills = case when excluded.fills is null then o.fills else (o.fills || excluded.fills)[1:1000] end`,
    columns(
      [...latest.values()],
      ({ order, sequence }) => {
        const own = fills.get(order.id)
        const clientOrderId = order.client_order_id === order.id ? null : order.client_order_id
        return [order.id, order.user_id, clientOrderId, order.symbol, order.status, sequence, own ? `{${own.join(',')}}` : null]
      },
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
