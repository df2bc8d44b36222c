import { checkOffset, boundsOf } from '../bounds.ts'
import { LogClosedError, type LogRecord, type ReadBounds } from '../port.ts'
import { backoffMs, isTransientDatabaseError, pause } from '../retry.ts'
import { Connection, type ConnectionOptions, type Statement } from './connection.ts'
import { tableOf } from './names.ts'

/** A question is repeated this long over lost connections; then its error is thrown. */
const patienceMs = 10_000

interface RecordRow {
  record_offset: string
  producer: string
  sequence: string
  body: Buffer
}

const columns = 'record_offset, producer, sequence, body'

/** What is asked of the log, over one connection, one question at a time. */
export class Reader {
  readonly #connection: Connection
  readonly #closing = new AbortController()

  constructor(options: ConnectionOptions) {
    this.#connection = new Connection(options)
  }

  /** `retryForMs`: how long a lost connection is tried again. Rejects when `signal` aborts. */
  async read(
    topic: string,
    after: number,
    bounds: ReadBounds,
    retry: { forMs: number; signal?: AbortSignal } = { forMs: patienceMs },
  ): Promise<LogRecord[]> {
    checkOffset(after)
    const table = tableOf(topic)
    const { recordsMax, bytesMax } = boundsOf(bounds)
    // The sizes come from the rows' headers: bodies beyond the bound are not even fetched from their storage.
    const text = `select ${columns} from (
        select page.*, sum(octet_length(body)) over (order by record_offset) - octet_length(body) as bytes_before
        from (select ${columns} from event_log.${table} where record_offset > $1 order by record_offset limit $2) page
      ) sized where bytes_before < $3 order by record_offset`
    const rows = await this.#ask<RecordRow>({ name: `read_${table}`, text, values: [after, recordsMax, bytesMax] }, retry)
    return rows.map(recordOf)
  }

  async head(topic: string): Promise<number> {
    const table = tableOf(topic)
    const [row] = await this.#ask<{ head: string }>({ name: `head_${table}`, text: `select head from event_log.${table}_head` })
    return Number(row?.head)
  }

  async last(topic: string): Promise<LogRecord | undefined> {
    const table = tableOf(topic)
    const [row] = await this.#ask<RecordRow>({
      name: `last_${table}`,
      text: `select ${columns} from event_log.${table} order by record_offset desc limit 1`,
    })
    return row && recordOf(row)
  }

  async firstKept(topic: string): Promise<number> {
    const table = tableOf(topic)
    const text = `select coalesce((select min(record_offset) from event_log.${table}), head + 1) as first_kept from event_log.${table}_head`
    const [row] = await this.#ask<{ first_kept: string }>({ name: `first_${table}`, text })
    return Number(row?.first_kept)
  }

  /** In steps, so that no transaction is long. */
  async trim(topic: string, before: number): Promise<void> {
    checkOffset(before)
    const table = tableOf(topic)
    const stepMax = 500
    for (let dropped = stepMax; dropped === stepMax;) {
      const [row] = await this.#ask<{ dropped: string }>({
        name: `trim_${table}`,
        text: `select event_log.${table}_trim($1, $2) as dropped`,
        values: [before, stepMax],
      })
      dropped = Number(row?.dropped)
    }
  }

  async openWriter(topic: string, name: string): Promise<number> {
    const [row] = await this.#ask<{ epoch: string }>({
      text: `select event_log.${tableOf(topic)}_open_writer($1) as epoch`,
      values: [name],
    })
    return Number(row?.epoch)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#connection.close()
  }

  async #ask<Row extends object>(
    statement: Statement,
    retry: { forMs: number; signal?: AbortSignal } = { forMs: patienceMs },
  ): Promise<Row[]> {
    const end = Date.now() + retry.forMs
    for (let failures = 1; ; failures++) {
      if (this.#closing.signal.aborted) throw new LogClosedError('the log is closed')
      retry.signal?.throwIfAborted()
      try {
        return await orAbort(this.#connection.run<Row>(statement), retry.signal)
      } catch (error) {
        if (this.#closing.signal.aborted) throw new LogClosedError('the log was closed', { cause: error })
        retry.signal?.throwIfAborted()
        if (!isTransientDatabaseError(error) || Date.now() > end) throw error
        await pause(backoffMs(failures), retry.signal ? AbortSignal.any([retry.signal, this.#closing.signal]) : this.#closing.signal)
      }
    }
  }
}

/** The answer, or a rejection as soon as the signal aborts: who stops must not wait for a database that hangs. */
async function orAbort<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return answer
  let onAbort: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([answer, aborted])
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort)
  }
}

function recordOf(row: RecordRow): LogRecord {
  return { offset: Number(row.record_offset), body: row.body, producer: row.producer, sequence: Number(row.sequence) }
}
