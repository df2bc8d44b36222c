import { systemClock, type Clock, type EventLog, type FollowOptions, type LogRecord } from '@maru/event-log'
import { readEventTexts, type EventText, type EventTexts } from './event-texts.ts'

/** Events published that the history may be behind by; the publisher waits there. */
const eventsMax = 20_000
const pollMs = 200

interface Published {
  record: LogRecord
  texts: EventTexts
}

/**
 * What this thread has just published, kept until the history has taken it: reading it back from the log, and parsing it, would cost more than
 * publishing it did. Where the history stands before what is kept, as after a start, it reads the log.
 */
export class PublishedTail {
  readonly #log: EventLog
  readonly #topic: string
  readonly #clock: Clock
  readonly #kept: Published[] = []
  #keptEvents = 0
  /** Of the state that the newest record was made from; 0 before the first. */
  rules = 0
  /** Offset of the record before the first that is kept; unknown until the publisher has said where it begins. */
  #before = Number.NaN
  #wake: (() => void)[] = []

  constructor(log: EventLog, topic: string, clock: Clock = systemClock) {
    this.#clock = clock
    this.#log = log
    this.#topic = topic
  }

  /** From here on nobody but the publisher of this thread appends; `offset` is that of the newest record. */
  begin(offset: number): void {
    this.#before = offset
    this.#kept.length = 0
    this.#keptEvents = 0
    this.#notify()
  }

  /** A record was appended; resolves when there is room for another. Its texts are released when the history has taken it. */
  async add(record: LogRecord, texts: EventTexts, signal: AbortSignal): Promise<void> {
    this.#kept.push({ record, texts })
    this.#keptEvents += texts.events.length
    this.#notify()
    while (this.#keptEvents > eventsMax && !signal.aborted) await this.#news(signal)
  }

  /** The log, whose `follow` takes from memory what is there. */
  asLog(): EventLog {
    return { ...this.#log, follow: (topic, after, options) => this.#follow(topic, after, options) }
  }

  decode(body: Uint8Array): EventText[] {
    const kept = this.#kept.find(({ record }) => record.body === body)
    if (kept) return [...kept.texts.events]
    return readEventTexts(body)
  }

  async *#follow(topic: string, after: number, options: FollowOptions): AsyncGenerator<LogRecord[], void, undefined> {
    if (topic !== this.#topic) throw new RangeError(`only ${this.#topic} is kept`)
    const { signal, ...bounds } = options
    let position = after
    while (!signal.aborted) {
      this.#drop(position)
      const records =
        position === this.#before
          ? this.#kept.slice(0, bounds.recordsMax).map(({ record }) => record)
          : await this.#log.read(topic, position, bounds)
      const last = records.at(-1)
      if (last) {
        yield records
        position = last.offset
      } else {
        await this.#news(signal)
      }
    }
  }

  /** Forgets what the history has taken. */
  #drop(position: number): void {
    let taken = 0
    while (taken < this.#kept.length && this.#kept[taken]!.record.offset <= position) {
      const { texts } = this.#kept[taken]!
      this.#keptEvents -= texts.events.length
      // Whoever asks for more is done with what it had.
      texts.release()
      this.#before = this.#kept[taken]!.record.offset
      taken += 1
    }
    if (taken === 0) return
    this.#kept.splice(0, taken)
    this.#notify()
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  /** Something was added or taken; after a while in any case. */
  #news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        signal.removeEventListener('abort', end)
        resolve()
      }
      const cancel = this.#clock.after(pollMs, end)
      signal.addEventListener('abort', end, { once: true })
      this.#wake.push(end)
    })
  }
}
