/**
 * The event log: ordered, durable records by topic. What every store behind it promises, and no more:
 *
 * - `append` resolves only when the record is durable; a record is an opaque body (a batch of commands or of events).
 * - Appending again with the same `producer` and `sequence` does not add a second record: the offset of the first is
 *   returned. So an append whose answer was lost is simply repeated. That holds for the newest record of a producer for ever, and for older
 *   ones until they are trimmed; then they are refused.
 * - Readers of a topic see its records in one order, the same for all, and none is missed. Offsets only grow; they may skip.
 * - `exclusiveWriter` fences: once a newer writer of the same name has opened, an older one can append no more.
 */
export interface EventLog extends AsyncDisposable {
  /** Who is told what is done over this handle, for measuring. */
  readonly observer?: LogObserver | undefined
  append(topic: string, body: Uint8Array, identity: ProducerIdentity): Promise<number>
  /** Records after `after` (0: from the first kept), oldest first, within the bounds; empty at the end of the topic. */
  read(topic: string, after: number, bounds: ReadBounds): Promise<LogRecord[]>
  /**
   * Records after `after` for ever, waiting at the end until there are more or `signal` aborts (then it returns). It survives
   * a lost connection: it retries with backoff and goes on where it was. Holds at most `bounds` in memory.
   */
  follow(topic: string, after: number, options: FollowOptions): AsyncGenerator<LogRecord[], void, undefined>
  /** Offset of the newest record; 0 where there is none. */
  head(topic: string): Promise<number>
  /** The newest record, if any. */
  last(topic: string): Promise<LogRecord | undefined>
  /** Offset of the oldest record kept; records before it were trimmed. 1 where nothing was trimmed. */
  firstKept(topic: string): Promise<number>
  /** Drops records with an offset below `before`. */
  trim(topic: string, before: number): Promise<void>
  exclusiveWriter(topic: string, name: string): Promise<ExclusiveWriter>
  /** Records up to `offset` may be there: whoever follows the topic over this handle looks at once. Costs nothing where they are known already. */
  hint(topic: string, offset: number): void
}

export interface ProducerIdentity {
  /** Unique to one run of one process (an instance id): a restarted process takes a new one. */
  producer: string
  /** Grows by one with each record of the producer. */
  sequence: number
}

export interface LogRecord {
  offset: number
  body: Uint8Array
  producer: string
  sequence: number
}

export interface ReadBounds {
  recordsMax: number
  /** Stops after the record with which the sum of bodies reaches this; at least one record is returned. */
  bytesMax: number
}

export interface FollowOptions extends ReadBounds {
  signal: AbortSignal
  /** Longest time before the end of the topic is looked at again without a notification. */
  pollMs?: number
}

export interface ExclusiveWriter {
  /** Grows with each opening of this name. */
  readonly epoch: number
  /** Throws FencedError once a newer writer of the same name has opened. */
  append(body: Uint8Array): Promise<number>
}

/** Told what a log and its readers do. It must cost next to nothing and throw nothing. */
export interface LogObserver {
  /** A record became durable, `elapsedMs` after it was its turn. */
  appended(topic: string, bytes: number, elapsedMs: number): void
  /** An append was not answered, by the connection's fault, and is tried again. */
  appendRetried(topic: string): void
  /** A reader has saved its position, after so many records in one transaction; or found where it stands, with none. */
  readerMoved(reader: string, topic: string, position: number, records: number, elapsedMs: number): void
  /** A record could not be applied for now and is tried again, or was set apart. */
  readerFailed(reader: string, topic: string, outcome: 'retried' | 'set_apart'): void
}

export class FencedError extends Error {
  override name = 'FencedError'
}

/** The log cannot take more appends now: its bounded queue is full. */
export class LogOverloadedError extends Error {
  override name = 'LogOverloadedError'
}

export class LogClosedError extends Error {
  override name = 'LogClosedError'
}
