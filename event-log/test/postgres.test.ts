import { topics } from '@maru/contracts'
import { createTestDatabase } from '../../test/support/postgres.ts'
import { openPostgresEventLog } from '../index.ts'
import { describeEventLog } from '../testing.ts'

describeEventLog('on PostgreSQL', async () => {
  const database = await createTestDatabase()
  return {
    open: () => openPostgresEventLog({ connectionString: database.urls.trading, applicationName: 'test' }),
    topics: [topics.tradingCommands, topics.tradingEvents],
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
})
