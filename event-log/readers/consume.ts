import type pg from 'pg'
import { pause, systemClock, type Clock } from '../clock.ts'
import { LogClosedError, LogOverloadedError, type EventLog, type LogRecord } from '../port.ts'
import { backoffMs, isTransientDatabaseError } from '../retry.ts'
import { decodeJsonRecord } from './json-records.ts'
import { Progress } from './progress.ts'
import { standBy } from './stand-by.ts'
import { ReaderStore, type PositionStore } from './store.ts'

export interface ReaderLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

interface ReadingOptions<Event, Transaction> {
  log: EventLog
  topic: string
  /**
   * The saved position is kept by name and topic. Of several readers of one name, at several instances, one works and the others stand by; together
   * they see each record once.
   */
  name: string
  /**
   * Applies the events of one record. It runs inside the transaction that saves the position, which may hold several records: what it
   * does with the transaction happens exactly once; what it does elsewhere may be repeated. It neither commits nor rolls back.
   */
  handler: (transaction: Transaction, events: Event[], record: LogRecord) => Promise<unknown>
  signal: AbortSignal
  logger: ReaderLogger
  /** Default: a JSON array, as `encodeJsonRecord` writes it. */
  decode?: (body: Uint8Array) => Event[]
  /** Records in one transaction at most. Default 100. */
  recordsMax?: number
  /** A record that fails so often, by no fault of the moment, is set apart in `poison_records`. Default 5. */
  triesMax?: number
  /** Beyond so many records set apart by this name the reader fails instead: then the fault is not in the records. Default 1,000. */
  poisonMax?: number
  /** Further errors of the handler to be tried again for ever, besides those of the database, of a full log, and of status 429 or 503. */
  isTransient?: (error: unknown) => boolean
  /**
   * How often the saved position is looked at while nothing comes, for stores whose last commits a crash may take: what is lost then is read again at
   * once, and not only when the next record shows it. Default: never.
   */
  recheckMs?: number
  /**
   * A transaction begins no sooner than this after the one before, so that it holds what has come meanwhile; at once after a rest, where a page was
   * full, and while somebody waits in `waitUntil`. Default 0.
   */
  gatherMs?: number
  /**
   * False for a reader that only the holder of a lease runs: where another is still ending it goes on at once, and does not wait for its silence.
   * Default true.
   */
  standsBy?: boolean
  clock?: Clock
}

export interface ConsumeOptions<Event> extends ReadingOptions<Event, pg.PoolClient> {
  pool: pg.Pool
  /** Schema of `log_positions` and `poison_records`, made where missing. */
  schema: string
}

export interface ConsumeIntoOptions<Event, Transaction> extends ReadingOptions<Event, Transaction> {
  store: PositionStore<Transaction>
}

export interface Consumer {
  /** Offset of the last record whose effects are saved; 0 before the first. */
  position(): number
  /**
   * Resolves when the position has reached the offset, which a record of the topic has; rejects with LogClosedError when the reader ends before. A
   * reader that stands by goes on itself where the one at work does not move on for some 35 ms.
   */
  waitUntil(offset: number): Promise<void>
  /** Resolves after the signal has aborted and the work under way is done; rejects when the reader cannot go on. */
  readonly done: Promise<void>
}

const pageBytesMax = 4 * 1_024 * 1_024

/**
 * Reads a topic from the saved position for ever and applies each record exactly once: effects and position are one transaction.
 * Whatever passes (a lost database, a deadlock) is waited out with backoff; a record that keeps failing is set apart and logged.
 */
export function consume<Event>(options: ConsumeOptions<Event>): Consumer {
  return consumeInto({ ...options, store: new ReaderStore(options) })
}

