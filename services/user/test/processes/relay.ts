import type { EventLog } from '@maru/event-log'
import { openPostgresEventLog } from '@maru/event-log'
import { createPool } from '@maru/service-host'
import { relayOutbox } from '../../outbox/relay.ts'

/** A relay that dies by SIGKILL at the place and append that its arguments name. */
const [, , place, count] = process.argv
const connectionString = process.env['DATABASE_URL'] ?? ''
const log = await openPostgresEventLog({ connectionString, applicationName: 'dying-relay' })
const pool = createPool(connectionString, { applicationName: 'dying-relay', onError: () => undefined })
let appends = 0
const dying: EventLog = Object.assign(Object.create(log) as EventLog, {
  append: async (...parameters: Parameters<EventLog['append']>) => {
    appends += 1
    if (place === 'before-append' && appends === Number(count)) process.kill(process.pid, 'SIGKILL')
    const offset = await log.append(...parameters)
    if (place === 'after-append' && appends === Number(count)) process.kill(process.pid, 'SIGKILL')
    return offset
  },
})
await relayOutbox(pool, dying)
process.kill(process.pid, 'SIGKILL')
