import { openSessionLog } from '../client/event-log.ts'
import { systemClock } from '../clock.ts'
import { Hints } from '../hints.ts'
import type { EventLog, LogObserver } from '../port.ts'
import type { ConnectionOptions } from './connection.ts'
import { tableOf } from './names.ts'
import { Listener } from './listener.ts'
import { Notifier } from './notifier.ts'
import { PostgresSession } from './session.ts'

/**
 * The event log on PostgreSQL, over four connections of its own (appends, reads, notifications out and in), each opened when first used.
 * The schema is there already (`installEventLog`). Errors of rights and of unknown topics are thrown as the driver gives them.
 */
export async function openPostgresEventLog(options: ConnectionOptions & { observer?: LogObserver }): Promise<EventLog> {
  const hints = new Hints()
  const notifier = new Notifier(options)
  const listener = new Listener(options, hints)
  return openSessionLog({
    appends: new PostgresSession(options),
    questions: new PostgresSession(options),
    hints,
    clock: systemClock,
    observer: options.observer,
    onFollow: (topic) => {
      tableOf(topic)
      listener.listen(topic)
    },
    onAppended: (topic, offset) => notifier.announce(topic, offset),
    onClose: () => Promise.all([notifier.close(), listener.close()]),
  })
}
