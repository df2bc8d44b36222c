import { boundsOf, checkOffset, checkRecord } from '../bounds.ts'
import { follow } from '../follow.ts'
import { Hints } from '../hints.ts'
import { LogClosedError, type EventLog, type LogRecord, type ReadBounds } from '../port.ts'
import { MemoryRecords } from './records.ts'

/** The event log in the memory of one process, for tests: all promises but durability. Topics come to be when used. */
export function createMemoryEventLog(): EventLog {
  const held = new MemoryRecords()
  const hints = new Hints()
  const closing = new AbortController()

  const open = (): MemoryRecords => {
    if (closing.signal.aborted) throw new LogClosedError('the log is closed')
    return held
  }

  const append = (request: Parameters<MemoryRecords['append']>[0]): number => {
    const offset = open().append(request)
    hints.give(request.topic, offset)
    return offset
  }

  const read = async (topic: string, after: number, bounds: ReadBounds): Promise<LogRecord[]> => {
    checkOffset(after)
    return open().read(topic, after, boundsOf(bounds))
  }

  return {
    async append(topic, body, identity) {
      checkRecord(body, identity)
      return append({ topic, body, ...identity })
    },
    read,
    async *follow(topic, after, options) {
      const signal = AbortSignal.any([options.signal, closing.signal])
      yield* follow({ read: (from, bounds) => read(topic, from, bounds), hints, topic }, after, { ...options, signal })
      if (closing.signal.aborted && !options.signal.aborted) throw new LogClosedError('the log was closed')
    },
    head: async (topic) => open().head(topic),
    last: async (topic) => open().last(topic),
    firstKept: async (topic) => open().firstKept(topic),
    async trim(topic, before) {
      checkOffset(before)
      open().trim(topic, before)
    },
    async exclusiveWriter(topic, name) {
      if (name === '' || Buffer.byteLength(name) > 100) throw new RangeError('a writer has a name of 1 to 100 bytes')
      const epoch = open().openWriter(topic, name)
      const producer = `${name}#${epoch}`
      let sequence = 0
      return {
        epoch,
        async append(body) {
          checkRecord(body, { producer, sequence })
          return append({ topic, body, producer, sequence: sequence++, writer: { name, epoch } })
        },
      }
    },
    hint: (topic, offset) => hints.give(topic, offset),
    async [Symbol.asyncDispose]() {
      closing.abort()
    },
  }
}
