import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type pg from 'pg'
import { PostgresForgottenIds } from './forgotten-ids.ts'
import type { Snapshot, SnapshotStore } from './snapshots.ts'

/** A state is mostly small numbers: compressed it is a tenth or less, and reading it a fraction of the time. */
const compression = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
/** Decompressed into one piece, unless the state is larger than most: pieces have to be joined, which takes as long again. */
const decompression = { chunkSize: 16 * 1_024 * 1_024 }
/** How a compressed snapshot begins (RFC 8878); those stored before begin otherwise. */
const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

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
    if (!row) return undefined
    const isCompressed = row.body.subarray(0, zstdMagic.length).equals(zstdMagic)
    return {
      offset: Number(row.log_offset),
      stateHash: row.state_hash,
      body: isCompressed ? zstdDecompressSync(row.body, decompression) : row.body,
    }
  }

  async add({ commandCount, offset, stateHash, body }: Snapshot): Promise<void> {
    await this.#pool.query(
      `insert into trading.snapshots (command_count, log_offset, state_hash, body) values ($1, $2, $3, $4) on conflict (command_count) do nothing`,
      [commandCount, offset, stateHash, zstdCompressSync(body, compression)],
    )
  }

  async dropAfter(command: number): Promise<void> {
    await this.#pool.query(
      'delete from trading.snapshots where command_count > greatest($1, (select min(command_count) from trading.snapshots))',
      [command],
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
