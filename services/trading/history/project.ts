import { genesisHash } from '@maru/contracts/account-chain'
import type { OrderListData } from '@maru/contracts'
import type { EventText, ShownOrder } from '../publisher/event-texts.ts'
import { chainHashOf } from './chain.ts'
import { movesLedger } from './postings.ts'

/** Events in one row: a page of a few is read by parsing whole rows. */
export const runEventsMax = 50

/** Events of one account that follow each other, as they become a row. Hashes are in hex. */
export interface Run {
  userId: string
  firstSequence: number
  lastSequence: number
  previousHash: string
  hashes: string[]
  hasPostings: boolean
  events: EventText[]
}

/** An order as its last event shows it, and the numbers of its fills among the events at hand. */
export interface OrderRow {
  userId: string
  order: ShownOrder
  /** Number of that event in the account's stream. */
  sequence: number
  fills: readonly number[]
  /** Its first event is among them too, so that the tables do not have it yet. */
  isNew: boolean
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
  /** Adds those that are new; of the others replaces what is known, but for their fills, which are added to those known. */
  putOrders(rows: readonly OrderRow[]): Promise<void>
  insertLists(rows: readonly ListRow[]): Promise<void>
}

/**
 * Writes a run of trading events to the history tables, within their transaction. An event whose number an account already
 * has is dropped, so that events read twice count once; a number that is skipped throws, as the stream promises none is.
 */
export async function project(tables: HistoryTables, events: readonly EventText[]): Promise<void> {
  const tails = await tables.tails([...new Set(events.map(({ userId }) => userId))])
  const fresh: EventText[] = []
  const runs: Run[] = []
  const open = new Map<string, Run>()
  for (const event of events) {
    const { userId, sequence, type } = event
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
    const hash = chainHashOf(tail.hash, event)
    run.lastSequence = sequence
    run.hashes.push(hash)
    run.hasPostings ||= movesLedger(type)
    run.events.push(event)
    tails.set(userId, { sequence, hash })
    fresh.push(event)
  }
  if (fresh.length === 0) return
  const orders = ordersOf(fresh)
  const lists = fresh.flatMap(({ list, userId }) => (list ? [{ ...list, user_id: userId }] : []))
  await Promise.all([
    tables.insertRuns(runs),
    // A fill and its order's new state are of one command, and so of one record. Only quotes have fills alone: they have no order events and no row.
    orders.length > 0 && tables.putOrders(orders),
    lists.length > 0 && tables.insertLists(lists),
  ])
}

function ordersOf(events: readonly EventText[]): OrderRow[] {
  // The last state of an order within the run is the one to keep.
  const latest = new Map<number, OrderRow>()
  const fills = new Map<number, number[]>()
  for (const { order, filled, sequence, userId, type } of events) {
    if (order) {
      const isNew = type === 'order.created' || type === 'order.rejected' || latest.get(order.number)?.isNew === true
      latest.set(order.number, { userId, order, sequence, fills: none, isNew })
    }
    if (filled === 0) continue
    const known = fills.get(filled)
    if (known) known.push(sequence)
    else fills.set(filled, [sequence])
  }
  for (const [number, sequences] of fills) {
    const row = latest.get(number)
    if (row) row.fills = sequences
  }
  return [...latest.values()]
}

const none: readonly number[] = []
