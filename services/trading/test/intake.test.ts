import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { CommandKind, topics } from '@maru/contracts'
import { Exchange } from '@maru/domain/exchange'
import { createMemoryEventLog } from '@maru/event-log'
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
