import { expect, test } from 'vitest'
import { CommandKind, topics, type Command, type TradingEvent } from '@maru/contracts'
import { encodeBatch } from '@maru/contracts/commands-codec'
import { createMemoryEventLog, decodeJsonRecord, systemClock, type PositionStore } from '@maru/event-log'
import { createLogger } from '@maru/service-host'
import type { HistoryTables } from '../history/project.ts'
import { publishWhileLeading } from '../publisher/duty.ts'

/** A history that takes everything and keeps its position alone. */
function emptyHistory(): PositionStore<HistoryTables> {
  let position = 0
  const tables: HistoryTables = {
    tails: async () => new Map(),
    insertRuns: async () => undefined,
    putOrders: async () => undefined,
    insertOrderRuns: async () => undefined,
    insertLists: async () => undefined,
  }
  return {
    install: async () => undefined,
    load: async () => position,
    async advance(from, to, work) {
      if (position !== from) return false
      await work(tables)
      position = to
      return true
    },
    setApart: async () => 'full',
  }
}

test('a publisher that was fenced while its instance holds the lease is started again, and misses nothing', async () => {
  await using log = createMemoryEventLog()
  const stop = new AbortController()
  const done = publishWhileLeading(
    {
      log,
      leases: { take: async () => true, release: async () => undefined },
      snapshots: {
        newest: async () => undefined,
        add: async () => undefined,
        dropAfter: async () => undefined,
        keep: async () => undefined,
        span: async () => ({ count: 0, oldestOffset: 0 }),
      },
      history: emptyHistory(),
      clock: systemClock,
      logger: createLogger({ service: 'test', instanceId: 'test', level: 'silent' }),
      instanceId: 'test',
      snapshotEveryCommands: 1_000,
      snapshotEveryMs: 60_000,
      onLeading: () => undefined,
    },
    stop.signal,
  )
  let sequence = 0
  const open = async (userId: string): Promise<void> => {
    const command: Command = { kind: CommandKind.openAccount, time: Date.UTC(2026, 0, 1), userId, grants: [] }
    await log.append(topics.tradingCommands, encodeBatch([command]), { producer: 'test', sequence: (sequence += 1) })
  }
  const published = async (): Promise<string[]> => {
    const records = await log.read(topics.tradingEvents, 0, { recordsMax: 100, bytesMax: 1e6 })
    return records.flatMap(({ body }) => decodeJsonRecord(body) as TradingEvent[]).map((event) => event.user_id)
  }
  await open('first')
  await expect.poll(published).toEqual(['first'])

  // Another instance led for a moment, while this one stood still, and is gone.
  await log.exclusiveWriter(topics.tradingEvents, 'trading-publisher')
  await open('second')
  await open('third')
  await expect.poll(published, { timeout: 10_000 }).toEqual(['first', 'second', 'third'])
  stop.abort()
  await done
})
