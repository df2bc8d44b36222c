import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  acceptsStream,
  answerClientError,
  PlainServer,
  Problem,
  rawProblem,
  requestIdFrom,
  requestIdOf,
  spreadOver,
  type Logger,
} from '@maru/service-host'
import type { Limits } from '../edge/limits.ts'
import { parseTarget } from '../edge/target.ts'
import { SlowReaders } from '../proxy/slow-readers.ts'
import type { SocketLink } from '../proxy/socket-link.ts'
import { passUpgrade } from '../proxy/upgrade.ts'
import type { EdgeMeter } from '../monitoring/edge-meter.ts'
import type { Instances } from '../routing/instances.ts'
import { boundConnections, type ConnectionBounds } from './connections.ts'
import type { Edge, EdgeCall } from './edge.ts'
import type { Listening } from './listen.ts'
import { headerOf } from './exchange.ts'
import { headerRecord } from './header-text.ts'
import { NodeAnswer, NodeRequest } from './node-exchange.ts'
import { PlainAnswer, PlainEdgeRequest } from './plain-exchange.ts'

export interface FrontOptions {
  edge: Edge
  instances: Instances
  limits: Limits
  logger: Logger
  /** `plain`: requests in the plain form are read by the short parser, all others by Node's. `node`: all by Node's. */
  parser: 'plain' | 'node'
  bodyMaxBytes: number
  headersTimeoutMs: number
  requestTimeoutMs: number
  upstreamTimeoutMs: number
  slowReaderMs: number
  connections: ConnectionBounds
  meter: EdgeMeter
}

const headerMaxBytes = 16 * 1_024
const connectionsMax = 20_000
const keepAliveTimeoutMs = 65_000
const switchingProtocols = 101
/** Of a path, as a span shows it. */
const routeMaxCharacters = 200
/** A connection on which nothing moves, in the middle of a request or an answer, is cut. Event streams send heartbeats. */
const idleMs = 120_000

/**
 * The public side: Node's HTTP server, whose strict parser guards the edge, with the short path for plain requests before it. Upgrades, event streams and whatever
 * is not plain are Node's.
 */
export class Front {
  readonly server: Server
  readonly #options: FrontOptions
  readonly #plain: PlainServer | undefined
  /** Upgraded connections, with what joins them to a service once that has agreed. */
  readonly #upgraded = new Map<Duplex, SocketLink | undefined>()
  readonly #responses = new Set<ServerResponse>()
  readonly #slowReaders: SlowReaders
  #isClosing = false

