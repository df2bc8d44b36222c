import { consume, type Consumer, type EventLog, type ReaderLogger } from '@maru/event-log'
import { topics } from '@maru/contracts'
import type pg from 'pg'
import type { EventText } from '../publisher/event-text.ts'
import { project } from './project.ts'

/**
 * Fills the history tables from `trading-events`, for ever. A record that cannot be applied is never set apart: the stream of an account has no
 * gap, so the reader fails there, and is started again until the fault is mended.
 */
export function readHistory(options: {
  log: EventLog
  pool: pg.Pool
  decode: (body: Uint8Array) => EventText[]
  signal: AbortSignal
  logger: ReaderLogger
}): Consumer {
  return consume<EventText>({ ...options, topic: topics.tradingEvents, name: 'history', schema: 'trading', handler: project, poisonMax: 0 })
}
