import type pg from 'pg'
import { orderStatuses } from '../wire/wire.ts'
import { formatId, parseId } from '../wire/order-id.ts'
import { orderSpanMax, type IndexedOrder } from './project.ts'

/** From these rules on orders may be indexed where they began: by then every instance is of a release that looks there. */
export const runIndexRules = 4
/** Fills of an order that are known by their numbers. */
export const fillsMax = 1_000
/** Rows read at once while a list is made: few first, as most lists are short. */
const firstRows = 8
const rowsMax = 1_024

/** Where an order stands in its account's stream. */
export interface OrderPlace {
  userId: string
  /** Its number. */
  order: number
  /** Number of its last event, whose data is the order. */
  sequence: number
}

export interface OrderFilter {
  status?: string | undefined
  symbol?: string | undefined
  limit: number
  /** Id of the order before the first. */
  cursor?: string | undefined
  offset?: number | undefined
}

interface RunRow {
  user_id: string
  first_order: string
  symbols: string[]
  orders: string
}

/** An order as the run it began in shows it. */
interface Begun extends OrderPlace {
  status: number
  symbol: string
  fills: number[]
}

/** Finds orders in the history tables: in rows of their own, or where they began. The former are newer where both are. */
export class OrderIndex {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** An order of a user; of any user where none is given, which looks through all who placed orders about then. */
  async find(order: number, userId?: string): Promise<OrderPlace | undefined> {
    const { rows } = await this.#pool.query<{ user_id: string; sequence: string }>({
      name: 'order',
      text: 'select user_id, sequence from trading.orders where id = $1',
      values: [formatId(order)],
    })
    if (rows[0])
      return userId === undefined || rows[0].user_id === userId
        ? { userId: rows[0].user_id, order, sequence: Number(rows[0].sequence) }
        : undefined
    return this.#begun(order, userId)
  }

  /** Numbers of the fills of a user's order in the stream of the account, ascending; the first 1,000. */
  async fillsOf(order: number, userId: string): Promise<number[]> {
    const [{ rows }, begun] = await Promise.all([
      this.#pool.query<{ fills: string[] | null }>('select fills from trading.orders where id = $1 and user_id = $2', [
        formatId(order),
        userId,
      ]),
      this.#begun(order, userId),
    ])
    const fills = new Set([...(begun?.fills ?? []), ...(rows[0]?.fills ?? []).map(Number)])
    return [...fills].sort((a, b) => a - b).slice(0, fillsMax)
  }

  async ofClientId(userId: string, clientOrderId: string): Promise<OrderPlace | undefined> {
    const { rows } = await this.#pool.query<{ number: string | null; id: string | null }>({
      name: 'order of client id',
      text: `select (select id from trading.orders where user_id = $1 and client_order_id = $2 order by id limit 1) as id,
        (select order_number from trading.order_client_ids where user_id = $1 and client_order_id = $2 order by order_number limit 1) as number`,
      values: [userId, clientOrderId],
    })
    const { id, number } = rows[0]!
    const numbers = [id === null ? undefined : parseId(id), number === null ? undefined : Number(number)].filter(
      (found) => found !== undefined,
    )
    return numbers.length === 0 ? undefined : this.find(Math.min(...numbers), userId)
  }

  /** Number of the newest order; 0 where there is none. */
  async newest(): Promise<number> {
    const { rows } = await this.#pool.query<{ id: string | null; number: string | null }>(
      `select (select id from trading.orders order by id desc limit 1) as id, (select max(last_order) from trading.order_runs) as number`,
    )
    const { id, number } = rows[0]!
    return Math.max(id === null ? 0 : (parseId(id) ?? 0), Number(number ?? 0))
  }

  /**
   * Orders of a user, newest first; none for a cursor that is no id. What is committed while this looks is left to the next look: of two new orders the newer
   * might be seen alone, and a cursor would stand before the other for good.
   */
  async list(userId: string, filter: OrderFilter): Promise<OrderPlace[]> {
    const { limit, cursor, offset = 0 } = filter
    const before = cursor === undefined ? (await this.newest()) + 1 : parseId(cursor)
    if (before === undefined) return []
    // In this order: one that gets its row between the two is found by both, and its row is what counts.
    const begun = await this.#begunRows(userId, before, filter)
    const found = new Map([...begun, ...(await this.#ownRows(userId, before, filter))].map((place) => [place.order, place]))
    return [...found.values()].sort((a, b) => b.order - a.order).slice(offset, offset + limit)
  }

  async #ownRows(userId: string, before: number, { status, symbol, limit, offset = 0 }: OrderFilter): Promise<OrderPlace[]> {
    const { rows } = await this.#pool.query<{ id: string; sequence: string }>(
      `select id, sequence from trading.orders
       where user_id = $1 and ($2::text is null or status = $2) and ($3::text is null or symbol = $3) and id < $4
       order by id desc limit $5`,
      [userId, status ?? null, symbol ?? null, formatId(before), offset + limit],
    )
    return rows.map(({ id, sequence }) => ({ userId, order: parseId(id)!, sequence: Number(sequence) }))
  }

  /**
   * Those that began in runs, as many as are wanted. Where a status is asked for only those without a row of their own, which may have another by now. Else one with a row
   * counts too: it is among as many of the newest rows, and whoever has rows for all would have every run read.
   */
  async #begunRows(userId: string, from: number, { status, symbol, limit, offset = 0 }: OrderFilter): Promise<OrderPlace[]> {
    const wantedStatus = status === undefined ? undefined : orderStatuses.indexOf(status as (typeof orderStatuses)[number])
    if (wantedStatus === -1) return []
    const found: OrderPlace[] = []
    // Runs of one user do not overlap, so the one that holds where the list begins ends within a span of it. The next ones end before where that one began.
    let [before, reach] = [from, orderSpanMax]
    for (let rowsOfPage = firstRows; found.length < offset + limit; rowsOfPage = Math.min(rowsMax, rowsOfPage * 2)) {
      const { rows } = await this.#pool.query<RunRow>({
        name: 'orders begun',
        text: `select user_id, first_order, symbols, orders from trading.order_runs
         where user_id = $1 and last_order < $2::bigint + $3 and first_order < $2
           and ($4::integer is null or statuses & $4 <> 0) and ($5::text is null or $5 = any (symbols))
         order by last_order desc limit $6`,
        values: [userId, before, reach, wantedStatus === undefined ? null : 1 << wantedStatus, symbol ?? null, rowsOfPage],
      })
      const listed = rows
        .flatMap(ordersBegun)
        .filter(
          (order) =>
            order.order < before &&
            (wantedStatus === undefined || order.status === wantedStatus) &&
            (symbol === undefined || order.symbol === symbol),
        )
      found.push(...(wantedStatus === undefined ? listed : await this.#withoutRow(listed)))
      if (rows.length < rowsOfPage) break
      before = Number(rows.at(-1)!.first_order)
      reach = 0
    }
    return found
  }

  async #withoutRow(orders: readonly Begun[]): Promise<Begun[]> {
    if (orders.length === 0) return []
    const { rows } = await this.#pool.query<{ id: string }>({
      name: 'orders with a row',
      text: 'select id from trading.orders where id = any ($1::text[])',
      values: [orders.map(({ order }) => formatId(order))],
    })
    const withRow = new Set(rows.map(({ id }) => parseId(id)))
    return orders.filter(({ order }) => !withRow.has(order))
  }

  async #begun(order: number, userId: string | undefined): Promise<Begun | undefined> {
    const { rows } = await this.#pool.query<RunRow>(
      userId === undefined
        ? {
            name: 'order begun of anyone',
            text: `select user_id, first_order, symbols, orders from trading.order_runs
             where last_order >= $1 and last_order < $1::bigint + $2 and first_order <= $1`,
            values: [order, orderSpanMax],
          }
        : {
            name: 'order begun',
            text: `select user_id, first_order, symbols, orders from trading.order_runs
             where user_id = $1 and last_order >= $2 order by last_order limit 1`,
            values: [userId, order],
          },
    )
    for (const row of rows) {
      const found = ordersBegun(row).find((begun) => begun.order === order)
      if (found) return found
    }
    return undefined
  }
}

/** The orders of a run as a row of the index holds them. */
export function indexText(orders: readonly IndexedOrder[]): { statuses: number; symbols: string[]; text: string } {
  const symbols: string[] = []
  let statuses = 0
  const items = orders.map(({ order, sequence, fills }) => {
    const status = orderStatuses.indexOf(order.status)
    statuses |= 1 << status
    let symbol = symbols.indexOf(order.symbol)
    if (symbol < 0) symbol = symbols.push(order.symbol) - 1
    const more = fills.length === 0 ? '' : `,${fills.slice(0, fillsMax).join(',')}`
    return `[${order.number},${sequence},${status},${symbol}${more}]`
  })
  return { statuses, symbols, text: `[${items.join(',')}]` }
}

function ordersBegun(row: RunRow): Begun[] {
  const items = JSON.parse(row.orders) as [order: number, sequence: number, status: number, symbol: number, ...fills: number[]][]
  return items.map(([order, sequence, status, symbol, ...fills]) => ({
    userId: row.user_id,
    order,
    sequence,
    status,
    symbol: row.symbols[symbol]!,
    fills,
  }))
}
