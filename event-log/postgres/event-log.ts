import { checkRecord } from '../bounds.ts'
import { follow } from '../follow.ts'
import { Hints } from '../hints.ts'
import { LogClosedError, type EventLog } from '../port.ts'
import { Appender } from './appender.ts'
import type { ConnectionOptions } from './connection.ts'
import { tableOf } from './names.ts'
import { Listener } from './listener.ts'
import { Notifier } from './notifier.ts'
import { Reader } from './reader.ts'

/**
 * The event log on PostgreSQL, over four connections of its own (appends, reads, notifications out and in), each opened when first used.
 * The schema is there already (`installEventLog`). A lost connection or a restarted server is waited for: appends and `follow` until
 * closed, other questions for 10 s. Errors of rights and of unknown topics are thrown as the driver gives them.
 * A body must not be changed until its append has resolved.
 */
export async function openPostgresEventLog(options: ConnectionOptions): Promise<EventLog> {
  const hints = new Hints()
  const notifier = new Notifier(options)
  const appender = new Appender(options, (topic, offset) => {
    hints.give(topic, offset)
    notifier.announce(topic, offset)
  })
  const reader = new Reader(options)
  const listener = new Listener(options, hints)
  const closing = new AbortController()

  return {
    async append(topic, body, identity) {
      checkRecord(body, identity)
      return appender.append({ topic, body, ...identity })
    },
    read: (topic, after, bounds) => reader.read(topic, after, bounds),
    async *follow(topic, after, followOptions) {
      tableOf(topic)
      listener.listen(topic)
      const signal = AbortSignal.any([followOptions.signal, closing.signal])
      const read: Parameters<typeof follow>[0]['read'] = (from, bounds, abort) =>
        reader.read(topic, from, bounds, { forMs: Number.POSITIVE_INFINITY, signal: abort })
      yield* follow({ read, hints, topic }, after, { ...followOptions, signal })
      if (closing.signal.aborted && !followOptions.signal.aborted) throw new LogClosedError('the log was closed')
    },
    head: (topic) => reader.head(topic),
    last: (topic) => reader.last(topic),
    firstKept: (topic) => reader.firstKept(topic),
    trim: (topic, before) => reader.trim(topic, before),
    async exclusiveWriter(topic, name) {
      if (name === '' || Buffer.byteLength(name) > 100) throw new RangeError('a writer has a name of 1 to 100 bytes')
      const epoch = await reader.openWriter(topic, name)
      const producer = `${name}#${epoch}`
      let sequence = 0
      return {
        epoch,
        async append(body) {
          checkRecord(body, { producer, sequence })
          return appender.append({ topic, body, producer, sequence: sequence++, writer: { name, epoch } })
        },
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await appender.close()
      await Promise.all([notifier.close(), reader.close(), listener.close()])
    },
  }
}
