import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { finished, type Duplex } from 'node:stream'
import type { BlockList } from 'node:net'
import { answerClientError, Problem, rawProblem, readBody, requestIdOf, type Logger } from '@maru/service-host'
import { answerProblem, securityHeaders } from './answers.ts'
import type { AccessRules } from './edge/access.ts'
import { clientAddress } from './edge/client-address.ts'
import type { Cors } from './edge/cors.ts'
import type { RateLimiter } from './edge/rate-limit.ts'
import { isInternal, parseTarget, serviceTarget, type ServiceTarget, type Target } from './edge/target.ts'
import type { LocalRoutes } from './local-routes.ts'
import type { Forwarder } from './proxy/forward.ts'
import { requestHeaders } from './proxy/headers.ts'
import { passUpgrade } from './proxy/upgrade.ts'
import type { Instances } from './routing/instances.ts'

export interface FrontBounds {
  bodyMaxBytes: number
  /** Requests being served at once; beyond it `overloaded`. */
  inFlightMax: number
  /** Open event streams and WebSockets; beyond it `overloaded`. */
  streamsMax: number
  headersTimeoutMs: number
  requestTimeoutMs: number
  upstreamTimeoutMs: number
}

export interface FrontParts {
  services: ReadonlySet<string>
  instances: Instances
  forwarder: Forwarder
  access: AccessRules
  cors: Cors
  limiter: RateLimiter
  local: LocalRoutes
  trustedProxies: BlockList | undefined
  logger: Logger
  bounds: FrontBounds
}

const headerMaxBytes = 16 * 1_024
const connectionsMax = 20_000
/** A connection on which nothing moves, in the middle of a request or an answer, is cut. Event streams send heartbeats. */
const idleMs = 120_000

/** The public side: one Node HTTP server, whose strict parser guards the edge, and what every request passes through. */
export class Front {
  readonly server: Server
  readonly #parts: FrontParts
  readonly #upgraded = new Set<Duplex>()
  #inFlight = 0
  #streams = 0

