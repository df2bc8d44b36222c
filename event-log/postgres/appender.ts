import { FencedError, LogClosedError, LogOverloadedError } from '../port.ts'
import { backoffMs, isTransientDatabaseError, pause } from '../retry.ts'
import { Connection, type ConnectionOptions, type Statement } from './connection.ts'
import { tableOf } from './names.ts'

/** Bounds of what waits to be appended; beyond them an append is refused with LogOverloadedError. */
export const pendingRecordsMax = 1_024
export const pendingBytesMax = 64 * 1_024 * 1_024

/** At close, what waits has this long to become durable. */
const closePatienceMs = 2_000

export interface AppendRequest {
  topic: string
  producer: string
  sequence: number
  body: Uint8Array
  writer?: { name: string; epoch: number }
}

interface Pending {
  statement: Statement
  request: AppendRequest
  resolve: (offset: number) => void
  reject: (error: Error) => void
}

/** Appends records one after another over one connection, in the order of the calls; repeats what a lost connection left open. */
export class Appender {
  readonly #connection: Connection
  readonly #onAppended: (topic: string, offset: number) => void
  readonly #closing = new AbortController()
  readonly #pending: Pending[] = []
  #pendingBytes = 0
  #running: Promise<void> | undefined
  #closed = false

  constructor(options: ConnectionOptions, onAppended: (topic: string, offset: number) => void) {
    this.#connection = new Connection(options)
    this.#onAppended = onAppended
  }

  append(request: AppendRequest): Promise<number> {
    if (this.#closed) return Promise.reject(new LogClosedError('the log is closed'))
    const { body } = request
    if (this.#pending.length >= pendingRecordsMax || (this.#pendingBytes > 0 && this.#pendingBytes + body.byteLength > pendingBytesMax))
      return Promise.reject(new LogOverloadedError(`${this.#pending.length} records (${this.#pendingBytes} bytes) wait to be appended`))
    return new Promise((resolve, reject) => {
      this.#pending.push({ statement: statementOf(request), request, resolve, reject })
      this.#pendingBytes += body.byteLength
      this.#running ??= this.#run().finally(() => (this.#running = undefined))
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const late = setTimeout(() => {
      this.#closing.abort()
      this.#connection.break()
    }, closePatienceMs)
    await this.#running
    clearTimeout(late)
    await this.#connection.close()
  }

  async #run(): Promise<void> {
    for (let failures = 0; this.#pending.length > 0;) {
      const [next] = this.#pending
      if (!next) return
      try {
        if (this.#closing.signal.aborted) throw new LogClosedError('the log was closed before the record was known to be durable')
        const [row] = await this.#connection.run<{ record_offset: string }>(next.statement)
        failures = 0
        const offset = Number(row?.record_offset)
        this.#take()
        this.#onAppended(next.request.topic, offset)
        next.resolve(offset)
      } catch (error) {
        if (isTransientDatabaseError(error) && !this.#closing.signal.aborted) {
          failures += 1
          await pause(backoffMs(failures), this.#closing.signal)
          continue
        }
        this.#take()
        next.reject(refusalOf(error, this.#closing.signal.aborted))
      }
    }
  }

  #take(): void {
    const taken = this.#pending.shift()
    this.#pendingBytes -= taken?.request.body.byteLength ?? 0
  }
}

function statementOf({ topic, producer, sequence, body, writer }: AppendRequest): Statement {
  const table = tableOf(topic)
  return {
    name: `append_${table}`,
    text: `select event_log.${table}_append($1, $2, $3, $4, $5) as record_offset`,
    values: [producer, sequence, Buffer.from(body.buffer, body.byteOffset, body.byteLength), writer?.name ?? null, writer?.epoch ?? null],
  }
}

function refusalOf(error: unknown, isClosing: boolean): Error {
  if ((error as { code?: string }).code === 'ML001') return new FencedError((error as Error).message)
  if (isClosing && !(error instanceof LogClosedError))
    return new LogClosedError('the log was closed before the record was known to be durable', { cause: error })
  return error as Error
}
