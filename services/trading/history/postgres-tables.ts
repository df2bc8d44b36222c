import type pg from 'pg'
import { topics } from '@maru/contracts'
import { encodeJsonBytes, ReaderStore, type PositionStore } from '@maru/event-log'
import { formatId } from '../wire/order-id.ts'
import { fillsMax, indexText } from './order-index.ts'
import type { HistoryTables, ListRow, OrderRow, OrderRun, Run } from './project.ts'
import { runText } from './run-text.ts'

export const hashBytes = 32

/** The history tables and the position up to which they hold `trading-events`, in PostgreSQL. */
export function postgresHistory(pool: pg.Pool): PositionStore<HistoryTables> {
  const positions = new ReaderStore({ pool, schema: 'trading', name: 'history', topic: topics.tradingEvents })
  return {
    install: () => positions.install(),
    load: () => positions.load(),
    advance: (from, to, work) => positions.advance(from, to, (client) => work(new PostgresTables(client))),
    setApart: (...failed) => positions.setApart(...failed),
  }
}

/** Its statements are prepared once a connection: the smaller a round, the more of its cost would be planning. */
export class PostgresTables implements HistoryTables {
  readonly #client: pg.PoolClient

  constructor(client: pg.PoolClient) {
    this.#client = client
  }

  async tails(userIds: readonly string[]): Promise<Map<string, { sequence: number; hash: string }>> {
    const { rows } = await this.#client.query<{ user_id: string; sequence: string; hash: Buffer }>({
      name: 'tails',
      text: `select tail.* from unnest($1::text[]) as wanted(user_id)
       cross join lateral (
         select user_id, last_sequence as sequence, substring(hashes from octet_length(hashes) - 31) as hash
         from trading.account_event_runs r where r.user_id = wanted.user_id order by last_sequence desc limit 1
       ) tail`,
      values: [userIds],
    })
    return new Map(rows.map((row) => [row.user_id, { sequence: Number(row.sequence), hash: row.hash.toString('hex') }]))
  }

  /**
   * The bytes of all rows go as one parameter, from which the database cuts them: a list of texts is read character by character, and bytes in it
   * would come as two characters each.
   */
  async insertRuns(runs: readonly Run[]): Promise<void> {
    const bytes: Buffer[] = []
    let offset = 1
    const starts: number[] = []
    const eventBytes: number[] = []
    for (const { previousHash, hashes, events } of runs) {
      const packed = encodeJsonBytes(runText(events))
      bytes.push(Buffer.from(previousHash + hashes.join(''), 'hex'), packed)
      starts.push(offset)
      eventBytes.push(packed.length)
      offset += hashBytes * (hashes.length + 1) + packed.length
    }
    await this.#client.query({
      name: 'insert_runs',
      text: `insert into trading.account_event_runs (user_id, last_sequence, first_sequence, previous_hash, hashes, has_postings, events)
       select user_id, last, first, substr($7::bytea, start, ${hashBytes}), substr($7, start + ${hashBytes}, hashed), has_postings,
         substr($7, start + ${hashBytes} + hashed, events)
       from (
         select *, (last - first + 1)::integer * ${hashBytes} as hashed
         from unnest($1::text[], $2::bigint[], $3::bigint[], $4::integer[], $5::boolean[], $6::integer[])
           as row(user_id, last, first, start, has_postings, events)
       ) runs`,
      values: [
        runs.map((run) => run.userId),
        list(runs.map((run) => run.lastSequence)),
        list(runs.map((run) => run.firstSequence)),
        list(starts),
        runs.map((run) => run.hasPostings),
        list(eventBytes),
        Buffer.concat(bytes),
      ],
    })
  }

  /** New orders cost a third more where the database is to look first whether they are there. */
  async putOrders(rows: readonly OrderRow[]): Promise<void> {
    const [added, changed] = [rows.filter(({ isNew }) => isNew), rows.filter(({ isNew }) => !isNew)]
    await Promise.all([
      added.length > 0 && this.#insertOrders('add_orders', added),
      changed.length > 0 && this.#insertOrders('put_orders', changed, replacing),
    ])
  }

  async #insertOrders(name: string, rows: OrderRow[], onConflict = ''): Promise<void> {
    // Those next to each other in the index by user are written one after another.
    rows.sort((a, b) => (a.userId === b.userId ? a.order.number - b.order.number : a.userId < b.userId ? -1 : 1))
    // Of long texts that repeat, one is enough.
    const [users, symbols, statuses] = [new Dictionary(), new Dictionary(), new Dictionary()]
    await this.#client.query({
      name,
      text: `insert into trading.orders as o (id, user_id, client_order_id, symbol, status, sequence, fills)
       select id, ($8::text[])[user_number], client_order_id, ($9::text[])[symbol_number], ($10::text[])[status_number], sequence, fills::bigint[]
       from unnest($1::text[], $2::integer[], $3::text[], $4::integer[], $5::integer[], $6::bigint[], $7::text[])
         as row(id, user_number, client_order_id, symbol_number, status_number, sequence, fills) ${onConflict}`,
      values: [
        list(rows.map(({ order }) => formatId(order.number))),
        list(rows.map(({ userId }) => users.numberOf(userId))),
        rows.map(({ order }) => order.clientOrderId),
        list(rows.map(({ order }) => symbols.numberOf(order.symbol))),
        list(rows.map(({ order }) => statuses.numberOf(order.status))),
        list(rows.map(({ sequence }) => sequence)),
        rows.map(({ fills }) => (fills.length > 0 ? list(fills.slice(0, fillsMax)) : null)),
        users.texts,
        symbols.texts,
        statuses.texts,
      ],
    })
  }

  async insertOrderRuns(runs: readonly OrderRun[]): Promise<void> {
    const texts = runs.map(({ orders }) => indexText(orders))
    const given = runs.flatMap(({ userId, orders }) =>
      orders.flatMap(({ order: { number, clientOrderId } }) => (clientOrderId === null ? [] : [{ userId, number, clientOrderId }])),
    )
    await Promise.all([
      this.#client.query({
        name: 'insert_order_runs',
        text: `insert into trading.order_runs (user_id, last_order, first_order, statuses, symbols, orders)
         select user_id, last_order, first_order, statuses, string_to_array(symbols, '${separator}'), orders
         from unnest(string_to_array($1, '${separator}'), $2::bigint[], $3::bigint[], $4::integer[], string_to_array($5, ';'), string_to_array($6, '${separator}'))
           as row(user_id, last_order, first_order, statuses, symbols, orders)`,
        values: [
          runs.map(({ userId }) => userId).join(separator),
          list(runs.map(({ orders }) => orders.at(-1)!.order.number)),
          list(runs.map(({ orders }) => orders[0]!.order.number)),
          list(texts.map(({ statuses }) => statuses)),
          texts.map(({ symbols }) => symbols.join(separator)).join(';'),
          texts.map(({ text }) => text).join(separator),
        ],
      }),
      given.length > 0 &&
        this.#client.query({
          name: 'insert_client_ids',
          text: `insert into trading.order_client_ids (user_id, client_order_id, order_number)
           select * from unnest($1::text[], $2::text[], $3::bigint[])`,
          values: [
            given.map(({ userId }) => userId),
            given.map(({ clientOrderId }) => clientOrderId),
            list(given.map(({ number }) => number)),
          ],
        }),
    ])
  }

  async insertLists(rows: readonly ListRow[]): Promise<void> {
    await this.#client.query({
      name: 'insert_lists',
      text: `insert into trading.order_lists (id, user_id, client_list_id, symbol, type, order_ids)
       select id, user_id, client_list_id, symbol, type, string_to_array(order_ids, '${separator}')
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
         as row(id, user_id, client_list_id, symbol, type, order_ids)`,
      values: [
        rows.map(({ id }) => id),
        rows.map((row) => row.user_id),
        rows.map((row) => row.client_list_id),
        rows.map(({ symbol }) => symbol),
        rows.map(({ type }) => type),
        rows.map((row) => row.order_ids.join(separator)),
      ],
    })
  }
}

/** A list of numbers or ids as the database writes it: the driver looks at each item for what needs quoting. */
function list(items: readonly (number | string)[]): string {
  return `{${items.join(',')}}`
}

const replacing = `on conflict (id) do update set status = excluded.status, sequence = excluded.sequence,
  fills = case when excluded.fills is null then o.fills else (o.fills || excluded.fills)[1:${fillsMax}] end`

/** Ids of a fixed width in one text, as a list of lists must be given to the database. */
const separator = ' '

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
