import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import type { Topic, TradingEvent, UserEvent } from '@maru/contracts'
import { createLogger, createPool, inTransaction, migrate, schemaOf } from '@maru/service-host'
import { createTestDatabase } from '../../../test/support/postgres.ts'
import { applyEvents } from '../inbox/apply-events.ts'
import { InboxTrimmer } from '../inbox/inbox-trimmer.ts'

export const silent = createLogger({ service: 'test', instanceId: 'test', level: 'silent' })

export interface Store extends AsyncDisposable {
  readonly pool: pg.Pool
  apply(topic: Topic, events: (TradingEvent | UserEvent)[], canMail?: boolean): Promise<void>
}

/** The tables of the service on a database of its own, and its reader's work without the reader. */
export async function openStore(): Promise<Store> {
  const database = await createTestDatabase()
  const pool = createPool(database.urls.notification, { applicationName: 'test', onError: () => undefined })
  await migrate(pool, schemaOf('notification'), fileURLToPath(new URL('../store', import.meta.url)))
  const trimmer = new InboxTrimmer()
  return {
    pool,
    apply: (topic, events, canMail = true) =>
      inTransaction(pool, (client) => applyEvents(client, topic, events, { trimmer, canMail, mailDomain: 'test.example' })),
    async [Symbol.asyncDispose]() {
      await pool.end()
      await database[Symbol.asyncDispose]()
    },
  }
}
