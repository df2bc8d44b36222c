import type { LogRecord, ReadBounds } from '../port.ts'

export interface AppendRequest {
  topic: string
  producer: string
  sequence: number
  body: Uint8Array
  writer?: { name: string; epoch: number }
}

/**
 * A connection to where the records are, opened when first used and again after it was lost. Each call is one try, and they are made one after
 * another. One that fails with an error of the connection (`isTransientDatabaseError`) may have been done.
 */
export interface LogSession {
  /** Offset of the record, or of the first with its producer and sequence. Throws FencedError where a newer writer has opened. */
  append(request: AppendRequest): Promise<number>
  /** Within the bounds that `boundsOf` gives. */
  read(topic: string, after: number, bounds: ReadBounds): Promise<LogRecord[]>
  head(topic: string): Promise<number>
  last(topic: string): Promise<LogRecord | undefined>
  firstKept(topic: string): Promise<number>
  /** Drops at most `recordsMax` of the oldest; gives how many. */
  trim(topic: string, before: number, recordsMax: number): Promise<number>
  /** The new epoch of the writer. */
  openWriter(topic: string, name: string): Promise<number>
  /** Breaks it now: what is under way rejects. */
  break(): void
  close(): Promise<void>
}
