import type pg from 'pg'
import { sliceHashVersion } from '@maru/domain/exchange'
import type { Vote } from './verdict.ts'

/** A hash of a slice of the state after so many commands. */
export interface StateHash {
  readonly command: number
  readonly slice: number
  readonly hash: string
}

/** Where replicas of the exchange write what they found their state to be, for all to compare. */
export interface StateHashes {
  /** `hasVote`: false for a replica that has stopped and only shows what it holds. */
  record(replica: string, hashes: readonly StateHash[], hasVote: boolean): Promise<void>
  /** All votes at command counts from `since` on at which not all are alike, by count; only of hashes that can be compared. */
  contested(since: number): Promise<Map<number, Vote[]>>
  /** All votes at these command counts, as far as there are any that can be compared. */
  votesAt(commands: readonly number[]): Promise<Map<number, Vote[]>>
  /** The last count before `command` at which a replica hashed a slice; 0 where there is none. */
  lastBefore(command: number, replica: string, slice: number): Promise<number>
  /** A replica was outvoted: nothing that it found has a vote any more. */
  withdraw(replica: string): Promise<void>
  /** Hashes of replicas at the last count at which all have one; where there is no such count, or `each` is wanted, the last of each. */
  newest(replicas: readonly string[], wanted: 'common' | 'each'): Promise<(StateHash & { replica: string })[]>
}

/** Command counts that are kept, with votes at each: together the bound of the table. */
const countsMax = 2_048
const votesMax = 16
/** How often a store looks for what is beyond the bound. */
const pruneEveryMs = 10_000

interface Row {
  command_count: string
  replica: string
  slice: number
  hash: string
}

export function postgresStateHashes(pool: pg.Pool): StateHashes {
  let prunedMs = -Infinity
  return {
    async record(replica, hashes, hasVote) {
      await pool.query(
        `insert into trading.state_hashes (command_count, replica, version, slice, hash, is_withdrawn)
         select command_count, $1, $2, slice, hash, $6 from unnest($3::bigint[], $4::integer[], $5::text[]) as row(command_count, slice, hash)
         on conflict (command_count, replica) do update
           set version = excluded.version, slice = excluded.slice, hash = excluded.hash, recorded_at = excluded.recorded_at,
             is_withdrawn = excluded.is_withdrawn`,
        [
          replica,
          sliceHashVersion,
          hashes.map(({ command }) => command),
          hashes.map(({ slice }) => slice),
          hashes.map(({ hash }) => hash),
          !hasVote,
        ],
      )
      if (performance.now() - prunedMs < pruneEveryMs) return
      prunedMs = performance.now()
      await pool.query(
        `delete from trading.state_hashes where ctid in (
           select ctid from (
             select ctid, dense_rank() over (order by command_count desc) as newest_count,
               row_number() over (partition by command_count order by recorded_at desc) as newest_vote
             from trading.state_hashes
           ) ranked where newest_count > $1 or newest_vote > $2
         )`,
        [countsMax, votesMax],
      )
    },
    async contested(since) {
      const { rows } = await pool.query<Row>(
        `select command_count, replica, slice, hash from trading.state_hashes
         where version = $2 and not is_withdrawn and command_count in (
           select command_count from trading.state_hashes
           where command_count >= $1 and version = $2 and not is_withdrawn
           group by command_count having min(hash) <> max(hash)
         ) order by command_count, replica`,
        [since, sliceHashVersion],
      )
      return votesOf(rows)
    },
    async votesAt(commands) {
      const { rows } = await pool.query<Row>(
        `select command_count, replica, slice, hash from trading.state_hashes
         where command_count = any($1) and version = $2 and not is_withdrawn`,
        [commands, sliceHashVersion],
      )
      return votesOf(rows)
    },
    async lastBefore(command, replica, slice) {
      const { rows } = await pool.query<{ last: string | null }>(
        `select max(command_count) as last from trading.state_hashes
         where command_count < $1 and replica = $2 and slice = $3 and version = $4`,
        [command, replica, slice, sliceHashVersion],
      )
      return Number(rows[0]?.last ?? 0)
    },
    async withdraw(replica) {
      await pool.query('update trading.state_hashes set is_withdrawn = true where replica = $1', [replica])
    },
    async newest(replicas, wanted) {
      const { rows } = await pool.query<Row>(
        `with own as (select * from trading.state_hashes where replica = any($1)),
           common as (
             select max(command_count) as at
             from (select command_count from own group by command_count having count(*) = cardinality($1::text[])) shared
           )
         select distinct on (replica) own.command_count, replica, slice, hash from own, common
         where $2 or common.at is null or own.command_count = common.at order by replica, own.command_count desc`,
        [replicas, wanted === 'each'],
      )
      return rows.map(({ command_count, ...row }) => ({ command: Number(command_count), ...row }))
    },
  }
}

function votesOf(rows: readonly Row[]): Map<number, Vote[]> {
  const votes = new Map<number, Vote[]>()
  for (const { command_count, ...vote } of rows) {
    const command = Number(command_count)
    const known = votes.get(command)
    if (known) known.push(vote)
    else votes.set(command, [vote])
  }
  return votes
}
