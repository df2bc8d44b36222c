import type { Hints } from '../hints.ts'
import { pause } from '../clock.ts'
import { backoffMs } from '../retry.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { channelOf } from './names.ts'

/** Turns notifications of new records into hints, over one connection that is opened with the first topic and kept open. */
export class Listener {
  readonly #connection: Connection
  readonly #closing = new AbortController()
  readonly #topics = new Map<string, string>()
  #keeping: Promise<void> | undefined
  #lost: (() => void) | undefined

  constructor(options: ConnectionOptions, hints: Hints) {
    this.#connection = new Connection(options, {
      onOpen: async (client) => {
        client.on('notification', ({ channel, payload }) => {
          const topic = this.#topics.get(channel)
          if (topic !== undefined) hints.give(topic, Number(payload))
        })
        for (const channel of this.#topics.keys()) await client.query(`listen ${channel}`)
        hints.giveAll()
      },
      onLost: () => this.#lost?.(),
    })
  }

  /** Returns at once: until notifications arrive, polling serves. */
  listen(topic: string): void {
    const channel = channelOf(topic)
    if (this.#topics.has(channel)) return
    this.#topics.set(channel, topic)
    if (!this.#keeping) this.#keeping = this.#keepOpen()
    // Where the connection was open before, it does not know this channel yet; a failure means it is lost and will listen when it is back.
    else void this.#connection.run({ text: `listen ${channel}` }).catch(() => undefined)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#lost?.()
    await this.#connection.close()
    await this.#keeping
  }

  async #keepOpen(): Promise<void> {
    for (let failures = 0; !this.#closing.signal.aborted;) {
      const lost = new Promise<void>((resolve) => (this.#lost = resolve))
      try {
        await this.#connection.open()
        failures = 0
        await lost
      } catch {
        failures += 1 // Hints are a convenience: readers poll meanwhile.
      }
      await pause(backoffMs(Math.max(2, failures)), this.#closing.signal)
    }
  }
}
