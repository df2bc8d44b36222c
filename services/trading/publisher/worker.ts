import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import path from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { topics } from '@maru/contracts'
import { openPostgresEventLog, systemClock } from '@maru/event-log'
// One by one: what serves requests is most of the modules of `service-host`, and this thread loads its own copy of each at every start.
import { createPool } from '@maru/service-host/database'
import { createLogger } from '@maru/service-host/logger'
import { LogMeter } from '@maru/service-host/metrics/log-meter'
import { byCommand, EventTraces } from '@maru/service-host/tracing/event-traces'
import { openTracing } from '@maru/service-host/tracing/open'
import type { TracingSettings } from '@maru/service-host/tracing/settings'
import { version } from '@maru/service-host/version'
import { postgresStateHashes } from '../agreement/state-hashes.ts'
import { postgresHistory } from '../history/postgres-tables.ts'
import { PostgresLeases } from '../lease/postgres-leases.ts'
import type { PublisherFigures } from '../monitoring/metrics.ts'
import { publishWhileLeading } from './duty.ts'
import { PostgresSnapshots } from './postgres-snapshots.ts'

/** What the trading service hands to its publishing thread. */
export interface PublisherThreadData {
  databaseUrl: string
  instanceId: string
  logLevel: string
  snapshotEveryCommands: number
  snapshotEveryMs: number
  tracing: TracingSettings
}

/** What the thread is told: to end, or that the command log holds records up to `offset`. */
export type PublisherThreadOrder = { type: 'stop' } | { type: 'appended'; offset: number }

/** What the thread says: whether this instance holds the lease, and what it measures. */
export type PublisherThreadMessage =
  | { type: 'leading'; leading: boolean }
  | { type: 'figures'; figures: PublisherFigures }
  /** Its state differs from that of other replicas, so that it has given up. */
  | { type: 'differs'; detail: string }
  | { type: 'stopped' }

const {
  databaseUrl,
  instanceId,
  logLevel,
  snapshotEveryCommands,
  snapshotEveryMs,
  tracing: tracingSettings,
} = workerData as PublisherThreadData
const port = parentPort
if (!port) throw new Error('the publisher runs as a worker thread')
const say = (message: PublisherThreadMessage): void => port.postMessage(message)

/** The duties here may lag, though not for ever, as they would at the lowest priority on a machine that is busy with other things; an order may not. On Linux a thread has a priority of its own; elsewhere this changes nothing. */
function yieldToOrderEntry(): void {
  try {
    const thread = Number(path.basename(readlinkSync('/proc/thread-self')))
    setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // No such file, or not allowed: it runs as it is.
  }
}

const logger = createLogger({ service: 'trading', instanceId, level: logLevel }).child({ part: 'publisher' })
const stop = new AbortController()
let onAppended = (_offset: number): void => undefined
port.on('message', (order: PublisherThreadOrder) => {
  if (order.type === 'stop') stop.abort()
  else onAppended(order.offset)
})

yieldToOrderEntry()
const meter = new LogMeter()
let published = 0
let snapshotStoredMs = 0
const figuresEveryMs = 1_000
const telling = setInterval(() => {
  const { topics, readers } = meter
  if (topics.size + readers.size > 0) say({ type: 'figures', figures: { log: { topics, readers }, published, snapshotStoredMs } })
}, figuresEveryMs)
// What is written here is derived from the log: a tail that a crash of the database takes is written again, with its position.
const pool = createPool(databaseUrl, {
  applicationName: `${instanceId}-publisher`,
  max: 4,
  asyncCommit: true,
  onError: (error) => logger.warn({ err: error }, 'idle database connection lost'),
})
const leases = createPool(databaseUrl, {
  applicationName: `${instanceId}-lease`,
  max: 1,
  asyncCommit: true,
  onError: (error) => logger.warn({ err: error }, 'the connection of the lease is lost'),
})
const tracing = await openTracing(tracingSettings, { service: 'trading', instanceId, version })
const traces = new EventTraces(tracing, pool, byCommand)
{
  await using log = await openPostgresEventLog({
    connectionString: databaseUrl,
    applicationName: `${instanceId}-publisher`,
    observer: meter,
    quietTopics: [topics.tradingCommands],
  })
  onAppended = (offset) => log.hint(topics.tradingCommands, offset)
  await publishWhileLeading(
    {
      log,
      leases: new PostgresLeases(leases),
      snapshots: new PostgresSnapshots(pool),
      history: postgresHistory(pool),
      clock: systemClock,
      logger,
      instanceId,
      snapshotEveryCommands,
      snapshotEveryMs,
      onLeading: (leading) => say({ type: 'leading', leading }),
      onPublished: (command) => (published = command),
      ...(tracing.isOn && {
        onAppended: (events, startMs) =>
          traces.done(new Set(events.map(({ command }) => command)), {
            name: `publish ${topics.tradingEvents}`,
            kind: 'producer',
            startMs,
            endMs: Date.now(),
            attributes: { 'messaging.destination.name': topics.tradingEvents, 'messaging.batch.message_count': events.length },
          }),
      }),
      onSnapshotStored: () => (snapshotStoredMs = Date.now()),
      hashes: postgresStateHashes(pool),
      onDiffers: (detail) => {
        say({ type: 'differs', detail })
        stop.abort()
      },
    },
    stop.signal,
  )
}
clearInterval(telling)
await tracing.close()
await Promise.all([pool.end(), leases.end()])
say({ type: 'stopped' })
port.close()
