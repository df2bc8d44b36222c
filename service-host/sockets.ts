import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Access, KeyScope } from '@maru/contracts'
import { expectRight, type Identity, type TokenVerifier } from './authentication.ts'
import { rawProblem } from './client-error.ts'
import type { Logger } from './logger.ts'
import { PathMatcher } from './path-matcher.ts'
import { Problem } from './problem.ts'
import { spreadOver } from './spread.ts'
import type { Traceparent } from './tracing/tracing.ts'

export interface SocketCall {
  params: Record<string, string>
  query: URLSearchParams
  /** Set wherever a valid token was sent; always unless the access is public. */
  identity?: Identity
  requestId: string
  /** Where the trace of the upgrade stands. */
  traceparent: Traceparent | undefined
  /** The connection beneath: corked, several messages leave in one write. */
  transport: Duplex
  /**
   * For who answers requests on the socket: `finish` is called once, when the socket is about to be closed because this process or the gateway before it goes away. It takes no more
   * requests, and resolves when those it took are answered, `withinMs` later at most. Then the socket is closed.
   */
  onLeaving(finish: (withinMs: number) => Promise<void>): void
}

export type SocketHandler = (socket: WebSocket, call: SocketCall) => void

export interface SocketOptions {
  access: Access
  /** As that of an endpoint. */
  keyScope?: KeyScope
}

interface SocketRoute {
  options: SocketOptions
  onConnection: SocketHandler
}

export interface SocketBounds {
  /** Open sockets of this process; beyond it an upgrade is refused with `overloaded`. */
  socketsMax: number
  /** A longer message closes the socket with 1009. */
  messageMaxBytes: number
}

const subprotocolOfToken = 'bearer'

/**
 * Service restart (in the registry of RFC 6455): connect again, and somebody is there. Said in order, so that it has a meaning beyond: what was taken from this socket has been answered, and what has no
 * answer was not done.
 */
export const closeRestart = 1012
/**
 * What a gateway that goes away says to a service, as a ping: what passes through it are frames, so this is what it can say by itself, and the service knows what is still to be
 * answered. A client that sends it has its own socket closed.
 */
export const leavePing = Buffer.from('maru:leave')
/** For requests to be answered on a socket whose gateway goes away. */
const answersMaxMs = 750

/** The WebSocket side of a service: routes upgrades, checks tokens, and closes all sockets when the service stops. */
export class SocketRoutes {
  readonly #routes = new PathMatcher<SocketRoute>()
  readonly #server: WebSocketServer
  readonly #verifier: TokenVerifier
  readonly #logger: Logger
  readonly #bounds: SocketBounds
  readonly #requestIdOf: (request: IncomingMessage) => string
  readonly #finishing = new Map<WebSocket, (withinMs: number) => Promise<void>>()
  readonly #leaving = new WeakMap<WebSocket, Promise<void>>()
  #closing = false
  #isEmpty = true

