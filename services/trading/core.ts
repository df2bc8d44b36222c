import type { Clock, EventLog } from '@maru/event-log'
import type { Logger } from '@maru/service-host'
import type { Agreement } from './agreement/agreement.ts'
import { genesisCommands } from './genesis.ts'
import { Intake, type IntakeObserver } from './intake/intake.ts'
import { loadSnapshot, type SnapshotStore } from './publisher/snapshots.ts'
import { Replica } from './replica/replica.ts'

interface CoreOptions {
  log: EventLog
  snapshots: SnapshotStore
  instanceId: string
  /** Commands waiting for a place in a record, and how long one waits for its outcome. */
  queueMax: number
  timeoutMs: number
  logger: Logger
  clock: Clock
  observer?: IntakeObserver
  /** Compares the replica with others; where it finds that this one may not go on, genesis is left to them. */
  agreement?: Agreement
  /** The state may be half changed: the process must end and start from a snapshot. */
  onFatal: (error: unknown) => void
}

/** Brings an instance up: its replica from the newest snapshot to the end of the log, its intake, and genesis where nobody was before. */
export async function startCore({ log, snapshots, instanceId, ...options }: CoreOptions): Promise<{ replica: Replica; intake: Intake }> {
  const state = await loadSnapshot(snapshots)
  const shared = { log, producer: instanceId, logger: options.logger, clock: options.clock }
  const replica = new Replica({ ...shared, exchange: state.exchange, offset: state.offset, onFatal: options.onFatal })
  const { agreement } = options
  if (agreement) {
    agreement.begin(replica.exchange)
    replica.onApplied(() => agreement.see())
  }
  await replica.catchUp()
  const intake = new Intake({ ...shared, replica, queueMax: options.queueMax, timeoutMs: options.timeoutMs, observer: options.observer })
  // What led to the state it starts with has been compared before it takes an order.
  if (await agreement?.settle()) return { replica, intake }
  // One after another: a queue may be bounded at less than all of them.
  for (const command of genesisCommands(replica.exchange)) await intake.submit(command, () => undefined)
  return { replica, intake }
}
