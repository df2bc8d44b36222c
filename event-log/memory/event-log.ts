import { boundsOf, checkOffset, checkRecord } from '../bounds.ts'
import { follow } from '../follow.ts'
import { Hints } from '../hints.ts'
import { FencedError, LogClosedError, type EventLog, type LogRecord, type ProducerIdentity, type ReadBounds } from '../port.ts'

interface Topic {
  /** `records[i]` has the offset `trimmed + i + 1`. */
  records: LogRecord[]
  trimmed: number
  byIdentity: Map<string, number>
  epochs: Map<string, number>
}

/** The event log in the memory of one process, for the simulator and for tests: all promises but durability. Topics come to be when used. */
export function createMemoryEventLog(): EventLog {
  const topics = new Map<string, Topic>()
  const hints = new Hints()
  const closing = new AbortController()

  const topicOf = (name: string): Topic => {
    if (closing.signal.aborted) throw new LogClosedError('the log is closed')
    const topic = topics.get(name) ?? { records: [], trimmed: 0, byIdentity: new Map<string, number>(), epochs: new Map<string, number>() }
    topics.set(name, topic)
    return topic
  }

  const append = (name: string, body: Uint8Array, identity: ProducerIdentity, writer?: { name: string; epoch: number }): number => {
    const topic = topicOf(name)
    const key = `${identity.producer}\n${identity.sequence}`
    const known = topic.byIdentity.get(key)
    if (known !== undefined) return known
    if (writer && topic.epochs.get(writer.name) !== writer.epoch) throw new FencedError(`a newer writer ${writer.name} has opened`)
    const offset = topic.trimmed + topic.records.length + 1
    topic.records.push({ offset, body: Uint8Array.from(body), producer: identity.producer, sequence: identity.sequence })
    topic.byIdentity.set(key, offset)
    hints.give(name, offset)
    return offset
  }

  const read = async (name: string, after: number, bounds: ReadBounds): Promise<LogRecord[]> => {
    checkOffset(after)
    const topic = topicOf(name)
    const { recordsMax, bytesMax } = boundsOf(bounds)
    const page: LogRecord[] = []
    let bytes = 0
    for (
      let index = Math.max(0, after - topic.trimmed);
      index < topic.records.length && page.length < recordsMax && bytes < bytesMax;
      index++
    ) {
      const record = topic.records[index]
      if (!record) break
      page.push(record)
      bytes += record.body.byteLength
    }
    return page
  }

  return {
    async append(name, body, identity) {
      checkRecord(body, identity)
      return append(name, body, identity)
    },
    read,
    async *follow(name, after, options) {
      const signal = AbortSignal.any([options.signal, closing.signal])
      yield* follow({ read: (from, bounds) => read(name, from, bounds), hints, topic: name }, after, { ...options, signal })
      if (closing.signal.aborted && !options.signal.aborted) throw new LogClosedError('the log was closed')
    },
    async head(name) {
      const topic = topicOf(name)
      return topic.trimmed + topic.records.length
    },
    async last(name) {
      return topicOf(name).records.at(-1)
    },
    async firstKept(name) {
      return topicOf(name).trimmed + 1
    },
    async trim(name, before) {
      checkOffset(before)
      const topic = topicOf(name)
      const dropped = topic.records.splice(0, Math.max(0, before - 1 - topic.trimmed))
      topic.trimmed += dropped.length
      for (const { producer, sequence } of dropped) topic.byIdentity.delete(`${producer}\n${sequence}`)
    },
    async exclusiveWriter(name, writerName) {
      if (writerName === '' || Buffer.byteLength(writerName) > 100) throw new RangeError('a writer has a name of 1 to 100 bytes')
      const topic = topicOf(name)
      const epoch = (topic.epochs.get(writerName) ?? 0) + 1
      topic.epochs.set(writerName, epoch)
      const producer = `${writerName}#${epoch}`
      let sequence = 0
      return {
        epoch,
        async append(body) {
          checkRecord(body, { producer, sequence })
          return append(name, body, { producer, sequence: sequence++ }, { name: writerName, epoch })
        },
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
    },
  }
}
