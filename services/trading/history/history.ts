import type pg from 'pg'
import type { FillData, OrderData, TradingEvent } from '@maru/contracts'
import { genesisHash } from './chain.ts'
import { postingsOf } from './postings.ts'

/** Events read at once to find postings. */
const ledgerPage = 500

/** Reads of the history tables. They lag behind the replica by milliseconds; `reached` waits for them where that matters. */
export class History {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async order(id: string): Promise<OrderData | undefined> {
    const { rows } = await this.#pool.query<{ document: string }>('select document from trading.orders where id = $1', [id])
    return parsed(rows[0])
  }

  async orderOfClientId(userId: string, clientOrderId: string): Promise<OrderData | undefined> {
    const { rows } = await this.#pool.query<{ document: string }>(
      'select document from trading.orders where user_id = $1 and client_order_id = $2 order by id limit 1',
      [userId, clientOrderId],
    )
    return parsed(rows[0])
  }

  /** Fills of an order, oldest first; they stand in its account's stream up to the order's last event. At most 1,000. */
  async fillsOf(order: OrderData): Promise<FillData[]> {
    const { rows } = await this.#pool.query<{ occurred_at: string; data: string }>(
      `select e.occurred_at, e.data from trading.orders o join trading.account_events e on e.user_id = o.user_id and e.sequence <= o.sequence
       where o.id = $1 and e.type = 'trade.executed' and e.occurred_at >= $2 and e.data::json ->> 'order_id' = $1
       order by e.sequence limit 1000`,
      [order.id, order.created_at],
    )
    return rows.map(({ occurred_at, data }) => {
      const { trade_id, price, quantity, fee, fee_asset, liquidity } = JSON.parse(data) as FillData
      return { trade_id, price, quantity, fee, fee_asset, liquidity, timestamp: occurred_at }
    })
  }

  /** Newest first, from before the id `cursor`. */
  async orders(
    userId: string,
    filter: {
      status?: string | undefined
      symbol?: string | undefined
      limit: number
      cursor?: string | undefined
      offset?: number | undefined
    },
  ): Promise<OrderData[]> {
    const { rows } = await this.#pool.query<{ document: string }>(
      `select document from trading.orders
       where user_id = $1 and ($2::text is null or status = $2) and ($3::text is null or symbol = $3) and ($4::text is null or id < $4)
       order by id desc limit $5 offset $6`,
      [userId, filter.status ?? null, filter.symbol ?? null, filter.cursor ?? null, filter.limit, filter.offset ?? 0],
    )
    return rows.map((row) => JSON.parse(row.document) as OrderData)
  }

  async events(
    userId: string,
    after: number,
    limit: number,
  ): Promise<{ sequence: number; type: string; timestamp: string; data: unknown; hash: string; previous_hash: string }[]> {
    // With the event before the first, whose hash the first one names.
    const { rows } = await this.#pool.query<{ sequence: string; type: string; occurred_at: string; data: string; hash: Buffer }>(
      `select sequence, type, occurred_at, data, hash from trading.account_events where user_id = $1 and sequence >= $2 order by sequence limit $3`,
      [userId, after, limit + 1],
    )
    const isBeforeFirst = Number(rows[0]?.sequence) === after
    let previous = isBeforeFirst ? rows[0]!.hash.toString('hex') : genesisHash
    return (isBeforeFirst ? rows.slice(1) : rows.slice(0, limit)).map(({ sequence, type, occurred_at, data, hash }) => {
      const event = {
        sequence: Number(sequence),
        type,
        timestamp: occurred_at,
        data: JSON.parse(data) as unknown,
        hash: hash.toString('hex'),
        previous_hash: previous,
      }
      previous = event.hash
      return event
    })
  }

  /** The postings of the account's events, newest first; `before` is the last leg seen. */
  async ledger(
    userId: string,
    filter: { asset?: string | undefined; limit: number; before?: { sequence: number; leg: number } | undefined },
  ): Promise<LedgerRow[]> {
    const rows: LedgerRow[] = []
    let through = filter.before?.sequence ?? Number.MAX_SAFE_INTEGER
    while (rows.length < filter.limit) {
      const { rows: events } = await this.#pool.query<{ sequence: string; type: TradingEvent['type']; occurred_at: string; data: string }>(
        `select sequence, type, occurred_at, data from trading.account_events
         where user_id = $1 and sequence <= $2 and type in ('trade.executed', 'funds.moved', 'fill.booked') order by sequence desc limit $3`,
        [userId, through, ledgerPage],
      )
      for (const event of events) {
        const sequence = Number(event.sequence)
        const postings = postingsOf({ type: event.type, data: JSON.parse(event.data) as TradingEvent['data'] })
        for (let leg = postings.length - 1; leg >= 0; leg--) {
          const posting = postings[leg]!
          const isSeen = sequence === filter.before?.sequence && leg >= filter.before.leg
          if (isSeen || (filter.asset !== undefined && posting.asset !== filter.asset) || rows.length === filter.limit) continue
          rows.push({ sequence, leg, occurred_at: event.occurred_at, ...posting })
        }
        through = sequence - 1
      }
      if (events.length < ledgerPage) break
    }
    return rows
  }

  /** Waits until the tables hold event `sequence` of the account; false if they do not within `timeoutMs`. */
  async reached(userId: string, sequence: number, timeoutMs: number): Promise<boolean> {
    const end = performance.now() + timeoutMs
    for (let delayMs = 2; ; delayMs = Math.min(delayMs * 2, 50)) {
      const { rows } = await this.#pool.query<{ sequence: string | null }>(
        'select max(sequence) as sequence from trading.account_events where user_id = $1',
        [userId],
      )
      if (Number(rows[0]!.sequence ?? 0) >= sequence) return true
      if (performance.now() + delayMs > end) return false
      await new Promise((resolve) => setTimeout(resolve, delayMs))
    }
  }
}

function parsed(row: { document: string } | undefined): OrderData | undefined {
  return row && (JSON.parse(row.document) as OrderData)
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
