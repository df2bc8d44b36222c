import type { WebSocket } from 'ws'
import { keepAlive } from '@maru/service-host'

/** Bounds of one socket. */
export interface SocketBounds {
  /** Above this many unsent bytes updates are no longer queued; the newest is sent when the reader has caught up. */
  bufferedMaxBytes: number
  /** A reader that does not catch up for this long is disconnected. */
  slowMaxMs: number
  /** How often the peer is pinged; one that shows no life between three pings is disconnected. */
  pingMs: number
  /** Told when a reader is cut off. */
  onDropped?: (reason: 'slow' | 'silent') => void
}

export const defaultSocketBounds: SocketBounds = { bufferedMaxBytes: 256 * 1_024, slowMaxMs: 15_000, pingMs: 15_000 }

const drainCheckMs = 100

/**
 * One socket that is written to without ever waiting for it. While its reader lags, `send` refuses and remembers, and `onCaughtUp` is
 * called once it has caught up, for the owner to send what is newest then.
 */
export class SocketSession {
  readonly socket: WebSocket
  readonly #bounds: SocketBounds
  readonly #onCaughtUp: () => void
  #draining: NodeJS.Timeout | undefined

  constructor(socket: WebSocket, bounds: SocketBounds, onCaughtUp: () => void, onClosed: () => void) {
    this.socket = socket
    this.#bounds = bounds
    this.#onCaughtUp = onCaughtUp
    keepAlive(socket, bounds.pingMs, () => bounds.onDropped?.('silent'))
    // A reset connection is an ordinary end here; `close` follows.
    socket.on('error', () => undefined)
    socket.once('close', () => {
      clearInterval(this.#draining)
      onClosed()
    })
  }

  /** Sends, or returns false while the reader lags; a message that has yet to be made is not made then. */
  send(message: string | Buffer | (() => string)): boolean {
    if (this.#draining !== undefined || this.socket.readyState !== this.socket.OPEN) return false
    if (this.socket.bufferedAmount > this.#bounds.bufferedMaxBytes) {
      this.#awaitDrain()
      return false
    }
    this.socket.send(typeof message === 'function' ? message() : message, { binary: false })
    return true
  }

  #awaitDrain(): void {
    const sinceMs = performance.now()
    this.#draining = setInterval(() => {
      if (this.socket.bufferedAmount <= this.#bounds.bufferedMaxBytes / 4) {
        clearInterval(this.#draining)
        this.#draining = undefined
        this.#onCaughtUp()
      } else if (performance.now() - sinceMs > this.#bounds.slowMaxMs) {
        this.#bounds.onDropped?.('slow')
        this.socket.terminate()
      }
    }, drainCheckMs)
  }
}
