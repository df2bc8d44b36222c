import { openSessionLog } from '../client/event-log.ts'
import { systemClock } from '../clock.ts'
import { Hints } from '../hints.ts'
import type { EventLog, LogObserver } from '../port.ts'
import type { ConnectionOptions } from './connection.ts'
import { tableOf } from './names.ts'
import { Listener } from './listener.ts'
import { Notifier } from './notifier.ts'
import { PostgresSession } from './session.ts'

export interface PostgresEventLogOptions extends ConnectionOptions {
  observer?: LogObserver
  /**
   * Topics without notifications: nothing that is appended over this handle is announced, and its readers hear of the appends of others by `hint`
   * and polling alone. For a topic with so many small records that notifications, each of which wakes every process that listens to any, cost more
   * than they tell.
   */
  quietTopics?: readonly string[]
}

/**
 * The event log on PostgreSQL, over four connections of its own (appends, reads, notifications out and in), each opened when first used.
 * The schema is there already (`installEventLog`). Errors of rights and of unknown topics are thrown as the driver gives them.
 */
export async function openPostgresEventLog({ observer, quietTopics, ...options }: PostgresEventLogOptions): Promise<EventLog> {
  const hints = new Hints()
  const isQuiet = (topic: string): boolean => quietTopics?.includes(topic) === true
  const notifier = new Notifier(options)
  const listener = new Listener(options, hints)
  return openSessionLog({
    appends: new PostgresSession(options),
    questions: new PostgresSession(options),
    hints,
    clock: systemClock,
    observer,
    onFollow: (topic) => {
      tableOf(topic)
      if (!isQuiet(topic)) listener.listen(topic)
    },
    onAppended: (topic, offset) => {
      if (!isQuiet(topic)) notifier.announce(topic, offset)
    },
    onClose: () => Promise.all([notifier.close(), listener.close()]),
  })
}
