import { consumeInto, type Clock, type Consumer, type EventLog, type PositionStore, type ReaderLogger } from '@maru/event-log'
import { topics } from '@maru/contracts'
import type { EventText } from '../publisher/event-texts.ts'
import { project, type HistoryTables } from './project.ts'

/** After a crash of the database its last commits may be gone; so late, at most, they are made up for. */
const recheckMs = 2_000

/**
 * Fills the history tables from `trading-events`, for ever. A record that cannot be applied is never set apart: the stream of an account has no
 * gap, so the reader fails there, and is started again until the fault is mended.
 */
export function readHistory(options: {
  log: EventLog
  store: PositionStore<HistoryTables>
  decode: (body: Uint8Array) => EventText[]
  /** As of `project`, asked before each transaction. */
  indexesRuns: () => boolean
  signal: AbortSignal
  logger: ReaderLogger
  clock?: Clock
}): Consumer {
  return consumeInto<EventText, HistoryTables>({
    ...options,
    topic: topics.tradingEvents,
    name: 'history',
    handler: (tables, events) => project(tables, events, { indexesRuns: options.indexesRuns() }),
    poisonMax: 0,
    recheckMs,
    // Only the publisher runs it, which holds the lease.
    standsBy: false,
  })
}
