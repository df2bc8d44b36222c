import { genesisHash } from '@maru/contracts/account-chain'
import type { OrderData, OrderListData, TradingEvent } from '@maru/contracts'
import type { EventText } from '../publisher/event-text.ts'
import { chainHash } from './chain.ts'
import { movesLedger } from './postings.ts'

/** Events in one row: a page of a few is read by parsing whole rows. */
export const runEventsMax = 50

/** Events of one account that follow each other, as they become a row. Hashes are in hex, of events the JSON of each. */
export interface Run {
  userId: string
  firstSequence: number
  lastSequence: number
  previousHash: string
  hashes: string[]
  hasPostings: boolean
  events: string[]
}

/** An order as its last event shows it, and the numbers of its fills among the events at hand. */
export interface OrderRow {
  order: OrderData
  /** Number of that event in the account's stream. */
  sequence: number
  fills: readonly number[]
}

/** A list as it was placed. */
export interface ListRow extends OrderListData {
  user_id: string
}

/** The history tables within one transaction. */
export interface HistoryTables {
  /** Number and hash of the last event of each of these accounts that has one. */
  tails(userIds: readonly string[]): Promise<Map<string, { sequence: number; hash: string }>>
  insertRuns(runs: readonly Run[]): Promise<void>
  /** Replaces what is known of these orders, but for their fills, which are added to those known. */
  putOrders(rows: readonly OrderRow[]): Promise<void>
  insertLists(rows: readonly ListRow[]): Promise<void>
}

/**
 * Writes a run of trading events to the history tables, within their transaction. An event whose number an account already
 * has is dropped, so that events read twice count once; a number that is skipped throws, as the stream promises none is.
 */
export async function project(tables: HistoryTables, events: readonly EventText[]): Promise<void> {
  const tails = await tables.tails([...new Set(events.map(({ event }) => event.user_id))])
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
  const orders = ordersOf(fresh)
  const lists = fresh.flatMap(({ type, data, user_id }) => (type === 'order_list.created' ? [{ ...data, user_id }] : []))
  await Promise.all([
    tables.insertRuns(runs),
    // A fill and its order's new state are of one command, and so of one record. Only quotes have fills alone: they have no order events and no row.
    orders.length > 0 && tables.putOrders(orders),
    lists.length > 0 && tables.insertLists(lists),
  ])
}

/** Events whose data is the order. */
const orderEvents = new Set<TradingEvent['type']>([
  'order.created',
  'order.rejected',
  'order.triggered',
  'order.status_updated',
  'order.amended',
])

function ordersOf(events: readonly TradingEvent[]): OrderRow[] {
  // The last state of an order within the run is the one to keep.
  const latest = new Map<string, { order: OrderData; sequence: number }>()
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
  return Array.from(latest.values(), ({ order, sequence }) => ({ order, sequence, fills: fills.get(order.id) ?? [] }))
}
