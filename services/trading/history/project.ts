import type pg from 'pg'
import { genesisHash } from '@maru/contracts/account-chain'
import type { OrderData, TradingEvent } from '@maru/contracts'
import { encodeJsonRecord } from '@maru/event-log'
import type { EventText } from '../publisher/event-text.ts'
import { chainHash } from './chain.ts'
import { movesLedger } from './postings.ts'

/** Events in one row: a page of a few is read by parsing whole rows. */
export const runEventsMax = 50
export const hashBytes = 32

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
  await insertRuns(client, runs)
  await projectOrders(client, fresh)
}

/**
 * The bytes of all rows go as one parameter, from which the database cuts them: a list of texts is read character by character, and bytes in it
 * would come as two characters each.
 */
async function insertRuns(client: pg.PoolClient, runs: readonly Run[]): Promise<void> {
  const bytes: Buffer[] = []
  let offset = 1
  const starts: number[] = []
  const eventBytes: number[] = []
  for (const { previousHash, hashes, events } of runs) {
    const packed = encodeJsonRecord(events)
    bytes.push(Buffer.from(previousHash + hashes.join(''), 'hex'), packed)
    starts.push(offset)
    eventBytes.push(packed.length)
    offset += hashBytes * (hashes.length + 1) + packed.length
  }
  await client.query(
    `insert into trading.account_event_runs (user_id, last_sequence, first_sequence, previous_hash, hashes, has_postings, events)
     select user_id, last, first, substr($7::bytea, start, ${hashBytes}), substr($7, start + ${hashBytes}, hashed), has_postings,
       substr($7, start + ${hashBytes} + hashed, events)
     from (
       select *, (last - first + 1)::integer * ${hashBytes} as hashed
       from unnest($1::text[], $2::bigint[], $3::bigint[], $4::integer[], $5::boolean[], $6::integer[])
         as row(user_id, last, first, start, has_postings, events)
     ) runs`,
    [
      runs.map((run) => run.userId),
      runs.map((run) => run.lastSequence),
      runs.map((run) => run.firstSequence),
      starts,
      runs.map((run) => run.hasPostings),
      eventBytes,
      Buffer.concat(bytes),
    ],
  )
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
  const rows = [...latest.values()]
  // Users and statuses as numbers: of long texts that repeat, one is enough.
  const [users, statuses] = [new Dictionary(), new Dictionary()]
  await client.query(
    `insert into trading.orders as o (id, user_id, client_order_id, symbol, status, sequence, fills)
     select id, users.text, client_order_id, symbol, statuses.text, sequence, fills::bigint[]
     from unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::text[])
       as row(id, user_number, client_order_id, symbol, status_number, sequence, fills)
     join unnest($8::text[]) with ordinality as users(text, number) on users.number = user_number
     join unnest($9::text[]) with ordinality as statuses(text, number) on statuses.number = status_number
     on conflict (id) do update set status = excluded.status, sequence = excluded.sequence,
       fills = case when excluded.fills is null then o.fills else (o.fills || excluded.fills)[1:1000] end`,
    [
      rows.map(({ order }) => order.id),
      rows.map(({ order }) => users.numberOf(order.user_id)),
      rows.map(({ order }) => (order.client_order_id === order.id ? null : order.client_order_id)),
      rows.map(({ order }) => order.symbol),
      rows.map(({ order }) => statuses.numberOf(order.status)),
      rows.map(({ sequence }) => sequence),
      rows.map(({ order }) => {
        const own = fills.get(order.id)
        return own ? `{${own.join(',')}}` : null
      }),
      users.texts,
      statuses.texts,
    ],
  )
}

/** Numbers texts from 1 on, as the database counts the items of a list. */
class Dictionary {
  readonly texts: string[] = []
  readonly #numbers = new Map<string, number>()

  numberOf(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    this.#numbers.set(text, this.texts.push(text))
    return this.texts.length
  }
}