  constructor(options: FrontOptions) {
    this.#options = options
    const { edge, meter, slowReaderMs } = options
    this.#slowReaders = new SlowReaders(slowReaderMs, () => meter.cutSlowReader())
    this.server = createServer(
      {
        maxHeaderSize: headerMaxBytes,
        headersTimeout: options.headersTimeoutMs,
        requestTimeout: options.requestTimeoutMs,
        connectionsCheckingInterval: Math.min(1_000, options.headersTimeoutMs),
        keepAliveTimeout: keepAliveTimeoutMs,
        insecureHTTPParser: false,
        // Answered here as a problem instead.
        requireHostHeader: false,
        noDelay: true,
        shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === 'websocket',
      },
      (request, response) => this.#take(request, response),
    )
    this.server.maxConnections = connectionsMax
    this.server.setTimeout(idleMs)
    this.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      // Nothing is asked for that would be refused anyway.
      if (Number(request.headers['content-length'] ?? 0) <= options.bodyMaxBytes) response.writeContinue()
      this.#take(request, response)
    })
    this.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
      edge.refuse(new NodeRequest(request), answerOf(request, response), new Problem('expectation_failed')),
    )
    this.server.on('clientError', (error: Error & { code?: string }, socket) => {
      const address = 'remoteAddress' in socket ? String(socket.remoteAddress) : ''
      answerClientError(error, socket, headerRecord(options.limits.headersOf(address)))
    })
    this.server.on('connect', (request: IncomingMessage, socket: Duplex) =>
      socket.end(rawProblem(new Problem('method_not_allowed'), requestIdOf(request))),
    )
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#takeUpgrade(request, socket, head))
    this.#plain = options.parser === 'plain' ? this.#servePlain() : undefined
    boundConnections(this.server, options.connections, (why) => meter.refusedConnection(why))
  }

  /**
   * Takes no more connections and says so on every answer; ends event streams, and has sockets closed by their services; ends connections on which nothing is asked after `idleGraceMs`, and cuts
   * off what is left after `deadlineMs`.
   */
  async close(listening: Listening, deadlineMs: number, idleGraceMs: number): Promise<void> {
    this.#isClosing = true
    for (const response of this.#responses) response.shouldKeepAlive = false
    const closed = listening.stopAccepting()
    // A few at a time, so that not all clients come back at once.
    const parting = spreadOver([...this.#upgraded.values()], deadlineMs / 3, (link) => link?.leave())
    const streams = this.#options.edge.endStreams(deadlineMs / 3)
    // Again and again: an answer that had told its client to go on leaves a connection that is idle later.
    const idle = setInterval(() => performance.now() >= graceEndsMs && this.server.closeIdleConnections(), 50)
    const graceEndsMs = performance.now() + idleGraceMs
    if (idleGraceMs === 0) this.server.closeIdleConnections()
    const cutOff = setTimeout(() => {
      this.server.closeAllConnections()
      for (const socket of this.#upgraded.keys()) socket.destroy()
    }, deadlineMs)
    await Promise.all([closed, parting, streams, this.#plain?.close(deadlineMs, idleGraceMs)])
    clearTimeout(cutOff)
    clearInterval(idle)
    this.#slowReaders[Symbol.dispose]()
    // All are gone: what is left of the server are its timers.
    this.server.close()
  }

  #servePlain(): PlainServer {
    const { edge, limits, bodyMaxBytes, headersTimeoutMs, requestTimeoutMs } = this.#options
    return new PlainServer(this.server, {
      bodyMaxBytes,
      headersTimeoutMs,
      requestTimeoutMs,
      keepAliveTimeoutMs,
      idleMs,
      take(request, connection) {
        const plain = new PlainEdgeRequest(request)
        // An event stream has no bound in time, which the ways of Node and undici know how to keep.
        if (acceptsStream(headerOf(plain, 'accept'))) return false
        edge.take(plain, new PlainAnswer(connection), true)
        return true
      },
      timedOut: (address) => rawProblem(new Problem('request_timeout'), requestIdFrom(undefined), headerRecord(limits.headersOf(address))),
    })
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    if (this.#isClosing) response.shouldKeepAlive = false
    this.#responses.add(response)
    response.once('close', () => this.#responses.delete(response))
    this.#options.edge.take(new NodeRequest(request), answerOf(request, response), false)
  }

  #takeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { edge, logger, limits } = this.#options
    const asked = new NodeRequest(request)
    const call = edge.open(asked)
    const traced = edge.traceSocket(asked, call)
    const onError = () => socket.destroy()
    socket.on('error', onError)
    this.#upgrade(request, socket, head, call).then(traced, (error: unknown) => {
      if (!(error instanceof Problem)) logger.error({ err: error, request_id: call.requestId }, 'upgrade failed')
      if (!call.limited) call.base += limits.headersOf(call.address)
      const problem = error instanceof Problem ? error : new Problem('internal')
      traced?.(socket.destroyed ? undefined : problem.status)
      socket.end(rawProblem(problem, call.requestId, headerRecord(call.base)))
    })
  }

  /** Gives the status with which the upgrade was answered, if anybody was there to have it. */
  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, call: EdgeCall): Promise<number | undefined> {
    const { edge, instances, upstreamTimeoutMs, logger } = this.#options
    const target = parseTarget(request.url)
    const asked = new NodeRequest(request)
    const own = edge.headersFor(asked, call)
    const authorization = await edge.admitSocket(asked, call)
    const headers = authorization === undefined ? own : `${own}authorization: ${authorization}\r\n`
    if (socket.destroyed) return undefined
    if (!edge.allowsSocket(request.headers)) throw new Problem('origin_not_allowed')
    const destination = edge.destination(target)
    if (destination === undefined) throw new Problem('not_found', 'No socket is at this path.')
    call.span?.set('http.route', `/api/${destination.service}${destination.path.slice(0, routeMaxCharacters)}`)
    const leave = edge.takeStream()
    const demand = { service: destination.service, method: 'GET', path: destination.path, body: null }
    const upstream = instances.pickSocket(demand)
    if (!upstream || upstream === 'full') {
      leave()
      if (upstream) throw new Problem('overloaded', `As much is under way to ${destination.service} as may be; nothing was done.`)
      throw new Problem('unavailable', `No instance of ${destination.service} takes requests now.`)
    }
    this.#upgraded.set(socket, undefined)
    const release = () => {
      leave()
      this.#upgraded.delete(socket)
    }
    const path = `${destination.path}${target.query}`
    try {
      const link = await passUpgrade(
        upstream,
        {
          incoming: request,
          socket,
          head,
          path,
          headers,
          baseHeaders: call.base,
          timeoutMs: upstreamTimeoutMs,
          slowReaders: this.#slowReaders,
          logger,
        },
        release,
      )
      if (typeof link === 'number') {
        release()
        return link
      }
      if (this.#upgraded.has(socket)) this.#upgraded.set(socket, link)
      if (this.#isClosing) link.leave()
      return switchingProtocols
    } catch (error) {
      release()
      throw error
    }
  }
}

function answerOf(request: IncomingMessage, response: ServerResponse): NodeAnswer {
  return new NodeAnswer(response, request.method === 'HEAD')
}
