import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import path from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { openPostgresEventLog } from '@maru/event-log'
import { topics } from '@maru/contracts'
import { createLogger, createPool } from '@maru/service-host'
import { readHistory } from '../history/reader.ts'
import { Agreement, type Disagreement } from '../agreement/agreement.ts'
import { postgresStateHashes } from '../agreement/state-hashes.ts'
import { Lease } from '../lease/lease.ts'
import { PublishedTail } from './published-tail.ts'
import { publish } from './publisher.ts'
import { dropSnapshotsAfter } from './snapshots.ts'

/** What the trading service hands to its publishing thread. */
export interface PublisherThreadData {
  databaseUrl: string
  instanceId: string
  logLevel: string
  snapshotEveryCommands: number
  snapshotEveryMs: number
}

/** What the thread says: whether this instance holds the lease, and how far it has published. */
export type PublisherThreadMessage =
  | { type: 'leading'; leading: boolean }
  | { type: 'published'; command: number }
  /** Its state differs from that of other replicas, so that it has given up. */
  | { type: 'differs'; detail: string }
  | { type: 'stopped' }

const { databaseUrl, instanceId, logLevel, snapshotEveryCommands, snapshotEveryMs } = workerData as PublisherThreadData
const port = parentPort
if (!port) throw new Error('the publisher runs as a worker thread')
const say = (message: PublisherThreadMessage): void => port.postMessage(message)

/** The duties here may lag; an order may not. On Linux a thread has a priority of its own; elsewhere this changes nothing. */
function yieldToOrderEntry(): void {
  try {
    const thread = Number(path.basename(readlinkSync('/proc/thread-self')))
    setPriority(thread, constants.priority.PRIORITY_LOW)
  } catch {
    // No such file, or not allowed: it runs as it is.
  }
}

const logger = createLogger({ service: 'trading', instanceId, level: logLevel }).child({ part: 'publisher' })
const stop = new AbortController()
port.on('message', (message: unknown) => {
  if (message === 'stop') stop.abort()
})

yieldToOrderEntry()
// What is written here is derived from the log: a tail that a crash of the database takes is written again, with its position.
const pool = createPool(databaseUrl, {
  applicationName: `${instanceId}-publisher`,
  max: 4,
  asyncCommit: true,
  onError: (error) => logger.warn({ err: error }, 'idle database connection lost'),
})
{
  await using log = await openPostgresEventLog({ connectionString: databaseUrl, applicationName: `${instanceId}-publisher` })
  const lease = new Lease({ pool, name: 'publisher', holder: instanceId, logger })
  await lease.hold(stop.signal, async (held) => {
    say({ type: 'leading', leading: true })
    // Whatever ends one of the two ends the other, and the lease is taken up again.
    const failed = new AbortController()
    const signal = AbortSignal.any([held, failed.signal])
    const tail = new PublishedTail(log, topics.tradingEvents)
    const replica = `${instanceId}/publisher`
    const hashes = postgresStateHashes(pool)
    const agreement = new Agreement({ replica, hashes, logger })
    let suspect: Disagreement | undefined
    const giveUp = (disagreement: Disagreement): void => {
      suspect = disagreement
      say({ type: 'differs', detail: disagreement.detail })
      stop.abort()
    }
    const history = readHistory({ log: tail.asLog(), pool, decode: (body) => tail.decode(body), signal, logger })
    try {
      await Promise.all([
        publish({
          pool,
          log,
          logger,
          snapshotEveryCommands,
          snapshotEveryMs,
          signal,
          tail,
          agreement,
          onPublished: (command) => say({ type: 'published', command }),
        }),
        history.done,
        agreement.follow(signal, giveUp),
      ])
    } finally {
      if (suspect) await dropSnapshotsAfter(pool, await hashes.lastBefore(suspect.command, replica, suspect.slice))
      failed.abort()
      say({ type: 'leading', leading: false })
    }
  })
}
await pool.end()
say({ type: 'stopped' })
port.close()
