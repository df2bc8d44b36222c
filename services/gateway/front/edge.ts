import type { IncomingHttpHeaders } from 'node:http'
import type { BlockList } from 'node:net'
import { Problem, requestIdFrom, spreadOver, type Logger, type TraceSpan, type Tracing } from '@maru/service-host'
import { answerProblem, securityHeaders } from '../answers.ts'
import type { AccessRules } from '../edge/access.ts'
import type { Caller, Callers } from '../edge/callers.ts'
import { clientAddress } from '../edge/client-address.ts'
import type { Cors } from '../edge/cors.ts'
import type { Limits } from '../edge/limits.ts'
import { isInternal, serviceTarget, type ServiceTarget, type Target } from '../edge/target.ts'
import { traceContext } from '../edge/trace-context.ts'
import type { LocalRoutes } from '../local-routes.ts'
import type { Forwarder } from '../proxy/forward.ts'
import { clientDeadline } from '../proxy/deadline.ts'
import { requestHeaders } from '../proxy/headers.ts'
import type { EdgeMeter, RouteName } from '../monitoring/edge-meter.ts'
import { compressing } from './compression.ts'
import { headerOf, type EdgeAnswer, type EdgeRequest } from './exchange.ts'
import type { HeaderText } from './header-text.ts'
import { planOf, type Plan } from './plan.ts'

export interface EdgeBounds {
  bodyMaxBytes: number
  /** Requests being served at once; beyond it `overloaded`. */
  inFlightMax: number
  /** Open event streams and WebSockets; beyond it `overloaded`. */
  streamsMax: number
  /** For a service to begin its answer. */
  answerMaxMs: number
  /** Shorter answers are not compressed; 0: none is. */
  compressMinBytes: number
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
  /** Headers for its answer. */
  base: HeaderText
  /** Whether it was counted, and `base` has its RateLimit headers. */
  limited: boolean
  /** What its route is counted as; undefined until that is known. */
  route?: RouteName | undefined
  /** Set where its trace is kept. */
  span?: TraceSpan | undefined
}

/** A request being served. `release` gives its place back; `done` too, after a refusal where there is an error. */
interface Exchange {
  request: EdgeRequest
  answer: EdgeAnswer
  call: EdgeCall
  isPlain: boolean
  release: () => void
  done: (error?: unknown) => void
}

const ownRoute: RouteName = { service: 'gateway', method: 'GET', route: '(own pages)' }