  constructor(parts: FrontParts) {
    this.#parts = parts
    const { bounds } = parts
    this.server = createServer(
      {
        maxHeaderSize: headerMaxBytes,
        headersTimeout: bounds.headersTimeoutMs,
        requestTimeout: bounds.requestTimeoutMs,
        connectionsCheckingInterval: Math.min(1_000, bounds.headersTimeoutMs),
        keepAliveTimeout: 65_000,
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
      if (Number(request.headers['content-length'] ?? 0) <= bounds.bodyMaxBytes) response.writeContinue()
      this.#take(request, response)
    })
    this.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
      this.#refuse(request, response, new Problem('expectation_failed')),
    )
    this.server.on('clientError', (error: Error & { code?: string }, socket) => {
      const address = 'remoteAddress' in socket ? String(socket.remoteAddress) : ''
      answerClientError(error, socket, toRecord(parts.limiter.take(address).headers))
    })
    this.server.on('connect', (request: IncomingMessage, socket: Duplex) =>
      socket.end(rawProblem(new Problem('method_not_allowed'), requestIdOf(request))),
    )
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#takeUpgrade(request, socket, head))
  }

  get load(): { inFlight: number; streams: number } {
    return { inFlight: this.#inFlight, streams: this.#streams }
  }

  /** Takes no more connections, lets requests in flight end within `deadlineMs`, then cuts off what is left. */
  async close(deadlineMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    for (const socket of this.#upgraded) socket.destroy()
    this.server.closeIdleConnections()
    const cutOff = setTimeout(() => this.server.closeAllConnections(), deadlineMs)
    await closed
    clearTimeout(cutOff)
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const { limiter, logger, bounds } = this.#parts
    const call = this.#open(request)
    if (this.#inFlight >= bounds.inFlightMax) {
      const verdict = limiter.take(call.address)
      answerProblem(response, new Problem('overloaded', 'As many requests are being served as may be; nothing was done.'), call.requestId, [
        ...call.base,
        ...verdict.headers,
      ])
      return
    }
    this.#inFlight += 1
    let counted = true
    const release = () => {
      if (counted) this.#inFlight -= 1
      counted = false
    }
    this.#serve(request, response, call, release)
      .catch((error: unknown) => {
        if (!(error instanceof Problem)) logger.error({ err: error, request_id: call.requestId }, 'request failed')
        const problem = error instanceof Problem ? error : new Problem('internal')
        const headers = [...call.base]
        if (!call.limited) headers.push(...limiter.take(call.address).headers)
        if (problem.code === 'payload_too_large' && !request.complete) headers.push('connection', 'close')
        answerProblem(response, problem, call.requestId, headers, request.method === 'HEAD')
      })
      .finally(release)
  }

  async #serve(request: IncomingMessage, response: ServerResponse, call: EdgeCall, release: () => void): Promise<void> {
    const { services, access, cors, local, forwarder, bounds } = this.#parts
    const target = parseTarget(request.url)
    const method = request.method ?? 'GET'
    const headers = requestHeaders(request, call)
    const { origin, authorization } = request.headers
    if (method === 'OPTIONS' && origin !== undefined && request.headers['access-control-request-method'] !== undefined) {
      this.#limit(call, call.address)
      if (!cors.isAllowed(origin)) throw new Problem('origin_not_allowed')
      response.writeHead(204, [...call.base, ...cors.preflightHeaders()]).end()
      return
    }
    const destination = this.#destination(target, services)
    if (destination === undefined) {
      this.#limit(call, call.address)
      if (local.serve(method, target.path, response, call)) return
      throw new Problem('not_found', `Nothing is at ${target.path.slice(0, 200)}.`)
    }
    if (method === 'TRACE') throw new Problem('method_not_allowed')
    const identity = await access.identify(destination.service, method, destination.path, authorization)
    this.#limit(call, identity === undefined ? call.address : `user ${identity.userId}`)
    const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
    const body = hasBody ? await readBody(request, bounds.bodyMaxBytes) : null
    const isStream = request.headers.accept?.includes('text/event-stream') ?? false
    if (isStream && this.#streams >= bounds.streamsMax) throw new Problem('overloaded', 'As many streams are open as may be.')
    await forwarder.forward({
      service: destination.service,
      method,
      path: `${destination.path}${target.query}`,
      headers,
      body,
      response,
      baseHeaders: call.base,
      isStream,
      requestId: call.requestId,
      onStreaming: () => {
        // A stream stays for hours: it is counted apart from requests.
        if (!isStream) return
        release()
        this.#streams += 1
        finished(response, () => (this.#streams -= 1))
      },
    })
  }

  #takeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const call = this.#open(request)
    const onError = () => socket.destroy()
    socket.on('error', onError)
    this.#upgrade(request, socket, head, call).catch((error: unknown) => {
      if (!(error instanceof Problem)) this.#parts.logger.error({ err: error, request_id: call.requestId }, 'upgrade failed')
      if (!call.limited) call.base.push(...this.#parts.limiter.take(call.address).headers)
      const problem = error instanceof Problem ? error : new Problem('internal')
      socket.end(rawProblem(problem, call.requestId, toRecord(call.base)))
    })
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, call: EdgeCall): Promise<void> {
    const { services, instances, cors, bounds, logger } = this.#parts
    const target = parseTarget(request.url)
    const headers = requestHeaders(request, call)
    this.#limit(call, call.address)
    if (!cors.allowsSocket(request.headers)) throw new Problem('origin_not_allowed')
    const destination = this.#destination(target, services)
    if (destination === undefined) throw new Problem('not_found', 'No socket is at this path.')
    if (this.#streams >= bounds.streamsMax) throw new Problem('overloaded', 'As many sockets are open as may be.')
    const upstream = instances.pick(destination.service)
    if (!upstream) throw new Problem('unavailable', `No instance of ${destination.service} takes requests now.`)
    this.#streams += 1
    this.#upgraded.add(socket)
    const release = () => {
      this.#streams -= 1
      this.#upgraded.delete(socket)
    }
    const path = `${destination.path}${target.query}`
    try {
      const passed = await passUpgrade(
        upstream,
        { incoming: request, socket, head, path, headers, baseHeaders: call.base, timeoutMs: bounds.upstreamTimeoutMs, logger },
        release,
      )
      if (passed === 'refused') release()
    } catch (error) {
      release()
      throw error
    }
  }

  /** Where a request goes: a path of a service, or undefined for the gateway itself. Throws for what is not for outside. */
  #destination(target: Target, services: ReadonlySet<string>): ServiceTarget | undefined {
    if (target.path === '/.well-known/jwks.json') return { service: 'user', path: target.path }
    const found = serviceTarget(target.path, services)
    if (found && isInternal(found.path)) throw new Problem('not_found')
    return found
  }

  #open(request: IncomingMessage): EdgeCall {
    const requestId = requestIdOf(request)
    return {
      requestId,
      address: clientAddress(request, this.#parts.trustedProxies),
      base: ['x-request-id', requestId, ...securityHeaders, ...this.#parts.cors.headers(request.headers.origin)],
      limited: false,
    }
  }

  /** Counts the request against its caller; throws Problem `rate_limited`. */
  #limit(call: EdgeCall, caller: string): void {
    const verdict = this.#parts.limiter.take(caller)
    call.base.push(...verdict.headers)
    call.limited = true
    if (!verdict.allowed) throw new Problem('rate_limited', undefined, { retryAfterSeconds: verdict.retryAfterSeconds })
  }

  #refuse(request: IncomingMessage, response: ServerResponse, problem: Problem): void {
    const call = this.#open(request)
    answerProblem(response, problem, call.requestId, [...call.base, ...this.#parts.limiter.take(call.address).headers])
  }
}

/** What the edge knows of a request. */
export interface EdgeCall {
  requestId: string
  address: string
  /** Headers for its answer, flat. */
  base: string[]
  /** Whether it was counted, and `base` has its RateLimit headers. */
  limited: boolean
}

function toRecord(flat: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {}
  for (let index = 0; index < flat.length; index += 2) record[flat[index] as string] = flat[index + 1] as string
  return record
}
