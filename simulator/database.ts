import type { MemoryRecords } from '@maru/event-log'
import type { Snapshot } from '@maru/trading/testing'
import { HistoryRows } from './history-rows.ts'
import type { Timeline } from './timeline.ts'

/** How long a commit that waits for no flush may stay in memory. */
const flushAfterMs = 200

/** `process`: whoever holds it. That it has ended is known to the database by its connection. */
export interface HeldLease {
  holder: string
  expiresAtMs: number
  process: { readonly isDead: boolean }
}

/**
 * The one database: records of the log and tables of the trading service. It commits in one order. What is written with a flush is durable with all
 * that was committed before it; what is not may be lost in a crash, the newest first, as in PostgreSQL with `synchronous_commit` off.
 */
export class Database {
  readonly records: MemoryRecords
  readonly snapshots = new Map<number, Snapshot>()
  readonly leases = new Map<string, HeldLease>()
  readonly history: HistoryRows
  readonly #timeline: Timeline
  readonly #onAppended: ((topic: string, offset: number, body: Uint8Array) => void)[] = []
  /** How to undo what was committed and not flushed, oldest first. */
  #unflushed: (() => void)[] = []
  #clockAheadMs = 0
  isUp = true
  /** Grows with each start: a connection is to one of them. */
  generation = 1

  constructor(timeline: Timeline, records: MemoryRecords) {
    this.#timeline = timeline
    this.records = records
    this.history = new HistoryRows((undo) => this.commit(undo))
  }

  /** Leases expire by this clock. */
  get clockMs(): number {
    return this.#timeline.nowMs + this.#clockAheadMs
  }

  setClockAhead(byMs: number): void {
    this.#clockAheadMs += byMs
  }

  /** Told of each new record once it is durable. */
  onAppended(listener: (topic: string, offset: number, body: Uint8Array) => void): void {
    this.#onAppended.push(listener)
  }

  append(request: Parameters<MemoryRecords['append']>[0]): number {
    const head = this.records.head(request.topic)
    const offset = this.records.append(request)
    this.flush()
    if (offset > head) for (const listener of this.#onAppended) listener(request.topic, offset, request.body)
    return offset
  }

  /** Committed without a flush. */
  commit(undo: () => void): void {
    if (this.#unflushed.push(undo) > 1) return
    const { generation } = this
    this.#timeline.plan(flushAfterMs, 'flush', () => {
      if (this.generation === generation) this.flush()
    })
  }

  flush(): void {
    this.#unflushed = []
  }

  crash(awayMs: number): void {
    if (!this.isUp) return
    this.isUp = false
    this.generation += 1
    this.history.abortAll()
    for (const undo of this.#unflushed.reverse()) undo()
    this.#unflushed = []
    this.#timeline.plan(awayMs, 'database starts', () => {
      this.isUp = true
    })
  }
}