/** What every request passes through, whichever parser read it: bounds, access, rate limits, and the way to a service. */
export class Edge {
  readonly #parts: EdgeParts
  readonly #plans = new WeakMap<object, Plan>()
  /** What ends each event stream under way. */
  readonly #streamEnds = new Set<() => void>()
  #isLeaving = false
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
      answerProblem(answer, problem, call.requestId, call.base + limits.headersOf(call.address))
      return
    }
    this.#inFlight += 1
    let counted = true
    const release = () => {
      if (counted) this.#inFlight -= 1
      counted = false
    }
    if (tracing.isOn) this.#trace(request, answer, call)
    const done = (error?: unknown): void => {
      if (error !== undefined) this.#refuse(request, answer, call, error)
      release()
    }
    try {
      this.#serve({ request, answer, call, isPlain, release, done })
    } catch (error) {
      done(error)
    }
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

  /** Begins the span of an upgrade; what it gives ends it, with the status of the answer, or without one where the client has left. */
  traceSocket(request: EdgeRequest, call: EdgeCall): ((status: number | undefined) => void) | undefined {
    call.span = this.#parts.tracing.start(request.method, {
      kind: 'server',
      parent: headerOf(request, 'traceparent'),
      attributes: { 'http.request.method': request.method, 'maru.request_id': call.requestId, 'network.protocol.name': 'websocket' },
    })
    const { span } = call
    if (!span) return undefined
    return (status) => {
      if (status !== undefined) span.set('http.response.status_code', status)
      span.end(status !== undefined && status >= 500 ? String(status) : undefined)
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
      base: `x-request-id: ${requestId}\r\n${securityHeaders}${cors.headers(headerOf(request, 'origin'))}`,
      limited: false,
    }
  }

  /** Headers with which an upgrade goes on to a service. Throws Problem `invalid_request`. */
  headersFor(request: Pick<EdgeRequest, 'names' | 'values'>, call: EdgeCall): HeaderText {
    return requestHeaders(request, call.address) + this.#ownHeaders(request, call)
  }

  /** What the platform says of one request alone. */
  #ownHeaders(request: Pick<EdgeRequest, 'names' | 'values'>, { requestId, span }: EdgeCall): HeaderText {
    return `x-request-id: ${requestId}\r\n${traceContext(request, span?.traceparent)}`
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

  /** Ends event streams as their services would, a few at a time, those that begin from now on too: their readers connect again. */
  async endStreams(spreadMs: number): Promise<void> {
    this.#isLeaving = true
    await spreadOver([...this.#streamEnds], spreadMs, (end) => end())
  }

  #keepStream(answer: EdgeAnswer, end: () => void): void {
    this.#streamEnds.add(end)
    answer.onClose(() => this.#streamEnds.delete(end))
    if (this.#isLeaving) end()
  }

  #expectPlaceForStream(): void {
    if (this.#streams >= this.#parts.bounds.streamsMax) throw new Problem('overloaded', 'As many streams and sockets are open as may be.')
  }

  #serve(exchange: Exchange): void {
    const { access, callers, limits, cors, local, bounds } = this.#parts
    const { request, answer, call } = exchange
    const { method } = request
    limits.countAddress(call)
    const plan = this.#planOf(request, call)
    const { destination, endpoint, origin } = plan
    if (plan.isPreflight) {
      limits.count(call, undefined)
      if (!cors.isAllowed(origin!)) throw new Problem('origin_not_allowed')
      answer.whole(204, call.base + cors.preflightHeaders(), '')
      exchange.done()
      return
    }
    if (destination === undefined) {
      limits.count(call, undefined)
      call.route = ownRoute
      const { path } = plan.target
      if (!local.serve(method, path, compressing(answer, plan.coding, bounds.compressMinBytes), call)) {
        call.route = undefined
        throw new Problem('not_found', `Nothing is at ${path.slice(0, 200)}.`)
      }
      exchange.done()
      return
    }
    call.route = access.nameOf(destination.service, endpoint)
    if (method === 'TRACE') throw new Problem('method_not_allowed')
    let coming: Buffer | null | Promise<Buffer> | undefined
    const bodyOf = (): Buffer | null | Promise<Buffer> => (coming === undefined ? (coming = request.body(bounds.bodyMaxBytes)) : coming)
    const caller = callers.identify(request, endpoint, call, bodyOf)
    if (caller instanceof Promise) this.#serveLater(exchange, plan, caller, bodyOf).catch(exchange.done)
    else {
      this.#admit(exchange, caller)
      const body = bodyOf()
      if (body instanceof Promise) body.then((whole) => this.#forward(exchange, plan, caller, whole)).catch(exchange.done)
      else this.#forward(exchange, plan, caller, body)
    }
  }

  async #serveLater(
    exchange: Exchange,
    plan: Plan,
    identifying: Promise<Caller>,
    bodyOf: () => Buffer | null | Promise<Buffer>,
  ): Promise<void> {
    const caller = await identifying
    this.#admit(exchange, caller)
    this.#forward(exchange, plan, caller, await bodyOf())
  }

  #admit({ call }: Exchange, { identity }: Caller): void {
    this.#parts.limits.count(call, identity)
    // What is an account's own is for no cache between here and its owner; a signature, unlike a token, does not tell one so.
    if (identity !== undefined) call.base += 'cache-control: no-store\r\n'
  }

  #forward({ request, answer, call, isPlain, release, done }: Exchange, plan: Plan, caller: Caller, body: Buffer | null): void {
    const { forwarder, bounds } = this.#parts
    const { identity, signed } = caller
    const { isStream } = plan
    if (isStream) this.#expectPlaceForStream()
    const headers = this.#ownHeaders(request, call)
    forwarder.forward(
      {
        service: plan.destination!.service,
        user: identity?.userId,
        clientDeadlineMs: clientDeadline(plan.timeout, bounds.answerMaxMs),
        method: request.method,
        path: plan.path,
        fixedHeaders: plan.lines,
        sameHead: request.sameHead && plan,
        headers: signed ? `${headers}authorization: ${signed.authorization}\r\n` : headers,
        body,
        answer: compressing(answer, plan.coding, bounds.compressMinBytes),
        isPlain,
        baseHeaders: call.base,
        isPrivate: identity !== undefined,
        isStream,
        requestId: call.requestId,
        onStreaming: (end) => {
          // A stream stays for hours: it is counted apart from requests.
          if (!isStream) return
          release()
          answer.onClose(this.takeStream())
          if (end) this.#keepStream(answer, end)
        },
      },
      done,
    )
  }

  /** Throws Problem for what must not go on. */
  #planOf(request: EdgeRequest, { address }: EdgeCall): Plan {
    const { sameHead } = request
    const known = sameHead && this.#plans.get(sameHead)
    if (known) return known
    const plan = planOf(request, address, this.#parts.access, (target) => this.destination(target))
    if (sameHead) this.#plans.set(sameHead, plan)
    return plan
  }

  #refuse(request: EdgeRequest, answer: EdgeAnswer, call: EdgeCall, error: unknown): void {
    const { limits, logger } = this.#parts
    if (!(error instanceof Problem)) logger.error({ err: error, request_id: call.requestId }, 'request failed')
    const problem = error instanceof Problem ? error : new Problem('internal')
    this.#parts.meter.refused(problem.code)
    let headers = call.base
    if (!call.limited) headers += limits.headersOf(call.address)
    if (problem.code === 'payload_too_large' && !request.isComplete) headers += 'connection: close\r\n'
    answerProblem(answer, problem, call.requestId, headers)
  }
}
