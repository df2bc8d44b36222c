import { topics } from '@maru/contracts'
import type { Clock, EventLog, PositionStore } from '@maru/event-log'
import type { Logger } from '@maru/service-host'
import { Agreement, type Disagreement } from '../agreement/agreement.ts'
import type { StateHashes } from '../agreement/state-hashes.ts'
import type { HistoryTables } from '../history/project.ts'
import { readHistory } from '../history/reader.ts'
import { runIndexRules } from '../history/order-index.ts'
import { Lease, type LeaseStore } from '../lease/lease.ts'
import type { EventText } from './event-texts.ts'
import { PublishedTail } from './published-tail.ts'
import { publish } from './publisher.ts'
import type { SnapshotStore } from './snapshots.ts'

interface PublishingDuty {
  log: EventLog
  leases: LeaseStore
  snapshots: SnapshotStore
  history: PositionStore<HistoryTables>
  clock: Clock
  logger: Logger
  instanceId: string
  snapshotEveryCommands: number
  snapshotEveryMs: number
  /** Told when this instance becomes or ceases to be the one that publishes. */
  onLeading: (leading: boolean) => void
  onPublished?: (command: number) => void
  onSnapshotStored?: () => void
  /** As of `publish`. */
  onAppended?: (events: readonly EventText[], startMs: number) => void
  /** Where replicas compare their states; without it this one publishes whatever it holds. */
  hashes?: StateHashes
  /** Its state differs from that of other replicas: the duty must be left to them. */
  onDiffers?: (detail: string) => void
}

/** Publishes, stores snapshots and writes the history whenever this instance holds the lease, until `signal` aborts. */
export async function publishWhileLeading(duty: PublishingDuty, signal: AbortSignal): Promise<void> {
  const { log, clock, logger } = duty
  const lease = new Lease({ store: duty.leases, name: 'publisher', holder: duty.instanceId, logger, clock })
  await lease.hold(signal, async (held) => {
    duty.onLeading(true)
    // Whatever ends one of the two ends the other, and the lease is taken up again. A publisher ends by itself when a newer one has opened, and this
    // instance may hold the lease all the same: the newer one is gone, or its lease was lost.
    const failed = new AbortController()
    const both = AbortSignal.any([held, failed.signal])
    const tail = new PublishedTail(log, topics.tradingEvents, clock)
    const history = readHistory({
      log: tail.asLog(),
      store: duty.history,
      decode: (body) => tail.decode(body),
      indexesRuns: () => tail.rules >= runIndexRules,
      signal: both,
      logger,
      clock,
    })
    const { hashes } = duty
    const replica = `${duty.instanceId}/publisher`
    const agreement = hashes && new Agreement({ replica, hashes, logger })
    let suspect: Disagreement | undefined
    const giveUp = (disagreement: Disagreement): void => {
      suspect = disagreement
      duty.onDiffers?.(disagreement.detail)
      failed.abort()
    }
    try {
      await Promise.all([
        publish({ ...duty, signal: both, tail, ...(agreement && { agreement }) }).finally(() => failed.abort()),
        history.done,
        agreement?.follow(both, giveUp),
      ])
    } finally {
      failed.abort()
      if (hashes && suspect) await duty.snapshots.dropAfter(await hashes.lastBefore(suspect.command, replica, suspect.slice))
      duty.onLeading(false)
    }
  })
}
