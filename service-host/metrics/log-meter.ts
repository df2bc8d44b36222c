import type { LogObserver } from '@maru/event-log'
import { HistogramTally } from './tally.ts'

/** Upper bounds in seconds. */
export const commitBounds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
export const byteBounds = [256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304]

class TopicTally {
  records = 0
  bytes = 0
  retries = 0
  readonly commits = new HistogramTally(commitBounds)
  readonly sizes = new HistogramTally(byteBounds)
}

export class ReaderTally {
  readonly reader: string
  readonly topic: string
  position = 0
  records = 0
  retried = 0
  setApart = 0
  readonly applies = new HistogramTally(commitBounds)

  constructor(reader: string, topic: string) {
    this.reader = reader
    this.topic = topic
  }
}

/** What the log and its readers did, in plain numbers that can be sent to another thread. Topics and readers are the platform's own, some ten in all. */
export class LogMeter implements LogObserver {
  readonly topics = new Map<string, TopicTally>()
  readonly readers = new Map<string, ReaderTally>()

  appended(topic: string, bytes: number, elapsedMs: number): void {
    const tally = this.#topic(topic)
    tally.records += 1
    tally.bytes += bytes
    tally.commits.observe(elapsedMs / 1_000)
    tally.sizes.observe(bytes)
  }

  appendRetried(topic: string): void {
    this.#topic(topic).retries += 1
  }

  readerMoved(reader: string, topic: string, position: number, records: number, elapsedMs: number): void {
    const tally = this.#reader(reader, topic)
    tally.position = position
    if (records === 0) return
    tally.records += records
    tally.applies.observe(elapsedMs / 1_000)
  }

  readerFailed(reader: string, topic: string, outcome: 'retried' | 'set_apart'): void {
    const tally = this.#reader(reader, topic)
    if (outcome === 'retried') tally.retried += 1
    else tally.setApart += 1
  }

  #topic(topic: string): TopicTally {
    let tally = this.topics.get(topic)
    if (!tally) this.topics.set(topic, (tally = new TopicTally()))
    return tally
  }

  #reader(reader: string, topic: string): ReaderTally {
    const key = `${reader} ${topic}`
    let tally = this.readers.get(key)
    if (!tally) this.readers.set(key, (tally = new ReaderTally(reader, topic)))
    return tally
  }
}

export type LogFigures = Pick<LogMeter, 'topics' | 'readers'>