/** As `consume`, where position and effects are kept elsewhere than in tables of the usual names. */
export function consumeInto<Event, Transaction>(options: ConsumeIntoOptions<Event, Transaction>): Consumer {
  const reader = new Reader(options)
  const done = reader.run()
  // Whoever awaits `done` sees the error; a reader nobody awaits must not end the process unheard.
  done.catch((error: unknown) =>
    options.logger.error({ err: error, topic: options.topic, reader: options.name }, 'a reader of the log has failed'),
  )
  const { progress } = reader
  return { position: () => progress.position, waitUntil: (offset) => progress.waitUntil(offset), done }
}

class Reader<Event, Transaction> {
  readonly #options: ConsumeIntoOptions<Event, Transaction>
  readonly #store: PositionStore<Transaction>
  readonly #clock: Clock
  readonly progress: Progress
  /** The furthest that an advance was to go whose answer was an error: it may have been done. */
  #triedTo = 0
  #begunMs = Number.NEGATIVE_INFINITY

  constructor(options: ConsumeIntoOptions<Event, Transaction>) {
    this.#options = options
    this.#store = options.store
    this.#clock = options.clock ?? systemClock
    this.progress = new Progress(this.#clock)
  }

  async run(): Promise<void> {
    const { signal, standsBy = true } = this.#options
    try {
      await this.#persist(() => this.#store.install())
      for (let isContested = false; !signal.aborted;) {
        let saved = await this.#load()
        if (saved === undefined) return
        if (standsBy && isContested && saved > Math.max(this.#position, this.#triedTo)) saved = await this.#standBy(saved)
        if (saved === undefined) return
        this.#found(saved)
        await this.#persist(() => this.#warnOfLoss(this.#position))
        isContested = await this.#work()
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.progress.end()
    }
  }

  get #position(): number {
    return this.progress.position
  }

  #load(): Promise<number | undefined> {
    return this.#persist(() => this.#store.load())
  }

  /** Moves without having applied anything. */
  #found(saved: number): void {
    this.progress.moveTo(saved)
    this.#triedTo = 0
    this.#options.log.observer?.readerMoved(this.#options.name, this.#options.topic, saved, 0, 0)
  }

  #standBy(from: number): Promise<number | undefined> {
    const { log, topic, signal } = this.#options
    this.#found(from)
    return standBy(
      {
        progress: this.progress,
        load: () => this.#load(),
        // A log that is away is asked again at the next look.
        headOr: (position) => log.head(topic).catch(() => position),
        onMoved: (position) => this.#found(position),
        signal,
        clock: this.#clock,
      },
      from,
    )
  }

