import type { PositionStore } from '@maru/event-log'
import type { HistoryTables, LeaseStore, Snapshot, SnapshotStore } from '@maru/trading/testing'
import type { HeldLease } from './database.ts'
import type { HistoryTransaction } from './history-rows.ts'
import { DatabaseClient, type World } from './network.ts'
import type { Thread } from './process.ts'

/** A holder that has ended keeps its lease for so long after it was renewed. */
const goneAfterMs = 600

/** Leases by the clock of the simulated database, committed without a flush. */
export function openLeases(world: World, thread: Thread): LeaseStore {
  const client = new DatabaseClient(world, thread)
  const { database } = world
  const set = (name: string, lease: HeldLease | undefined): void => {
    const { leases } = database
    const before = leases.get(name)
    const put = (kept: typeof lease): void => void (kept ? leases.set(name, kept) : leases.delete(name))
    put(lease)
    database.commit(() => put(before))
  }
  return {
    take: (name, holder, forMs) =>
      client.ask({
        what: `take lease for ${holder}`,
        serve: () => {
          const held = database.leases.get(name)
          const untilMs = held?.process.isDead ? held.expiresAtMs - forMs + goneAfterMs : held?.expiresAtMs
          if (held && held.holder !== holder && untilMs! >= database.clockMs) return false
          set(name, { holder, expiresAtMs: database.clockMs + forMs, process: thread.process })
          return true
        },
      }),
    release: (name, holder) =>
      client.ask({
        what: `release lease of ${holder}`,
        serve: () => {
          if (database.leases.get(name)?.holder === holder) set(name, undefined)
        },
      }),
  }
}

/** Snapshots in the simulated database, committed without a flush. */
export function openSnapshots(world: World, thread: Thread, onStored: (snapshot: Snapshot) => void = () => undefined): SnapshotStore {
  const client = new DatabaseClient(world, thread)
  const { snapshots } = world.database
  const counts = (): number[] => [...snapshots.keys()].sort((a, b) => b - a)
  return {
    newest: () => client.ask({ what: 'newest snapshot', serve: () => snapshots.get(counts()[0] ?? -1) }),
    add: (snapshot) =>
      client.ask({
        what: `add snapshot ${snapshot.commandCount}`,
        serve: () => {
          if (snapshots.has(snapshot.commandCount)) return
          onStored(snapshot)
          snapshots.set(snapshot.commandCount, snapshot)
          world.database.commit(() => snapshots.delete(snapshot.commandCount))
        },
      }),
    dropAfter: (command) =>
      client.ask({
        what: `drop snapshots after ${command}`,
        serve: () => {
          const oldest = counts().at(-1) ?? 0
          for (const count of counts()) if (count > Math.max(command, oldest)) snapshots.delete(count)
        },
      }),
    keep: (newest) =>
      client.ask({
        what: `keep ${newest} snapshots`,
        serve: () => {
          const dropped = counts()
            .slice(newest)
            .map((count) => snapshots.get(count)!)
          for (const { commandCount } of dropped) snapshots.delete(commandCount)
          world.database.commit(() => {
            for (const snapshot of dropped) snapshots.set(snapshot.commandCount, snapshot)
          })
        },
      }),
    span: () =>
      client.ask({
        what: 'span of snapshots',
        serve: () => ({
          count: snapshots.size,
          oldestOffset: snapshots.size === 0 ? 0 : Math.min(...[...snapshots.values()].map(({ offset }) => offset)),
        }),
      }),
  }
}

/** The history tables in the simulated database: transactions of several questions each, committed without a flush. */
export function openHistory(world: World, thread: Thread): PositionStore<HistoryTables> {
  const client = new DatabaseClient(world, thread)
  const { timeline, random, database } = world
  const { history } = database
  const ask = <T>(what: string, serve: () => T | Promise<T>): Promise<T> => client.ask({ what, serve, isBoundToConnection: true })

  /** The server learns of a client that is gone when its connection breaks, which may take a while. */
  const abandon = (transaction: HistoryTransaction): void =>
    void timeline.plan(random.skewed(0.1, 1_500), 'abort of a history transaction', () => transaction.abort())

  return {
    install: () => ask('install history', () => undefined),
    load: () => ask('load history position', () => history.position),
    async advance(from, to, work) {
      let transaction: HistoryTransaction | undefined
      const begun = (): HistoryTransaction => {
        transaction = history.begin()
        if (thread.process.isDead) abandon(transaction)
        else thread.process.onDeath(() => abandon(transaction!))
        return transaction
      }
      try {
        const open = await ask('begin history', begun)
        if (!(await ask(`move history ${from} to ${to}`, () => open.move(from, to)))) {
          open.abort()
          return false
        }
        await work({
          tails: (userIds) => ask('history tails', () => open.tails(userIds)),
          insertRuns: (runs) => ask('insert history runs', () => open.insertRuns(runs)),
          insertOrderRuns: (runs) => ask('insert history order runs', () => open.insertOrderRuns(runs)),
          putOrders: (rows) => ask('put history orders', () => open.putOrders(rows)),
          insertLists: (rows) => ask('insert history lists', () => open.insertLists(rows)),
        })
        await client.ask({ what: `commit history ${to}`, serve: () => open.commit() })
        return true
      } catch (error) {
        if (transaction) abandon(transaction)
        throw error
      }
    },
    setApart: async () => 'full',
  }
}
