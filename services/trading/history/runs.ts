import { setImmediate as nextTurn } from 'node:timers/promises'
import type pg from 'pg'
import { decodeJsonRecord } from '@maru/event-log'
import { hashBytes } from './postgres-tables.ts'
import { runEventsMax } from './project.ts'

/** An event of an account's stream as it is served. */
export interface StoredEvent {
  sequence: number
  type: string
  timestamp: string
  data: unknown
  hash: string
  previous_hash: string
}

/** Which events: those after one number up to another, where asked for only of runs that moved the ledger; or the runs that hold certain numbers. */
export type Wanted = { after: number; through: number; hasPostings?: boolean } | { holding: readonly number[] }

interface RunRow {
  first_sequence: string
  previous_hash: Buffer
  hashes: Buffer
  events: Buffer
}

const columns = 'first_sequence, previous_hash, hashes, events'
/** Runs that are unpacked before others get a turn: some milliseconds. */
const runsPerTurn = 16

/** Events of one account, oldest first. With `holding`, their neighbours in the same runs too. */
export async function readRuns(pool: pg.Pool, userId: string, wanted: Wanted): Promise<StoredEvent[]> {
  const rows = 'holding' in wanted ? await runsHolding(pool, userId, wanted.holding) : await runsBetween(pool, userId, wanted)
  const [after, through] = 'holding' in wanted ? [0, Number.POSITIVE_INFINITY] : [wanted.after, wanted.through]
  const events: StoredEvent[] = []
  for (const [index, row] of rows.entries()) {
    if (index > 0 && index % runsPerTurn === 0) await nextTurn()
    unpack(row, after, through, events)
  }
  return events
}

async function runsBetween(
  pool: pg.Pool,
  userId: string,
  wanted: { after: number; through: number; hasPostings?: boolean },
): Promise<RunRow[]> {
  // The numbers have no gap, so a run that begins far before the first wanted cannot reach it.
  const { rows } = await pool.query<RunRow>({
    name: wanted.hasPostings ? 'runs with postings' : 'runs',
    text: `select ${columns} from trading.account_event_runs
     where user_id = $1 and last_sequence > $2 and last_sequence < $3::bigint + $4 and first_sequence <= $3
       ${wanted.hasPostings ? 'and has_postings' : ''}
     order by last_sequence`,
    values: [userId, Math.max(0, wanted.after), wanted.through, runEventsMax],
  })
  return rows
}

async function runsHolding(pool: pg.Pool, userId: string, sequences: readonly number[]): Promise<RunRow[]> {
  const { rows } = await pool.query<RunRow>({
    name: 'runs holding',
    text: `select ${columns} from trading.account_event_runs where user_id = $1 and last_sequence in (
       select (select min(r.last_sequence) from trading.account_event_runs r where r.user_id = $1 and r.last_sequence >= wanted.sequence)
       from unnest($2::bigint[]) as wanted(sequence)
     ) order by last_sequence`,
    values: [userId, sequences],
  })
  return rows
}

/** Adds the events of a run that lie after one number and not beyond another. */
function unpack(row: RunRow, after: number, through: number, into: StoredEvent[]): void {
  const first = Number(row.first_sequence)
  const events = decodeJsonRecord(row.events) as Pick<StoredEvent, 'sequence' | 'type' | 'timestamp' | 'data'>[]
  for (const [index, { sequence, type, timestamp, data }] of events.entries()) {
    if (sequence !== first + index) throw new Error(`the run from event ${first} on holds event ${sequence} in place ${index}`)
    if (sequence <= after || sequence > through) continue
    const previous = index === 0 ? row.previous_hash : hashAt(row.hashes, index - 1)
    into.push({ sequence, type, timestamp, data, hash: hashAt(row.hashes, index).toString('hex'), previous_hash: previous.toString('hex') })
  }
}

function hashAt(hashes: Buffer, index: number): Buffer {
  return hashes.subarray(index * hashBytes, (index + 1) * hashBytes)
}
