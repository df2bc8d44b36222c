import { expect, test } from 'vitest'
import { CommandKind, topics, type Command } from '@maru/contracts'
import { encodeBatch } from '@maru/contracts/commands-codec'
import { Exchange } from '@maru/domain/exchange'
import { createMemoryEventLog } from '@maru/event-log'
import { createLogger } from '@maru/service-host'
import { Replica } from '../replica/replica.ts'

const logger = createLogger({ service: 'trading', instanceId: 'test', level: 'silent' })

test('catching up ends at the end of the log, also where a page is full by its bytes and not by its records', async () => {
  await using log = createMemoryEventLog()
  const grants = Array.from({ length: 60 }, (_, asset) => ({ asset, amount: 0 }))
  let users = 0
  const batch = (): Command[] =>
    Array.from({ length: 400 }, () => ({ kind: CommandKind.openAccount, time: 1, userId: `user-${(users += 1)}`, grants }))
  // Some 300 KB each: fifteen pass the bound of a page.
  for (let sequence = 1; sequence <= 40; sequence++)
    await log.append(topics.tradingCommands, encodeBatch(batch()), { producer: 'test', sequence })
  const onFatal = (error: unknown): void => {
    throw error
  }
  const replica = new Replica({ exchange: new Exchange(), offset: 0, log, producer: 'reader', logger, onFatal })
  await replica.catchUp()
  expect([replica.offset, replica.exchange.commandCount]).toEqual([40, users])
})
