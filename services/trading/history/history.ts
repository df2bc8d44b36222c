import type pg from 'pg'
import type { FillData, OrderData, TradingEvent } from '@maru/contracts'
import { parseId } from '../wire/order-id.ts'
import { OrderIndex, type OrderFilter, type OrderPlace } from './order-index.ts'
import type { ListRow } from './project.ts'
import { postingsOf } from './postings.ts'
import { readRuns, type StoredEvent } from './runs.ts'

/** Numbers of the stream that are searched at once for postings. */
const ledgerPage = 500

/** Reads of the history tables. They lag behind the replica by milliseconds; `reached` waits for them where that matters. */
export class History {
  readonly #pool: pg.Pool
  readonly #index: OrderIndex

  constructor(pool: pg.Pool) {
    this.#pool = pool
    this.#index = new OrderIndex(pool)
  }

  /** An order of a user, or of any where none is given. */
  async order(id: string, userId?: string): Promise<OrderData | undefined> {
    const number = parseId(id)
    const place = number === undefined ? undefined : await this.#index.find(number, userId)
    return place && (await this.#orders([place]))[0]
  }

  /** Number of the newest order in the tables; 0 where there is none. */
  newestOrder(): Promise<number> {
    return this.#index.newest()
  }

  async orderOfClientId(userId: string, clientOrderId: string): Promise<OrderData | undefined> {
    const place = await this.#index.ofClientId(userId, clientOrderId)
    return place && (await this.#orders([place]))[0]
  }

  /** Fills of an order, oldest first. At most 1,000. */
  async fillsOf(order: OrderData): Promise<FillData[]> {
    const sequences = await this.#index.fillsOf(parseId(order.id)!, order.user_id)
    const events = await this.#eventsAt(order.user_id, sequences)
    return events.map(({ timestamp, data }) => {
      const { trade_id, price, quantity, fee, fee_asset, liquidity } = data as FillData
      return { trade_id, price, quantity, fee, fee_asset, liquidity, timestamp }
    })
  }

  /** Newest first, from before the id `cursor`. */
  async orders(userId: string, filter: OrderFilter): Promise<OrderData[]> {
    return this.#orders(await this.#index.list(userId, filter))
  }

  /** Orders of lists of one user, as the tables have them, by id: each of those has a row of its own. */
  async ordersById(userId: string, ids: readonly string[]): Promise<Map<string, OrderData>> {
    const { rows } = await this.#pool.query<{ sequence: string }>({
      name: 'orders by id',
      text: 'select sequence from trading.orders where id = any($1::text[]) and user_id = $2',
      values: [ids, userId],
    })
    const orders = await this.#orders(rows.map(({ sequence }) => ({ userId, sequence: Number(sequence) })))
    return new Map(orders.map((order) => [order.id, order]))
  }

  async list(id: string): Promise<ListRow | undefined> {
    const { rows } = await this.#pool.query<ListRow>(`select ${listColumns} from trading.order_lists where id = $1`, [id])
    return rows[0]
  }