  /** Applies page after page. True when the saved position is no longer where this reader stood; false when it is to be loaded again, or at the end. */
  async #work(): Promise<boolean> {
    const { log, topic, signal, recordsMax = 100 } = this.#options
    const lost = new AbortController()
    const stopWatching = this.#watchFor(lost)
    const either = AbortSignal.any([signal, lost.signal])
    try {
      for await (const page of log.follow(topic, this.#position, { recordsMax, bytesMax: pageBytesMax, signal: either })) {
        if (!(await this.#take(page))) return true
        if (page.length < recordsMax) await this.#gather(either)
      }
      return false
    } finally {
      stopWatching()
    }
  }

  /** Lets records come together, unless somebody waits for them. */
  #gather(signal: AbortSignal): Promise<void> {
    const { gatherMs = 0 } = this.#options
    return this.progress.pauseUnlessAwaited(this.#begunMs + gatherMs - this.#clock.elapsedMs(), signal)
  }

  /** Aborts `lost` when the saved position is behind this reader's; once too often does no harm, as the reader only loads it again. */
  #watchFor(lost: AbortController): () => void {
    const { recheckMs } = this.#options
    if (recheckMs === undefined) return () => undefined
    const look = (): Promise<void> =>
      this.#store.load().then(
        (saved) => {
          if (saved < this.#position) lost.abort()
        },
        () => undefined, // The next look may tell.
      )
    return this.#clock.every(recheckMs, () => void look())
  }

  /** False when the saved position is not where this reader stood: another of the same name has gone on, or an answer was lost. */
  async #take(page: LogRecord[]): Promise<boolean> {
    try {
      return await this.#apply(page)
    } catch (error) {
      if (this.#options.signal.aborted) return false
      if (this.#isTransient(error)) this.#warn(error, 'the database did not take a page of the log; it is tried again')
    }
    // One by one from here, so that a failing record holds up only itself.
    for (const record of page) if (!(await this.#takeOne(record))) return false
    return true
  }

  async #takeOne(record: LogRecord): Promise<boolean> {
    const { signal, triesMax = 5 } = this.#options
    for (let failures = 0, tries = 0; !signal.aborted;) {
      try {
        return await this.#apply([record])
      } catch (error) {
        if (signal.aborted) return false
        failures += 1
        this.#options.log.observer?.readerFailed(this.#options.name, this.#options.topic, 'retried')
        if (this.#isTransient(error)) this.#warn(error, 'a record of the log could not be applied for now; it is tried again')
        else if ((tries += 1) >= triesMax) return this.#setApart(record, error)
        await pause(backoffMs(failures + 1, this.#clock), signal, this.#clock)
      }
    }
    return false
  }

  async #apply(records: LogRecord[]): Promise<boolean> {
    const { handler, decode = decodeJsonRecord, log, name, topic } = this.#options
    const last = records.at(-1)?.offset ?? this.#position
    this.#begunMs = this.#clock.elapsedMs()
    let isDone: boolean
    try {
      isDone = await this.#store.advance(this.#position, last, async (transaction) => {
        for (const record of records) await handler(transaction, decode(record.body) as Event[], record)
      })
    } catch (error) {
      this.#triedTo = Math.max(this.#triedTo, last)
      throw error
    }
    if (isDone) {
      this.progress.moveTo(last)
      log.observer?.readerMoved(name, topic, last, records.length, this.#clock.elapsedMs() - this.#begunMs)
    }
    return isDone
  }

  async #setApart(record: LogRecord, error: unknown): Promise<boolean> {
    const { logger, name, topic, poisonMax = 1_000 } = this.#options
    logger.error({ err: error, reader: name, topic, offset: record.offset }, 'a record of the log cannot be applied and is set apart')
    const outcome = await this.#persist(() => this.#store.setApart(this.#position, record, error, poisonMax))
    if (outcome === 'full')
      throw new Error(`The reader ${name} of ${topic} has set ${poisonMax} records apart; it stops at ${record.offset}.`, { cause: error })
    if (outcome === 'done') {
      this.progress.moveTo(record.offset)
      const { observer } = this.#options.log
      observer?.readerFailed(name, topic, 'set_apart')
      observer?.readerMoved(name, topic, record.offset, 0, 0)
    }
    return outcome === 'done'
  }

  /** Repeats what the state of the database prevents; undefined once the signal has aborted. */
  async #persist<T>(work: () => Promise<T>): Promise<T | undefined> {
    const { signal } = this.#options
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        return await work()
      } catch (error) {
        if (!isTransientDatabaseError(error)) throw error
        await pause(backoffMs(failures + 1, this.#clock), signal, this.#clock)
      }
    }
    return undefined
  }

  async #warnOfLoss(saved: number): Promise<void> {
    const { log, topic, name, logger } = this.#options
    if (saved === 0) return
    const firstKept = await log.firstKept(topic)
    if (firstKept > saved + 1)
      logger.error({ reader: name, topic, position: saved, firstKept }, 'records were trimmed before this reader had read them')
  }

  #isTransient(error: unknown): boolean {
    if (isTransientDatabaseError(error) || error instanceof LogOverloadedError || error instanceof LogClosedError) return true
    const { status } = (error ?? {}) as { status?: unknown }
    return status === 429 || status === 503 || (this.#options.isTransient?.(error) ?? false)
  }

  #warn(error: unknown, message: string): void {
    const { logger, name, topic } = this.#options
    logger.warn({ err: error, reader: name, topic, position: this.#position }, message)
  }
}
