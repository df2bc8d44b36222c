import { setTimeout as sleep } from 'node:timers/promises'
import { topics } from '@maru/contracts'
import pg from 'pg'
import { expect, test } from 'vitest'
import { createTestDatabase } from '../../test/support/postgres.ts'
import { openPostgresEventLog } from '../index.ts'
import { describeEventLog } from '../testing.ts'

const quietTopics = [topics.tradingCommands, topics.tradingEvents]

describeEventLog('on PostgreSQL', async () => {
  const database = await createTestDatabase()
  return {
    open: () => openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'test' }),
    openQuiet: () => openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'test', quietTopics }),
    topics: [topics.tradingCommands, topics.tradingEvents],
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
})

test('what is appended to a quiet topic wakes no other process', async () => {
  await using database = await createTestDatabase()
  const listener = new pg.Client({ connectionString: database.urls.trading })
  await listener.connect()
  const heard: string[] = []
  listener.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`))
  for (const topic of [topics.tradingCommands, topics.tradingEvents]) await listener.query(`listen event_log_${topic.replace(/\W/g, '_')}`)
  await using log = await openPostgresEventLog({
    connectionString: database.urls.trading,
    applicationName: 'test',
    quietTopics: [topics.tradingCommands],
  })
  const body = Buffer.from('[]')
  await log.append(topics.tradingCommands, body, { producer: 'p', sequence: 0 })
  // Announced after it, by the same connection: had the first been announced, that would have come before.
  const offset = await log.append(topics.tradingEvents, body, { producer: 'p', sequence: 1 })
  while (heard.length === 0) await sleep(5)
  expect(heard).toEqual([`event_log_${topics.tradingEvents.replace(/\W/g, '_')} ${offset}`])
  await listener.end()
})
