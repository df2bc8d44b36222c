import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { CommandKind, topics } from '@maru/contracts'
import { Exchange } from '@maru/domain/exchange'
import { createMemoryEventLog, systemClock } from '@maru/event-log'
import { createLogger } from '@maru/service-host'
import { Intake } from '../intake/intake.ts'
import { Replica } from '../replica/replica.ts'

const logger = createLogger({ service: 'trading', instanceId: 'test', level: 'silent' })

/** Records that so many callers need who send one command each, and another one to three turns of the loop after its outcome. */
async function recordsOf(callers: number): Promise<number> {
  await using log = createMemoryEventLog()
  const onFatal = (error: unknown): void => {
    throw error
  }
  const replica = new Replica({ exchange: new Exchange(), offset: 0, log, producer: 'test', logger, onFatal })
  const intake = new Intake({ log, replica, producer: 'test', queueMax: 100, timeoutMs: 10_000, logger })
  const open = (userId: string): Promise<number> =>
    intake.submit({ kind: CommandKind.openAccount, userId, grants: [] }, (exchange) => exchange.commandCount)
  const numbers = await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      const first = await open(`first-${caller}`)
      for (let turn = 0; turn <= caller % 3; turn++) await nextTurn()
      return [first, await open(`second-${caller}`)]
    }),
  )
  await intake.close()
  expect(numbers.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: callers * 2 }, (_, at) => at + 1))
  return log.head(topics.tradingCommands)
}

test('many who are answered together and ask again within some turns of the loop share the next record', async () => {
  expect(await recordsOf(12)).toBe(2)
})

test('where few are under way, nobody waits for another', async () => {
  expect(await recordsOf(3)).toBeGreaterThan(2)
})

test('who is late when the next record is made is refused and never part of it; who is on the way is not', async () => {
  await using log = createMemoryEventLog()
  let nowMs = 1_000
  // Nothing is looked after in between: what is late is found when the record is made.
  const clock = { ...systemClock, nowMs: () => nowMs, every: () => () => undefined }
  const appending = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const slow: typeof log = Object.create(log, {
    append: {
      value: async (...given: Parameters<typeof log.append>) => {
        appending.resolve()
        await held.promise
        return log.append(...given)
      },
    },
  }) as typeof log
  const onFatal = (error: unknown): void => {
    throw error
  }
  const refused: string[] = []
  const replica = new Replica({ exchange: new Exchange(), offset: 0, log, producer: 'test', logger, onFatal })
  const observer = { applied: () => undefined, committed: () => undefined, refused: (code: string) => void refused.push(code) }
  const intake = new Intake({ log: slow, replica, producer: 'test', queueMax: 100, timeoutMs: 60_000, logger, clock, observer })
  const open = (userId: string, deadlineMs?: number): Promise<number> =>
    intake.submit({ kind: CommandKind.openAccount, userId, grants: [] }, (exchange) => exchange.accountOf(userId), deadlineMs)

  const onTheWay = open('on-the-way', 1_500)
  await appending.promise
  const late = open('late', 1_500)
  const inTime = open('in-time', 2_000)
  const unhurried = open('unhurried')
  nowMs = 2_000
  held.resolve()
  await expect(late).rejects.toMatchObject({ code: 'deadline_exceeded' })
  expect(await Promise.all([onTheWay, inTime, unhurried])).toEqual([0, 1, 2])
  await intake.close()
  expect(replica.exchange.accountOf('late')).toBe(-1)
  expect(await log.head(topics.tradingCommands)).toBe(2)
  expect(refused).toEqual(['deadline_exceeded'])
})
