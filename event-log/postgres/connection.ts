import { Socket } from 'node:net'
import pg from 'pg'

export interface Statement {
  /** Prepared under this name once a connection. */
  name?: string
  text: string
  values?: unknown[]
}

export interface ConnectionOptions {
  connectionString: string
  applicationName: string
}

/** Longest wait for an answer; then the connection counts as lost. */
const answerTimeoutMs = 30_000
const connectTimeoutMs = 5_000

/**
 * One connection, opened when first used and again after it was lost; one statement at a time. A statement that was under way when
 * the connection broke rejects, and may have been done.
 */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #onOpen: ((client: pg.Client) => Promise<void>) | undefined
  readonly #onLost: (() => void) | undefined
  #opening: Promise<pg.Client> | undefined
  /** Settles when the statement before is done: the client takes one at a time. */
  #turn: Promise<unknown> = Promise.resolve()
  #socket: Socket | undefined

  constructor(options: ConnectionOptions, hooks: { onOpen?: (client: pg.Client) => Promise<void>; onLost?: () => void } = {}) {
    this.#options = options
    this.#onOpen = hooks.onOpen
    this.#onLost = hooks.onLost
  }

  /** Opens it if need be. */
  async open(): Promise<pg.Client> {
    this.#opening ??= this.#connect()
    return this.#opening
  }

  run<Row extends pg.QueryResultRow>(statement: Statement): Promise<Row[]> {
    const result = this.#turn.then(() => this.#run<Row>(statement))
    this.#turn = result.catch(() => undefined) // Whoever called hears of it.
    return result
  }

  async #run<Row extends pg.QueryResultRow>(statement: Statement): Promise<Row[]> {
    const opening = this.open()
    const client = await opening
    try {
      return (await client.query<Row>(statement)).rows
    } catch (error) {
      // An answer of the server that names a fault in the statement leaves the connection good; anything else does not.
      if (!(error instanceof pg.DatabaseError) || /^(08|57)/.test(error.code ?? '')) this.#drop(opening)
      throw error
    }
  }

  /** Breaks it now; a statement under way rejects. It is opened again when next used. */
  break(): void {
    this.#opening = undefined
    this.#socket?.destroy()
    this.#socket = undefined
  }

  /** Ends it in good order. */
  async close(): Promise<void> {
    const opening = this.#opening
    if (!opening) return
    this.#opening = undefined
    const socket = this.#socket
    const late = setTimeout(() => socket?.destroy(), 1_000)
    await opening.then((client) => client.end()).catch(() => undefined) // It was lost already.
    clearTimeout(late)
  }

  #connect(): Promise<pg.Client> {
    const socket = new Socket()
    this.#socket = socket
    const client = new pg.Client({
      connectionString: this.#options.connectionString,
      application_name: this.#options.applicationName,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: answerTimeoutMs,
      keepAlive: true,
      stream: () => socket,
    })
    const opening = client
      .connect()
      .then(() => this.#onOpen?.(client))
      .then(() => client)
    const lost = () => this.#drop(opening)
    client.on('error', lost)
    client.on('end', lost)
    opening.catch(lost)
    return opening
  }

  #drop(opening: Promise<pg.Client>): void {
    if (this.#opening !== opening) return
    this.break()
    this.#onLost?.()
  }
}
