import { genesisHash } from '@maru/contracts/account-chain'
import type { OrderListData } from '@maru/contracts'
import type { EventText, ShownOrder } from '../publisher/event-texts.ts'
import { parseId } from '../wire/order-id.ts'
import { chainHashOf } from './chain.ts'
import { movesLedger } from './postings.ts'

/** Events in one row: a page of a few is read by parsing whole rows. */
export const runEventsMax = 50
/** How far the numbers of orders that begin in one run may lie apart: whoever looks for one of anybody's looks no further. */
export const orderSpanMax = 10_000

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

/** An order as the last event of the run it began in shows it. */
export type IndexedOrder = Pick<OrderRow, 'order' | 'sequence' | 'fills'>

/** Orders that began in one run of an account, by number, and have not changed beyond it. */
export interface OrderRun {
  userId: string
  orders: IndexedOrder[]
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
  /** Adds orders that need no row of their own. */
  insertOrderRuns(runs: readonly OrderRun[]): Promise<void>
  insertLists(rows: readonly ListRow[]): Promise<void>
}

/**
 * Writes a run of trading events to the history tables, within their transaction. An event whose number an account already
 * has is dropped, so that events read twice count once; a number that is skipped throws, as the stream promises none is.
 *
 * @param indexesRuns whether orders may be indexed by the runs they begin in, which releases without rules 4 do not read
 */
export async function project(tables: HistoryTables, events: readonly EventText[], { indexesRuns = true } = {}): Promise<void> {
  const tails = await tables.tails([...new Set(events.map(({ userId }) => userId))])
  const fresh: EventText[] = []
  const runs: Run[] = []
  const open = new Map<string, Run>()
  const began = new Map<number, Run>()
  const firstOrders = new Map<Run, number>()
  for (const event of events) {
    const { userId, sequence, type } = event
    const beginning = event.order && isBeginning(type) ? event.order.number : undefined
    const tail = tails.get(userId) ?? { sequence: 0, hash: genesisHash }
    if (sequence <= tail.sequence) continue
    if (sequence !== tail.sequence + 1) throw new Error(`account ${userId} jumps from event ${tail.sequence} to ${sequence}`)
    let run = open.get(userId)
    const isFar = beginning !== undefined && run !== undefined && beginning - (firstOrders.get(run) ?? beginning) >= orderSpanMax
    if (!run || run.events.length === runEventsMax || isFar) {
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
    if (beginning === undefined) continue
    began.set(beginning, run)
    if (!firstOrders.has(run)) firstOrders.set(run, beginning)
  }
  if (fresh.length === 0) return
  const lists = fresh.flatMap(({ list, userId }) => (list ? [{ ...list, user_id: userId }] : []))
  const all = ordersOf(fresh)
  const { orders, orderRuns } = indexesRuns ? byRun(all, began, lists) : { orders: all, orderRuns: [] }
  await Promise.all([
    tables.insertRuns(runs),
    // A fill and its order's new state are of one command, and so of one record. Only quotes have fills alone: they have no order events and no row.
    orders.length > 0 && tables.putOrders(orders),
    orderRuns.length > 0 && tables.insertOrderRuns(orderRuns),
    lists.length > 0 && tables.insertLists(lists),
  ])
}

/** Tells orders that all their events so far are of the run they began in from those that need a row of their own. */
function byRun(
  rows: readonly OrderRow[],
  began: ReadonlyMap<number, Run>,
  lists: readonly ListRow[],
): { orders: OrderRow[]; orderRuns: OrderRun[] } {
  const listed = new Set(lists.flatMap(({ order_ids: ids }) => ids.map(parseId)))
  const orders: OrderRow[] = []
  const orderRuns = new Map<Run, OrderRun>()
  for (const row of rows) {
    const { userId, order, sequence, fills } = row
    const run = began.get(order.number)
    if (!run || Math.max(sequence, fills.at(-1) ?? 0) > run.lastSequence || listed.has(order.number)) {
      orders.push(row)
      continue
    }
    const known = orderRuns.get(run)
    if (known) known.orders.push(row)
    else orderRuns.set(run, { userId, orders: [row] })
  }
  return { orders, orderRuns: [...orderRuns.values()] }
}

function isBeginning(type: EventText['type']): boolean {
  return type === 'order.created' || type === 'order.rejected'
}

function ordersOf(events: readonly EventText[]): OrderRow[] {
  // The last state of an order within the run is the one to keep.
  const latest = new Map<number, OrderRow>()
  const fills = new Map<number, number[]>()
  for (const { order, filled, sequence, userId, type } of events) {
    if (order) {
      const isNew = isBeginning(type) || latest.get(order.number)?.isNew === true
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
