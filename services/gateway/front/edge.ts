import type { IncomingHttpHeaders } from 'node:http'
import type { BlockList } from 'node:net'
import { acceptsStream, Problem, requestIdFrom, type Logger, type TraceSpan, type Tracing } from '@maru/service-host'
import { answerProblem, securityHeaders } from '../answers.ts'
import type { AccessRules } from '../edge/access.ts'
import type { Callers } from '../edge/callers.ts'
import { clientAddress } from '../edge/client-address.ts'
import type { Cors } from '../edge/cors.ts'
import type { Limits } from '../edge/limits.ts'
import { isInternal, parseTarget, serviceTarget, type ServiceTarget, type Target } from '../edge/target.ts'
import { traceContext } from '../edge/trace-context.ts'
import type { LocalRoutes } from '../local-routes.ts'
import type { Forwarder } from '../proxy/forward.ts'
import { clientDeadline } from '../proxy/deadline.ts'
import { requestHeaders } from '../proxy/headers.ts'
import type { EdgeMeter, RouteName } from '../monitoring/edge-meter.ts'
import { headerOf, type EdgeAnswer, type EdgeRequest } from './exchange.ts'

export interface EdgeBounds {
  bodyMaxBytes: number
  /** Requests being served at once; beyond it `overloaded`. */
  inFlightMax: number
  /** Open event streams and WebSockets; beyond it `overloaded`. */
  streamsMax: number
  /** For a service to begin its answer. */
  answerMaxMs: number
}

export interface EdgeParts {
  services: ReadonlySet<string>
  forwarder: Forwarder
  access: AccessRules
  callers: Callers
  cors: Cors
  limits: Limits
  local: LocalRoutes
  trustedProxies: BlockList | undefined
  logger: Logger
  meter: EdgeMeter
  tracing: Tracing
  bounds: EdgeBounds
}

/** What the edge knows of a request. */
export interface EdgeCall {
  requestId: string
  address: string
  /** Headers for its answer, flat. */
  base: string[]
  /** Whether it was counted, and `base` has its RateLimit headers. */
  limited: boolean
  /** What its route is counted as; undefined until that is known. */
  route?: RouteName | undefined
  /** Set where its trace is kept. */
  span?: TraceSpan | undefined
}

const ownRoute: RouteName = { service: 'gateway', method: 'GET', route: '(own pages)' }

/** What every request passes through, whichever parser read it: bounds, access, rate limits, and the way to a service. */
export class Edge {
  readonly #parts: EdgeParts
  #inFlight = 0
  #streams = 0

  constructor(parts: EdgeParts) {
    this.#parts = parts
  }

