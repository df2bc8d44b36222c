import { Exchange, hashInSnapshot } from '@maru/domain/exchange'
import type { ForgottenIdStore } from './forgotten-ids.ts'

/** A state of the exchange at the end of a record of the command log. */
export interface Snapshot {
  commandCount: number
  /** Offset of the last record that is in it. */
  offset: number
  stateHash: string
  body: Uint8Array
}

export interface SnapshotStore {
  /** Where what snapshots leave out is kept; without it every client order id that is not known is perhaps one that was forgotten. */
  readonly forgottenIds?: ForgottenIdStore
  newest(): Promise<Omit<Snapshot, 'commandCount'> | undefined>
  /** Changes nothing where there is one of as many commands. */
  add(snapshot: Snapshot): Promise<void>
  /**
   * Drops what was stored after a command, since the state may have been wrong by then; never the oldest, for the log before it is gone. Whoever starts
   * next replays more instead.
   */
  dropAfter(command: number): Promise<void>
  /** Drops all but the newest. */
  keep(newest: number): Promise<void>
  /** How many there are, and the least offset of theirs; 0 where there is none. */
  span(): Promise<{ count: number; oldestOffset: number }>
}

export interface LoadedState {
  exchange: Exchange
  /** Offset of the last record of the command log that is in it. */
  offset: number
}

/** How many snapshots are kept; the command log is kept from the oldest of them on. */
const keptMax = 3

/** The newest state stored; an empty exchange where there is none. */
export async function loadSnapshot(store: SnapshotStore): Promise<LoadedState> {
  const snapshot = await store.newest()
  if (!snapshot) return { exchange: new Exchange(), offset: 0 }
  // That the bytes have this hash is checked as they are read.
  if (hashInSnapshot(snapshot.body) !== snapshot.stateHash) throw new Error('the newest snapshot does not have the hash it was stored with')
  const exchange = Exchange.restore(snapshot.body)
  await store.forgottenIds?.recall(exchange.forgottenIds)
  return { exchange, offset: snapshot.offset }
}

/** Stores the state at a record boundary; returns the offset up to which the command log is no longer needed. */
export async function storeSnapshot(store: SnapshotStore, state: LoadedState): Promise<number> {
  const { exchange, offset } = state
  await store.forgottenIds?.keep(exchange.forgottenIds)
  const body = exchange.snapshot()
  await store.add({ commandCount: exchange.commandCount, offset, stateHash: hashInSnapshot(body), body })
  await store.keep(keptMax)
  const { count, oldestOffset } = await store.span()
  return count < keptMax ? 0 : oldestOffset
}
