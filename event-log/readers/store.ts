import pg from 'pg'
import type { LogRecord } from '../port.ts'

/** Where a reader keeps its position, in one transaction with what it does: `Transaction` is what its work is done with. */
export interface PositionStore<Transaction> {
  /** Makes it ready; may be repeated. */
  install(): Promise<void>
  load(): Promise<number>
  /** Does the work and moves the position from `from` to `to` in one transaction; does neither and gives false where it is not at `from`. */
  advance(from: number, to: number, work: (transaction: Transaction) => Promise<void>): Promise<boolean>
  /** Moves the position over a record that is kept apart, unless so many are already. */
  setApart(from: number, record: LogRecord, error: unknown, poisonMax: number): Promise<'done' | 'moved' | 'full'>
}

/** Saved positions and records set apart, in PostgreSQL, in the schema of the service that reads. */
export class ReaderStore implements PositionStore<pg.PoolClient> {
  readonly #pool: pg.Pool
  readonly #schema: string
  readonly #key: [name: string, topic: string]

  constructor(options: { pool: pg.Pool; schema: string; name: string; topic: string }) {
    if (!/^[a-z_][a-z0-9_]{0,62}$/.test(options.schema)) throw new RangeError(`not a schema: ${options.schema}`)
    this.#pool = options.pool
    this.#schema = options.schema
    this.#key = [options.name, options.topic]
  }

  async install(): Promise<void> {
    await this.#transaction(async (client) => {
      await client.query('begin')
      await client.query(`select pg_advisory_xact_lock(hashtext($1))`, [`readers of ${this.#schema}`])
      await client.query(
        `create table if not exists ${this.#schema}.log_positions (name text, topic text, position bigint not null,
          updated_at timestamptz not null default now(), primary key (name, topic))`,
      )
      await client.query(
        `create table if not exists ${this.#schema}.poison_records (name text, topic text, record_offset bigint, body bytea not null, error text not null,
          failed_at timestamptz not null default now(), primary key (name, topic, record_offset))`,
      )
      await client.query(
        `insert into ${this.#schema}.log_positions (name, topic, position) values ($1, $2, 0) on conflict do nothing`,
        this.#key,
      )
      return true
    })
  }

  async load(): Promise<number> {
    const { rows } = await this.#pool.query<{ position: string }>({
      name: `position_${this.#schema}`,
      text: `select position from ${this.#schema}.log_positions where name = $1 and topic = $2`,
      values: this.#key,
    })
    return Number(rows[0]?.position ?? 0)
  }

  advance(from: number, to: number, work: (client: pg.PoolClient) => Promise<void>): Promise<boolean> {
    const [name, topic] = this.#key.map((key) => pg.escapeLiteral(key))
    // Locks the row: of two readers of one name the second waits here, and then finds the position moved.
    const move = `update ${this.#schema}.log_positions set position = ${BigInt(to)}, updated_at = now()
      where name = ${name} and topic = ${topic} and position = ${BigInt(from)}`
    return this.#transaction(async (client) => {
      // One message, of which nothing is done where its begin was not.
      const [, moved] = (await client.query(`begin;${move}`)) as unknown as pg.QueryResult[]
      if (moved?.rowCount !== 1) return false
      await work(client)
      return true
    })
  }

  async setApart(from: number, record: LogRecord, error: unknown, poisonMax: number): Promise<'done' | 'moved' | 'full'> {
    const { rows } = await this.#pool.query<{ count: string }>(
      `select count(*) from ${this.#schema}.poison_records where name = $1 and topic = $2`,
      this.#key,
    )
    if (Number(rows[0]?.count) >= poisonMax) return 'full'
    const text = (error instanceof Error ? (error.stack ?? error.message) : String(error)).replaceAll('\0', '').slice(0, 4_000)
    const done = await this.advance(from, record.offset, async (client) => {
      await client.query(
        `insert into ${this.#schema}.poison_records (name, topic, record_offset, body, error) values ($1, $2, $3, $4, $5)
          on conflict (name, topic, record_offset) do update set error = excluded.error, failed_at = now()`,
        [...this.#key, record.offset, Buffer.from(record.body.buffer, record.body.byteOffset, record.body.byteLength), text],
      )
    })
    return done ? 'done' : 'moved'
  }

  /** The work begins the transaction; it is committed where that gives true, else rolled back. */
  async #transaction(work: (client: pg.PoolClient) => Promise<boolean>): Promise<boolean> {
    const client = await this.#pool.connect()
    let broken = false
    // Between two statements a lost connection shows as an event, which would end the process; the next statement rejects anyway.
    const onError = () => (broken = true)
    client.on('error', onError)
    try {
      const isDone = await work(client)
      const { command } = await client.query(isDone ? 'commit' : 'rollback')
      // PostgreSQL answers the commit of a failed transaction with a rollback, which a handler that swallowed an error would hide.
      if (isDone && command !== 'COMMIT') throw new Error('the transaction had failed: an error of a statement was swallowed')
      return isDone
    } catch (error) {
      await client.query('rollback').catch(() => (broken = true))
      throw error
    } finally {
      client.off('error', onError)
      client.release(broken)
    }
  }
}
