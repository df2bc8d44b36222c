import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { PlainConnection, type ConnectionHost, type PlainRequest } from './connection.ts'

export interface PlainServerOptions {
  /** A longer body is for Node's server to refuse. */
  bodyMaxBytes: number
  /** For the first request to begin, and for the whole of a body. */
  headersTimeoutMs: number
  requestTimeoutMs: number
  /** Between two requests. */
  keepAliveTimeoutMs: number
  /** For an answer to be taken. */
  idleMs: number
  /** As `ConnectionHost.take`. */
  take(request: PlainRequest, connection: PlainConnection): boolean
  /** What a client is told whose request did not come in time: a whole answer that says `connection: close`. */
  timedOut(remoteAddress: string): string
}

const sweepMs = 1_000
/** Connections that may keep the heads of their last requests: a few kilobytes each. */
const headPlacesMax = 4_096

/**
 * The plain path of an HTTP server of Node: its connections are read here as long as their requests are plain, and handed to it, with all they have said, as soon as one is
 * not. So Node's parser judges everything that could be read in two ways, and what is read here is what that parser would have read.
 */
export class PlainServer {
  readonly #connections = new Set<PlainConnection>()
  readonly #sweeping: NodeJS.Timeout
  #isClosing = false

  constructor(server: Server, options: PlainServerOptions) {
    const takeByNode = server.listeners('connection') as ((socket: Socket) => void)[]
    server.removeAllListeners('connection')
    const host: ConnectionHost = {
      bodyMaxBytes: options.bodyMaxBytes,
      keepAlive: `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(options.keepAliveTimeoutMs / 1_000)}\r\n`,
      headPlaces: { left: headPlacesMax },
      isClosing: () => this.#isClosing,
      take: (request, connection) => options.take(request, connection),
      handOver: (connection, socket, bytes) => {
        this.#connections.delete(connection)
        if (bytes.length > 0) socket.unshift(bytes)
        for (const take of takeByNode) take.call(server, socket)
      },
      ended: (connection) => void this.#connections.delete(connection),
    }
    server.on('connection', (socket) => void this.#connections.add(new PlainConnection(socket, host)))
    this.#sweeping = setInterval(() => this.#sweep(options), Math.min(sweepMs, options.headersTimeoutMs / 2))
    this.#sweeping.unref()
  }

  /**
   * Ends connections on which nothing is asked, after `idleGraceMs` in which a request that is under way is still answered; the others end with their answer, or after
   * `deadlineMs`.
   */
  async close(deadlineMs: number, idleGraceMs = 0): Promise<void> {
    this.#isClosing = true
    const startMs = performance.now()
    let isGraceOver = false
    while (this.#connections.size > 0 && performance.now() < startMs + deadlineMs) {
      if (!isGraceOver && performance.now() >= startMs + idleGraceMs) {
        isGraceOver = true
        for (const connection of this.#connections) {
          const { is } = connection.state
          if (is === 'idle' || is === 'new') connection.end()
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    for (const connection of this.#connections) connection.destroy()
    clearInterval(this.#sweeping)
  }

  #sweep(options: PlainServerOptions): void {
    const nowMs = performance.now()
    for (const connection of this.#connections) {
      const { is, sinceMs } = connection.state
      const forMs = nowMs - sinceMs
      // Not ended: a client that never ends its side would keep the connection for good.
      const isLeft = (is === 'idle' && forMs > options.keepAliveTimeoutMs) || (is === 'stalled' && forMs > options.idleMs)
      if (isLeft) connection.destroy()
      const isLate = (is === 'new' && forMs > options.headersTimeoutMs) || (is === 'receiving' && forMs > options.requestTimeoutMs)
      if (isLate) connection.refuse(options.timedOut(connection.remoteAddress))
    }
  }
}