  async listOfClientId(userId: string, clientListId: string): Promise<ListRow | undefined> {
    const { rows } = await this.#pool.query<ListRow>(
      `select ${listColumns} from trading.order_lists where user_id = $1 and client_list_id = $2 order by id desc limit 1`,
      [userId, clientListId],
    )
    return rows[0]
  }

  /** Newest first, from before the id `cursor`. A list is open while one of its orders is. */
  async lists(
    userId: string,
    filter: { isOpen?: boolean | undefined; symbol?: string | undefined; limit: number; cursor?: string | undefined },
  ): Promise<ListRow[]> {
    const { rows } = await this.#pool.query<ListRow>(
      `select ${listColumns} from trading.order_lists
       where user_id = $1 and ($2::text is null or symbol = $2) and ($3::text is null or id < $3)
         and ($4::boolean is null or $4 = exists (
           select from trading.orders o where o.id = any(order_ids) and o.status in ('PENDING', 'PARTIALLY_FILLED')
         ))
       order by id desc limit $5`,
      [userId, filter.symbol ?? null, filter.cursor ?? null, filter.isOpen ?? null, filter.limit],
    )
    return rows
  }

  async events(userId: string, after: number, limit: number): Promise<StoredEvent[]> {
    return readRuns(this.#pool, userId, { after, through: after + limit })
  }

  /** The postings of the account's events, newest first; `before` is the last leg seen. */
  async ledger(
    userId: string,
    filter: { asset?: string | undefined; limit: number; before?: { sequence: number; leg: number } | undefined },
  ): Promise<LedgerRow[]> {
    const rows: LedgerRow[] = []
    let through = filter.before?.sequence ?? Number.MAX_SAFE_INTEGER
    while (rows.length < filter.limit) {
      // Over events that moved nothing, however many, in one step.
      const { rows: newest } = await this.#pool.query<{ sequence: string }>(
        `select last_sequence as sequence from trading.account_event_runs
         where user_id = $1 and has_postings and first_sequence <= $2 order by last_sequence desc limit 1`,
        [userId, through],
      )
      if (newest.length === 0) break
      through = Math.min(through, Number(newest[0]!.sequence))
      const events = await readRuns(this.#pool, userId, { after: through - ledgerPage, through, hasPostings: true })
      for (const event of events.toReversed()) {
        const postings = postingsOf(event as Pick<TradingEvent, 'type' | 'data'>)
        for (let leg = postings.length - 1; leg >= 0; leg--) {
          const posting = postings[leg]!
          const isSeen = event.sequence === filter.before?.sequence && leg >= filter.before.leg
          if (isSeen || (filter.asset !== undefined && posting.asset !== filter.asset) || rows.length === filter.limit) continue
          rows.push({ sequence: event.sequence, leg, occurred_at: event.timestamp, ...posting })
        }
      }
      through -= ledgerPage
    }
    return rows
  }

  /** Waits until the tables hold event `sequence` of the account; false if they do not within `timeoutMs`. */
  async reached(userId: string, sequence: number, timeoutMs: number): Promise<boolean> {
    const end = performance.now() + timeoutMs
    for (let delayMs = 2; ; delayMs = Math.min(delayMs * 2, 50)) {
      const { rows } = await this.#pool.query<{ sequence: string | null }>({
        name: 'account read to',
        text: 'select max(last_sequence) as sequence from trading.account_event_runs where user_id = $1',
        values: [userId],
      })
      if (Number(rows[0]!.sequence ?? 0) >= sequence) return true
      if (performance.now() + delayMs > end) return false
      await new Promise((resolve) => setTimeout(resolve, delayMs))
    }
  }

  /** The orders as their last events show them, in the order of the places, all of one user. */
  async #orders(places: readonly Pick<OrderPlace, 'userId' | 'sequence'>[]): Promise<OrderData[]> {
    if (places.length === 0) return []
    const events = await this.#eventsAt(
      places[0]!.userId,
      places.map(({ sequence }) => sequence),
    )
    const bySequence = new Map(events.map((event) => [event.sequence, event.data as OrderData]))
    return places.map(({ sequence }) => ordered(bySequence.get(sequence)!))
  }

  async #eventsAt(userId: string, sequences: readonly number[]): Promise<StoredEvent[]> {
    if (sequences.length === 0) return []
    const wanted = new Set(sequences)
    const events = await readRuns(this.#pool, userId, { holding: sequences })
    return events.filter(({ sequence }) => wanted.has(sequence))
  }
}

const listColumns = 'id, user_id, client_list_id, symbol, type, order_ids'

/** Keys in the order of the contract: who reads an answer looks for the id first. */
function ordered(order: OrderData): OrderData {
  const known: OrderData = {
    id: order.id,
    client_order_id: order.client_order_id,
    user_id: order.user_id,
    symbol: order.symbol,
    side: order.side,
    order_type: order.order_type,
    time_in_force: order.time_in_force,
    quantity: order.quantity,
    filled_quantity: order.filled_quantity,
    price: order.price,
    stop_price: order.stop_price,
    average_price: order.average_price,
    fee: order.fee,
    status: order.status,
    reject_code: order.reject_code,
    created_at: order.created_at,
    updated_at: order.updated_at,
  }
  // What it has more than others comes behind.
  return { ...known, ...order }
}

export interface LedgerRow {
  sequence: number
  leg: number
  asset: string
  amount: string
  reason: string
  reference: string
  occurred_at: string
}
