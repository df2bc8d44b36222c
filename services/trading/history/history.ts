import type pg from 'pg'
import type { FillData, OrderData } from '@maru/contracts'

/** Reads of the history tables. They lag behind the replica by milliseconds; `reached` waits for them where that matters. */
export class History {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async order(id: string): Promise<OrderData | undefined> {
    const { rows } = await this.#pool.query<{ document: OrderData }>('select document from trading.orders where id = $1', [id])
    return rows[0]?.document
  }

  async orderOfClientId(userId: string, clientOrderId: string): Promise<OrderData | undefined> {
    const { rows } = await this.#pool.query<{ document: OrderData }>(
      'select document from trading.orders where user_id = $1 and client_order_id = $2 order by id limit 1',
      [userId, clientOrderId],
    )
    return rows[0]?.document
  }

  async fillsOf(orderId: string): Promise<FillData[]> {
    const { rows } = await this.#pool.query<{ document: FillData }>('select document from trading.fills where order_id = $1 order by sequence limit 1000', [orderId])
    return rows.map((row) => row.document)
  }

  /** Newest first, from before the id `cursor`. */
  async orders(userId: string, filter: { status?: string | undefined; symbol?: string | undefined; limit: number; cursor?: string | undefined; offset?: number | undefined }): Promise<OrderData[]> {
    const { rows } = await this.#pool.query<{ document: OrderData }>(
      `select document from trading.orders
       where user_id = $1 and ($2::text is null or status = $2) and ($3::text is null or symbol = $3) and ($4::text is null or id < $4)
       order by id desc limit $5 offset $6`,
      [userId, filter.status ?? null, filter.symbol ?? null, filter.cursor ?? null, filter.limit, filter.offset ?? 0],
    )
    return rows.map((row) => row.document)
  }

  async events(userId: string, after: number, limit: number): Promise<{ sequence: number; type: string; timestamp: string; data: unknown; hash: string; previous_hash: string }[]> {
    const { rows } = await this.#pool.query<{ sequence: string; type: string; occurred_at: string; data: unknown; hash: string; previous_hash: string }>(
      'select sequence, type, occurred_at, data, hash, previous_hash from trading.account_events where user_id = $1 and sequence > $2 order by sequence limit $3',
      [userId, after, limit],
    )
    return rows.map(({ sequence, occurred_at, ...rest }) => ({ sequence: Number(sequence), timestamp: occurred_at, ...rest }))
  }

  /** Newest first; the cursor is `sequence_leg` of the last row seen. */
  async ledger(userId: string, filter: { asset?: string | undefined; limit: number; before?: { sequence: number; leg: number } | undefined }): Promise<LedgerRow[]> {
    const { rows } = await this.#pool.query<LedgerRow>(
      `select sequence::float8 as sequence, leg, asset, trim_scale(amount)::text as amount, reason, reference, occurred_at from trading.ledger
       where user_id = $1 and ($2::text is null or asset = $2) and ($3::bigint is null or (sequence, leg) < ($3, $4))
       order by sequence desc, leg desc limit $5`,
      [userId, filter.asset ?? null, filter.before?.sequence ?? null, filter.before?.leg ?? 0, filter.limit],
    )
    return rows
  }

  /** Waits until the tables hold event `sequence` of the account; false if they do not within `timeoutMs`. */
  async reached(userId: string, sequence: number, timeoutMs: number): Promise<boolean> {
    const end = performance.now() + timeoutMs
    for (let delayMs = 2; ; delayMs = Math.min(delayMs * 2, 50)) {
      const { rows } = await this.#pool.query<{ sequence: string | null }>('select max(sequence) as sequence from trading.account_events where user_id = $1', [userId])
      if (Number(rows[0]!.sequence ?? 0) >= sequence) return true
      if (performance.now() + delayMs > end) return false
      await new Promise((resolve) => setTimeout(resolve, delayMs))
    }
  }
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
