import { FencedError, type LogRecord, type ReadBounds } from '../port.ts'
import type { AppendRequest, LogSession } from '../client/session.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { tableOf } from './names.ts'

interface RecordRow {
  record_offset: string
  producer: string
  sequence: string
  body: Buffer
}

const columns = 'record_offset, producer, sequence, body'

/** The log's functions and tables in PostgreSQL, over one connection. */
export class PostgresSession implements LogSession {
  readonly #connection: Connection

  constructor(options: ConnectionOptions) {
    this.#connection = new Connection(options)
  }

  async append({ topic, producer, sequence, body, writer }: AppendRequest): Promise<number> {
    const table = tableOf(topic)
    try {
      const [row] = await this.#connection.run<{ record_offset: string }>({
        name: `append_${table}`,
        text: `select event_log.${table}_append($1, $2, $3, $4, $5) as record_offset`,
        values: [
          producer,
          sequence,
          Buffer.from(body.buffer, body.byteOffset, body.byteLength),
          writer?.name ?? null,
          writer?.epoch ?? null,
        ],
      })
      return Number(row?.record_offset)
    } catch (error) {
      if ((error as { code?: string }).code === 'ML001') throw new FencedError((error as Error).message)
      throw error
    }
  }

  async read(topic: string, after: number, { recordsMax, bytesMax }: ReadBounds): Promise<LogRecord[]> {
    const table = tableOf(topic)
    // The sizes come from the rows' headers: bodies beyond the bound are not even fetched from their storage.
    const text = `select ${columns} from (
        select page.*, sum(octet_length(body)) over (order by record_offset) - octet_length(body) as bytes_before
        from (select ${columns} from event_log.${table} where record_offset > $1 order by record_offset limit $2) page
      ) sized where bytes_before < $3 order by record_offset`
    const rows = await this.#connection.run<RecordRow>({ name: `read_${table}`, text, values: [after, recordsMax, bytesMax] })
    return rows.map(recordOf)
  }

  async head(topic: string): Promise<number> {
    const table = tableOf(topic)
    const [row] = await this.#connection.run<{ head: string }>({
      name: `head_${table}`,
      text: `select head from event_log.${table}_head`,
    })
    return Number(row?.head)
  }

  async last(topic: string): Promise<LogRecord | undefined> {
    const table = tableOf(topic)
    const [row] = await this.#connection.run<RecordRow>({
      name: `last_${table}`,
      text: `select ${columns} from event_log.${table} order by record_offset desc limit 1`,
    })
    return row && recordOf(row)
  }

  async firstKept(topic: string): Promise<number> {
    const table = tableOf(topic)
    const text = `select coalesce((select min(record_offset) from event_log.${table}), head + 1) as first_kept from event_log.${table}_head`
    const [row] = await this.#connection.run<{ first_kept: string }>({ name: `first_${table}`, text })
    return Number(row?.first_kept)
  }

  async trim(topic: string, before: number, recordsMax: number): Promise<number> {
    const table = tableOf(topic)
    const [row] = await this.#connection.run<{ dropped: string }>({
      name: `trim_${table}`,
      text: `select event_log.${table}_trim($1, $2) as dropped`,
      values: [before, recordsMax],
    })
    return Number(row?.dropped)
  }

  async openWriter(topic: string, name: string): Promise<number> {
    const [row] = await this.#connection.run<{ epoch: string }>({
      text: `select event_log.${tableOf(topic)}_open_writer($1) as epoch`,
      values: [name],
    })
    return Number(row?.epoch)
  }

  break(): void {
    this.#connection.break()
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

function recordOf(row: RecordRow): LogRecord {
  return { offset: Number(row.record_offset), body: row.body, producer: row.producer, sequence: Number(row.sequence) }
}