  constructor(options: {
    verifier: TokenVerifier
    logger: Logger
    bounds: SocketBounds
    requestIdOf: (request: IncomingMessage) => string
  }) {
    this.#verifier = options.verifier
    this.#logger = options.logger
    this.#bounds = options.bounds
    this.#requestIdOf = options.requestIdOf
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: options.bounds.messageMaxBytes,
      perMessageDeflate: false,
      // A browser cannot send headers, so a token may come as the subprotocols `bearer, <token>`; only `bearer` is answered.
      handleProtocols: (protocols) => (protocols.has(subprotocolOfToken) ? subprotocolOfToken : ([...protocols][0] ?? false)),
    })
  }

  get count(): number {
    return this.#server.clients.size
  }

  /** Whether no path takes sockets. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  add(path: string, options: SocketOptions, onConnection: SocketHandler): void {
    this.#isEmpty = false
    this.#routes.add(path, { options, onConnection })
  }

  matches(path: string): boolean {
    return this.#routes.match(path) !== undefined
  }

  /** Takes an upgrade, as a server of Node tells of it. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until the handshake is done nobody else listens for faults of this connection.
    const onError = () => socket.destroy()
    socket.on('error', onError)
    this.#upgrade(request, socket, head, () => socket.off('error', onError)).catch((error: unknown) => {
      if (!(error instanceof Problem)) this.#logger.error({ err: error }, 'upgrade failed')
      socket.end(rawProblem(error instanceof Problem ? error : new Problem('internal'), this.#requestIdOf(request)))
    })
  }

  /**
   * Says 1012 (service restart) to every socket, once what it asked is answered, to a few at a time, so that their clients do not all come back at once; whoever has not answered
   * that in time is cut off. All of it within `deadlineMs`.
   */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true
    const clients = [...this.#server.clients]
    const closed = Promise.all(clients.map((client) => new Promise<void>((resolve) => client.once('close', () => resolve()))))
    const leaving: Promise<void>[] = []
    const leave = (client: WebSocket) => leaving.push(this.#leave(client, 'the service restarts: connect again', deadlineMs * 0.3))
    await spreadOver(clients, deadlineMs * 0.4, leave)
    await Promise.all(leaving)
    const timer = setTimeout(
      () => {
        for (const client of clients) client.terminate()
      },
      Math.min(1_000, deadlineMs * 0.3),
    )
    await closed
    clearTimeout(timer)
  }

  #leave(client: WebSocket, reason: string, withinMs: number): Promise<void> {
    let leaving = this.#leaving.get(client)
    if (leaving === undefined) {
      const finished = this.#finishing.get(client)?.(withinMs) ?? Promise.resolve()
      const say = () => client.close(closeRestart, reason)
      leaving = finished.then(say, (error: unknown) => {
        this.#logger.error({ err: error }, 'requests of a socket could not be finished')
        say()
      })
      this.#leaving.set(client, leaving)
    }
    return leaving
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, established: () => void): Promise<void> {
    const target = request.url ?? '/'
    const mark = target.indexOf('?')
    const found = this.#routes.match(mark === -1 ? target : target.slice(0, mark))
    if (!found) throw new Problem('not_found', 'No socket is at this path.')
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') throw new Problem('upgrade_required')
    if (this.#closing) throw new Problem('unavailable', 'The service is going away.')
    if (this.count >= this.#bounds.socketsMax) throw new Problem('overloaded', 'As many sockets are open as may be.')
    const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1))
    const { options, onConnection } = found.value
    const { access } = options
    const authorization = authorizationOf(request, query)
    const identity = access === 'public' ? await this.#optional(authorization) : await this.#verifier.verify(authorization)
    expectRight(options, identity)
    if (socket.destroyed) return
    this.#server.handleUpgrade(request, socket, head, (client) => {
      established()
      client.on('error', (error) => this.#logger.debug({ err: error }, 'socket failed'))
      client.once('close', () => this.#finishing.delete(client))
      client.on('ping', (data) => {
        if (data.equals(leavePing)) void this.#leave(client, 'the gateway restarts: connect again', answersMaxMs)
      })
      onConnection(client, {
        params: found.params,
        query,
        ...(identity ? { identity } : {}),
        requestId: this.#requestIdOf(request),
        traceparent: traceparentOf(request),
        transport: socket,
        onLeaving: (finish) => void this.#finishing.set(client, finish),
      })
    })
  }

  /** On a public socket a token that is not valid is as good as none. */
  #optional(authorization: string | undefined): Promise<Identity | undefined> {
    return authorization === undefined ? Promise.resolve(undefined) : this.#verifier.verify(authorization).catch(() => undefined)
  }
}

function traceparentOf({ headers: { traceparent } }: IncomingMessage): Traceparent | undefined {
  return typeof traceparent === 'string' ? traceparent : undefined
}

/** Authorization header, `?token=` or `?access_token=`, or the subprotocols `bearer, <token>`; as an Authorization value. */
function authorizationOf(request: IncomingMessage, query: URLSearchParams): string | undefined {
  if (request.headers.authorization !== undefined) return request.headers.authorization
  const inQuery = query.get('token') ?? query.get('access_token')
  if (inQuery !== null) return `Bearer ${inQuery}`
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((part) => part.trim())
  const at = offered?.findIndex((part) => part.toLowerCase() === subprotocolOfToken) ?? -1
  const token = at === -1 ? undefined : offered?.[at + 1]
  return token === undefined ? undefined : `Bearer ${token}`
}
