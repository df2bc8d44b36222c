import type pg from 'pg'
import { PostgresForgottenIds } from './forgotten-ids.ts'
import type { Snapshot, SnapshotStore } from './snapshots.ts'

export class PostgresSnapshots implements SnapshotStore {
  readonly forgottenIds: PostgresForgottenIds
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
    this.forgottenIds = new PostgresForgottenIds(pool)
  }

  async newest(): Promise<Omit<Snapshot, 'commandCount'> | undefined> {
    const { rows } = await this.#pool.query<{ log_offset: string; body: Buffer; state_hash: string }>(
      'select log_offset, body, state_hash from trading.snapshots order by command_count desc limit 1',
    )
    const row = rows[0]
    return row && { offset: Number(row.log_offset), stateHash: row.state_hash, body: row.body }
  }

  async add({ commandCount, offset, stateHash, body }: Snapshot): Promise<void> {
    await this.#pool.query(
      `insert into trading.snapshots (command_count, log_offset, state_hash, body) values ($1, $2, $3, $4) on conflict (command_count) do nothing`,
      [commandCount, offset, stateHash, Buffer.from(body.buffer, body.byteOffset, body.byteLength)],
    )
  }

  async keep(newest: number): Promise<void> {
    await this.#pool.query(
      'delete from trading.snapshots where command_count < (select min(command_count) from (select command_count from trading.snapshots order by command_count desc limit $1) kept)',
      [newest],
    )
  }

  async span(): Promise<{ count: number; oldestOffset: number }> {
    const { rows } = await this.#pool.query<{ oldest: string | null; kept: string }>(
      'select min(log_offset) as oldest, count(*) as kept from trading.snapshots',
    )
    return { count: Number(rows[0]!.kept), oldestOffset: Number(rows[0]!.oldest) }
  }
}
