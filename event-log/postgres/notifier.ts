import { pause } from '../clock.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { channelOf } from './names.ts'

/** The least time between two rounds of notifications; offsets that come meanwhile go with the next. */
const betweenMs = 20

/**
 * Tells other processes of new records by NOTIFY, apart from the append: a commit that notifies holds a lock of the whole database while it
 * is made durable, and so would make every append wait for every other. A notification is a hint; one that is lost costs a reader a poll.
 */
export class Notifier {
  readonly #connection: Connection
  readonly #closing = new AbortController()
  readonly #offsets = new Map<string, number>()
  #running: Promise<void> | undefined

  constructor(options: ConnectionOptions) {
    this.#connection = new Connection(options, { onOpen: async (client) => void (await client.query('set synchronous_commit = off')) })
  }

  announce(topic: string, offset: number): void {
    this.#offsets.set(topic, offset)
    if (!this.#closing.signal.aborted) this.#running ??= this.#run().finally(() => (this.#running = undefined))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
    await this.#connection.close()
  }

  async #run(): Promise<void> {
    while (this.#offsets.size > 0) {
      const round = [...this.#offsets]
      this.#offsets.clear()
      for (const [topic, offset] of round) {
        // A hint that could not be given is not given again: readers poll, and the next record brings the next.
        await this.#connection
          .run({ name: 'notify', text: 'select pg_notify($1, $2)', values: [channelOf(topic), String(offset)] })
          .catch(() => undefined)
      }
      if (this.#closing.signal.aborted) return
      await pause(betweenMs, this.#closing.signal)
    }
  }
}
