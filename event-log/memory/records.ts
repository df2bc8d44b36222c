import type { AppendRequest } from '../client/session.ts'
import { FencedError, type LogRecord, type ReadBounds } from '../port.ts'

interface Topic {
  /** `records[i]` has the offset `trimmed + i + 1`. */
  records: LogRecord[]
  trimmed: number
  byIdentity: Map<string, number>
  /** The newest record of each producer that was trimmed: a repeat of it must not add a second. */
  trimmedOf: Map<string, { sequence: number; offset: number }>
  epochs: Map<string, number>
}

/** The records of all topics, as a server of the log holds them. Topics come to be when used. */
export class MemoryRecords {
  readonly #topics = new Map<string, Topic>()

  append({ topic: name, body, producer, sequence, writer }: AppendRequest): number {
    const topic = this.#topic(name)
    const key = `${producer}\n${sequence}`
    const known = topic.byIdentity.get(key)
    if (known !== undefined) return known
    const gone = topic.trimmedOf.get(producer)
    if (gone && gone.sequence > sequence) throw new Error(`record ${sequence} of ${producer} was trimmed`)
    if (gone?.sequence === sequence) return gone.offset
    if (writer && topic.epochs.get(writer.name) !== writer.epoch) throw new FencedError(`a newer writer ${writer.name} has opened`)
    const offset = topic.trimmed + topic.records.length + 1
    topic.records.push({ offset, body: Uint8Array.from(body), producer, sequence })
    topic.byIdentity.set(key, offset)
    return offset
  }

  /** Within the bounds that `boundsOf` gives. */
  read(name: string, after: number, { recordsMax, bytesMax }: ReadBounds): LogRecord[] {
    const { records, trimmed } = this.#topic(name)
    const page: LogRecord[] = []
    let bytes = 0
    for (let index = Math.max(0, after - trimmed); index < records.length && page.length < recordsMax && bytes < bytesMax; index++) {
      const record = records[index]
      if (!record) break
      page.push(record)
      bytes += record.body.byteLength
    }
    return page
  }

  head(name: string): number {
    const { trimmed, records } = this.#topic(name)
    return trimmed + records.length
  }

  last(name: string): LogRecord | undefined {
    return this.#topic(name).records.at(-1)
  }

  firstKept(name: string): number {
    return this.#topic(name).trimmed + 1
  }

  /** Drops at most `recordsMax` of the oldest below `before`; gives how many. */
  trim(name: string, before: number, recordsMax = Number.POSITIVE_INFINITY): number {
    const topic = this.#topic(name)
    const dropped = topic.records.splice(0, Math.min(recordsMax, Math.max(0, before - 1 - topic.trimmed)))
    topic.trimmed += dropped.length
    for (const { producer, sequence, offset } of dropped) {
      topic.byIdentity.delete(`${producer}\n${sequence}`)
      if (sequence >= (topic.trimmedOf.get(producer)?.sequence ?? 0)) topic.trimmedOf.set(producer, { sequence, offset })
    }
    return dropped.length
  }

  /** The new epoch of the writer. */
  openWriter(name: string, writer: string): number {
    const { epochs } = this.#topic(name)
    const epoch = (epochs.get(writer) ?? 0) + 1
    epochs.set(writer, epoch)
    return epoch
  }

  #topic(name: string): Topic {
    const topic = this.#topics.get(name) ?? {
      records: [],
      trimmed: 0,
      byIdentity: new Map<string, number>(),
      trimmedOf: new Map<string, { sequence: number; offset: number }>(),
      epochs: new Map<string, number>(),
    }
    this.#topics.set(name, topic)
    return topic
  }
}
