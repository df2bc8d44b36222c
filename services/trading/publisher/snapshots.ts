import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type pg from 'pg'
import { Exchange, hashInSnapshot } from '@maru/domain/exchange'

export interface LoadedState {
  exchange: Exchange
  /** Offset of the last record of the command log that is in it. */
  offset: number
}

/** How many snapshots are kept; the command log is kept from the oldest of them on. */
const keptMax = 3
/** A state is mostly zeros and small numbers: compressed it is a tenth or less, and reading it a fraction of the time. */
const compression = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
/** How a compressed snapshot begins (RFC 8878); those stored before begin otherwise. */
const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

/** The newest state stored; an empty exchange where there is none. */
export async function loadSnapshot(pool: pg.Pool): Promise<LoadedState> {
  const { rows } = await pool.query<{ log_offset: string; body: Buffer; state_hash: string }>(
    'select log_offset, body, state_hash from trading.snapshots order by command_count desc limit 1',
  )
  const row = rows[0]
  if (!row) return { exchange: new Exchange(), offset: 0 }
  const bytes = row.body.subarray(0, zstdMagic.length).equals(zstdMagic) ? zstdDecompressSync(row.body) : row.body
  // That the bytes have this hash is checked as they are read.
  if (hashInSnapshot(bytes) !== row.state_hash) throw new Error('the newest snapshot does not have the hash it was stored with')
  return { exchange: Exchange.restore(bytes), offset: Number(row.log_offset) }
}

/**
 * Drops what was stored after a command, since the state may have been wrong by then; never the oldest, for the log before it is gone.
 * Whoever starts next replays more instead.
 */
export async function dropSnapshotsAfter(pool: pg.Pool, command: number): Promise<void> {
  await pool.query('delete from trading.snapshots where command_count > greatest($1, (select min(command_count) from trading.snapshots))', [
    command,
  ])
}

/** Stores the state at a record boundary; returns the offset up to which the command log is no longer needed. */
export async function storeSnapshot(pool: pg.Pool, state: LoadedState): Promise<number> {
  const { exchange, offset } = state
  const bytes = exchange.snapshot()
  await pool.query(
    `insert into trading.snapshots (command_count, log_offset, state_hash, body) values ($1, $2, $3, $4) on conflict (command_count) do nothing`,
    [exchange.commandCount, offset, hashInSnapshot(bytes), zstdCompressSync(bytes, compression)],
  )
  await pool.query(
    'delete from trading.snapshots where command_count < (select min(command_count) from (select command_count from trading.snapshots order by command_count desc limit $1) kept)',
    [keptMax],
  )
  const { rows } = await pool.query<{ oldest: string; kept: string }>(
    'select min(log_offset) as oldest, count(*) as kept from trading.snapshots',
  )
  return Number(rows[0]!.kept) < keptMax ? 0 : Number(rows[0]!.oldest)
}