  get load(): { inFlight: number; streams: number } {
    return { inFlight: this.#inFlight, streams: this.#streams }
  }

  /** Answers a request. `isPlain`: it was read by the short parser. */
  take(request: EdgeRequest, answer: EdgeAnswer, isPlain: boolean): void {
    const { limits, bounds, meter, tracing } = this.#parts
    const call = this.open(request)
    meter.watch(call, answer)
    if (this.#inFlight >= bounds.inFlightMax) {
      meter.refused('overloaded')
      const problem = new Problem('overloaded', 'As many requests are being served as may be; nothing was done.')
      answerProblem(answer, problem, call.requestId, [...call.base, ...limits.headersOf(call.address)])
      return
    }
    this.#inFlight += 1
    let counted = true
    const release = () => {
      if (counted) this.#inFlight -= 1
      counted = false
    }
    if (tracing.isOn) this.#trace(request, answer, call)
    this.#serve(request, answer, call, isPlain, release)
      .catch((error: unknown) => this.#refuse(request, answer, call, error))
      .finally(release)
  }

  /** The span of a request, until the head of its answer leaves; what is behind goes on from it. */
  #trace(request: EdgeRequest, answer: EdgeAnswer, call: EdgeCall): void {
    const span = this.#parts.tracing.start(request.method, {
      kind: 'server',
      parent: headerOf(request, 'traceparent'),
      attributes: { 'http.request.method': request.method, 'maru.request_id': call.requestId },
    })
    if (!span) return
    call.span = span
    const measure = answer.onHead
    answer.onHead = (status) => {
      measure?.(status)
      const { route } = call
      if (route) span.set('http.route', `/api/${route.service}${route.route}`)
      span.set('http.response.status_code', status)
      span.end(status >= 500 ? String(status) : undefined)
    }
  }

  /** Answers a request with a problem, at once. */
  refuse(request: EdgeRequest, answer: EdgeAnswer, problem: Problem): void {
    const call = this.open(request)
    this.#parts.meter.watch(call, answer)
    this.#refuse(request, answer, call, problem)
  }

  open(request: Pick<EdgeRequest, 'names' | 'values' | 'remoteAddress'>): EdgeCall {
    const requestId = requestIdFrom(headerOf(request, 'x-request-id'))
    const { trustedProxies, cors } = this.#parts
    return {
      requestId,
      address: clientAddress(request.remoteAddress, headerOf(request, 'x-forwarded-for'), trustedProxies),
      base: ['x-request-id', requestId, ...securityHeaders, ...cors.headers(headerOf(request, 'origin'))],
      limited: false,
    }
  }

  /** Headers with which a request goes on to a service. Throws Problem `invalid_request`. */
  headersFor(request: Pick<EdgeRequest, 'names' | 'values'>, call: EdgeCall): string[] {
    const headers = requestHeaders(request, call)
    headers.push(...traceContext(request))
    return headers
  }

  /** For an upgrade: counts it, and finds out who asks for it where it is signed. The Authorization that goes on in its place, if so. */
  async admitSocket(request: EdgeRequest, call: EdgeCall): Promise<string | undefined> {
    const { limits, callers } = this.#parts
    limits.countAddress(call)
    const { identity, signed } = await callers.identifySocket(request, call)
    limits.count(call, identity)
    return signed?.socketAuthorization
  }

  /** Where a request goes: a path of a service, or undefined for the gateway itself. Throws for what is not for outside. */
  destination(target: Target): ServiceTarget | undefined {
    if (target.path === '/.well-known/jwks.json') return { service: 'user', path: target.path }
    const found = serviceTarget(target.path, this.#parts.services)
    if (found && isInternal(found.path)) throw new Problem('not_found')
    return found
  }

  allowsSocket(headers: IncomingHttpHeaders): boolean {
    return this.#parts.cors.allowsSocket(headers)
  }

  /** Takes the place of a stream or socket, to be given back once; throws Problem `overloaded` where none is left. */
  takeStream(): () => void {
    this.#expectPlaceForStream()
    this.#streams += 1
    let taken = true
    return () => {
      if (taken) this.#streams -= 1
      taken = false
    }
  }

  #expectPlaceForStream(): void {
    if (this.#streams >= this.#parts.bounds.streamsMax) throw new Problem('overloaded', 'As many streams and sockets are open as may be.')
  }

  async #serve(request: EdgeRequest, answer: EdgeAnswer, call: EdgeCall, isPlain: boolean, release: () => void): Promise<void> {
    const { access, callers, limits, cors, local, forwarder, bounds } = this.#parts
    const { method } = request
    limits.countAddress(call)
    const target = parseTarget(request.target)
    const headers = this.headersFor(request, call)
    if (call.span) continueTrace(headers, call.span)
    const origin = headerOf(request, 'origin')
    if (method === 'OPTIONS' && origin !== undefined && headerOf(request, 'access-control-request-method') !== undefined) {
      limits.count(call, undefined)
      if (!cors.isAllowed(origin)) throw new Problem('origin_not_allowed')
      answer.whole(204, [...call.base, ...cors.preflightHeaders()], '')
      return
    }
    const destination = this.destination(target)
    if (destination === undefined) {
      limits.count(call, undefined)
      call.route = ownRoute
      if (local.serve(method, target.path, answer, call)) return
      call.route = undefined
      throw new Problem('not_found', `Nothing is at ${target.path.slice(0, 200)}.`)
    }
    const endpoint = access.find(destination.service, method, destination.path)
    call.route = access.nameOf(destination.service, endpoint)
    if (method === 'TRACE') throw new Problem('method_not_allowed')
    let coming: Buffer | null | Promise<Buffer> | undefined
    const bodyOf = (): Buffer | null | Promise<Buffer> => (coming === undefined ? (coming = request.body(bounds.bodyMaxBytes)) : coming)
    const identified = callers.identify(request, endpoint, call, bodyOf)
    const { identity, signed } = identified instanceof Promise ? await identified : identified
    limits.count(call, identity)
    // What is an account's own is for no cache between here and its owner; a signature, unlike a token, does not tell one so.
    if (identity !== undefined) call.base.push('cache-control', 'no-store')
    if (signed) headers.push('authorization', signed.authorization)
    const body = bodyOf() instanceof Promise ? await bodyOf() : (coming as Buffer | null)
    const isStream = acceptsStream(headerOf(request, 'accept'))
    if (isStream) this.#expectPlaceForStream()
    await forwarder.forward({
      service: destination.service,
      user: identity?.userId,
      clientDeadlineMs: clientDeadline(headerOf(request, 'x-request-timeout-ms'), bounds.answerMaxMs),
      method,
      path: `${destination.path}${target.query}`,
      headers,
      body,
      answer,
      isPlain,
      baseHeaders: call.base,
      isStream,
      requestId: call.requestId,
      onStreaming: () => {
        // A stream stays for hours: it is counted apart from requests.
        if (!isStream) return
        release()
        answer.onClose(this.takeStream())
      },
    })
  }

  #refuse(request: EdgeRequest, answer: EdgeAnswer, call: EdgeCall, error: unknown): void {
    const { limits, logger } = this.#parts
    if (!(error instanceof Problem)) logger.error({ err: error, request_id: call.requestId }, 'request failed')
    const problem = error instanceof Problem ? error : new Problem('internal')
    this.#parts.meter.refused(problem.code)
    const headers = [...call.base]
    if (!call.limited) headers.push(...limits.headersOf(call.address))
    if (problem.code === 'payload_too_large' && !request.isComplete) headers.push('connection', 'close')
    answerProblem(answer, problem, call.requestId, headers)
  }
}

/** What a service is told of the trace: that the gateway's span is its parent. */
function continueTrace(headers: string[], { traceparent }: TraceSpan): void {
  const at = headers.findIndex((name, index) => index % 2 === 0 && name === 'traceparent')
  if (at < 0) headers.push('traceparent', traceparent)
  else headers[at + 1] = traceparent
}
