import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

/** Unsent bytes of one connection above which no more requests are read from it and no more events. */
const bufferedMaxBytes = 1_024 * 1_024
/** A peer that does not take what it asked for so long is cut off. */
const stuckMaxMs = 10_000
const drainCheckMs = 50

/**
 * What goes out on one connection. Answers of one turn of the event loop leave in one write: a write costs more than the order it answers.
 * Nothing is dropped; who sends waits for `room`, and a peer that does not read is cut off.
 */
export class Outbox {
  readonly #socket: WebSocket
  readonly #transport: Duplex
  #messages: { text: string; place: number }[] = []
  #room: Promise<void> | undefined

  readonly #onDropped: () => void

  constructor(socket: WebSocket, transport: Duplex, onDropped: () => void) {
    this.#onDropped = onDropped
    this.#socket = socket
    this.#transport = transport
  }

  /** `place`: of messages that leave together, the one with the smaller goes first; those without go last. */
  send(message: object, place = Number.POSITIVE_INFINITY): void {
    if (this.#messages.push({ text: JSON.stringify(message), place }) === 1) setImmediate(() => this.flush())
  }

  get isFull(): boolean {
    return this.#socket.bufferedAmount > bufferedMaxBytes
  }

  /** Resolves when there is room, or the connection has ended. */
  room(): Promise<void> {
    if (!this.isFull) return Promise.resolve()
    this.#room ??= this.#drained().finally(() => (this.#room = undefined))
    return this.#room
  }

  /** Sends what waits for the end of this turn. */
  flush(): void {
    // Comparing and not subtracting: two infinities are equal.
    const messages = this.#messages.sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0))
    this.#messages = []
    if (this.#socket.readyState !== this.#socket.OPEN) return
    this.#transport.cork()
    for (const { text } of messages) this.#socket.send(text)
    this.#transport.uncork()
  }

  #drained(): Promise<void> {
    const sinceMs = performance.now()
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        if (performance.now() - sinceMs > stuckMaxMs && this.#socket.readyState === this.#socket.OPEN) {
          this.#onDropped()
          this.#socket.terminate()
        }
        if (this.#socket.readyState === this.#socket.OPEN && this.#socket.bufferedAmount > bufferedMaxBytes / 4) return
        clearInterval(timer)
        resolve()
      }, drainCheckMs)
    })
  }
}
