import type { IncomingHttpHeaders } from 'node:http'
import { parse as parseQuery } from 'node:querystring'
import type { Endpoint } from '@maru/contracts'
import type { Identity, TokenVerifier } from '../authentication.ts'
import type { BodyParsers } from '../body-parsers.ts'
import {
  acceptsStream,
  admit,
  checkTarget,
  identify,
  isThenable,
  notServed,
  requestIdFrom,
  type CallReply,
  type CallRequest,
  type Handler,
} from '../calls.ts'
import { deadlineHeader, expectInTime } from '../deadline.ts'
import type { RouteMetrics } from '../metrics.ts'
import { PathMatcher } from '../path-matcher.ts'
import { Problem } from '../problem.ts'
import { compileValidator, paramMaxCharacters, querySchemaOf, shapeProblem, type Validator } from '../validation.ts'
import { headerOf, type PlainClient, type PlainRequest } from './connection.ts'

/** An endpoint with what answers it. */
export interface ServedEndpoint {
  endpoint: Endpoint
  handler: Handler<Endpoint>
  /** Undefined where the answer is not JSON. */
  serialize: ((reply: unknown) => string) | undefined
  metrics: RouteMetrics
}

const jsonLine = 'content-type: application/json; charset=utf-8\r\n'

interface Route extends ServedEndpoint {
  checkParams: Validator | undefined
  checkQuery: Validator
  checkBody: Validator | undefined
}

export interface PlainRoutesOptions {
  verifier: TokenVerifier
  parsers: BodyParsers
  /** A fault as the problem that the client sees; what is a fault of ours is logged there. */
  toProblem(error: unknown, request: { id: string; method: string; route: string }): Problem
  /** Methods of every path that is served, here or by Fastify alone. */
  methodsByPath: PathMatcher<string>
  isSocket(path: string): boolean
  /** Where requests are counted that no endpoint served. */
  unserved(method: string): RouteMetrics
  /** Counts a refusal by its code. */
  refused(code: string): void
  /** Counted up while a request is answered. */
  work: { inFlight: number }
}

/** Serves the endpoints of a service to plain requests, to the same answers as Fastify gives to all others. */
export class PlainRoutes {
  readonly #options: PlainRoutesOptions
  readonly #exact = new Map<string, Map<string, Route>>()
  readonly #patterns = new Map<string, PathMatcher<Route>>()

  constructor(options: PlainRoutesOptions) {
    this.#options = options
  }

  add(served: ServedEndpoint): void {
    const { endpoint } = served
    const { method, path, params, body } = endpoint
    if (!served.serialize) return
    const route: Route = {
      ...served,
      checkParams: params && compileValidator({ schema: params, httpPart: 'params' }),
      checkQuery: compileValidator({ schema: querySchemaOf(endpoint), httpPart: 'querystring' }),
      checkBody: body && compileValidator({ schema: body, httpPart: 'body' }),
    }
    const exact = this.#exact.get(method) ?? new Map<string, Route>()
    const patterns = this.#patterns.get(method) ?? new PathMatcher<Route>()
    if (!path.includes(':')) exact.set(path, route)
    patterns.add(path, route)
    this.#exact.set(method, exact)
    this.#patterns.set(method, patterns)
  }

  /** As `ConnectionHost.take`. */
  take(request: PlainRequest, client: PlainClient): boolean {
    const { method, target } = request
    const mark = target.indexOf('?')
    const path = mark < 0 ? target : target.slice(0, mark)
    const exact = this.#exact.get(method)?.get(path)
    const found = exact ? { value: exact, params: {} } : this.#patterns.get(method)?.match(path)
    const call = new PlainCall(request, client)
    if (!found) return this.#refuseUnserved(call, path)
    const { value: route, params } = found
    // What goes on for long, and bodies where none is expected, are Fastify's to see to.
    if (acceptsStream(headerOf(request, 'accept')) || (request.contentLength > 0 && !route.checkBody)) return false
    for (const name in params) if (params[name]!.length > paramMaxCharacters) return false
    const query = mark < 0 ? {} : { ...parseQuery(target.slice(mark + 1)) }
    this.#options.work.inFlight += 1
    try {
      checkTarget(target)
      const authorization = headerOf(request, 'authorization')
      const known = authorization === undefined ? undefined : this.#options.verifier.verifyKnown(authorization)
      if (known || (authorization === undefined && route.endpoint.access === 'public')) this.#run(call, route, params, query, known)
      else {
        identify(authorization, route.endpoint, this.#options.verifier)
          .then((identity) => this.#run(call, route, params, query, identity))
          .catch((error: unknown) => this.#refuse(call, route, error))
      }
    } catch (error) {
      this.#refuse(call, route, error)
    }
    return true
  }

  #run(call: PlainCall, route: Route, params: unknown, query: unknown, identity: Identity | undefined): void {
    const { endpoint, handler, checkParams, checkQuery, checkBody } = route
    const { request } = call
    const deadlineMs = expectInTime(headerOf(request, deadlineHeader))
    admit(endpoint, identity, headerOf(request, 'content-type'), headerOf(request, 'content-encoding'))
    const body = checkBody ? this.#bodyOf(request, endpoint) : undefined
    check(checkParams, params, 'params')
    check(checkBody, body, 'body')
    check(checkQuery, query, 'query')
    const answer: unknown = handler({ params, query, body, identity, requestId: call.id, deadlineMs, request: call, reply: call } as never)
    if (isThenable(answer)) {
      const refuse = (error: unknown): void => this.#refuse(call, route, error)
      answer.then((value) => {
        try {
          this.#finish(call, route, value)
        } catch (error) {
          refuse(error)
        }
      }, refuse)
    } else this.#finish(call, route, answer)
  }

  #bodyOf(request: PlainRequest, endpoint: Endpoint): unknown {
    // Without a word of what it is, as much as there is none.
    if (headerOf(request, 'content-type') === undefined) {
      if (request.contentLength > 0) throw new Problem('unsupported_media_type')
      return undefined
    }
    const text = request.body.toString('utf8')
    return endpoint.bodyType === 'form' ? this.#options.parsers.form(text) : this.#options.parsers.json(text)
  }

  #finish(call: PlainCall, route: Route, answer: unknown): void {
    call.answer(route.endpoint.status, jsonLine, answer === undefined ? '' : route.serialize!(answer))
    route.metrics.observe(route.endpoint.status, performance.now() - call.request.receivedMs)
    this.#options.work.inFlight -= 1
  }

  #refuse(call: PlainCall, { endpoint, metrics }: Route, error: unknown): void {
    const problem = this.#options.toProblem(error, { id: call.id, method: endpoint.method, route: endpoint.path })
    call.refuse(problem)
    this.#options.refused(problem.code)
    metrics.observe(problem.status, performance.now() - call.request.receivedMs)
    this.#options.work.inFlight -= 1
  }

  /** What is at no endpoint may still be a page that Fastify serves alone. */
  #refuseUnserved(call: PlainCall, path: string): boolean {
    const { methodsByPath, isSocket, unserved, refused } = this.#options
    const { method } = call.request
    // An escape that is none is not told from a path that is not there.
    if (path.includes('%')) return false
    if (methodsByPath.matchAll(path).some(({ value }) => value === method)) return false
    const { problem, allow } = notServed(method, path, methodsByPath, isSocket)
    if (allow !== undefined) call.header('allow', allow)
    call.refuse(problem)
    refused(problem.code)
    unserved(method).observe(problem.status, performance.now() - call.request.receivedMs)
    return true
  }
}

/** A request on the plain path, as handlers see it, and the headers they give to its answer. */
class PlainCall implements CallRequest, CallReply {
  readonly id: string
  readonly request: PlainRequest
  readonly #client: PlainClient
  #headers: IncomingHttpHeaders | undefined
  #more = ''

  constructor(request: PlainRequest, client: PlainClient) {
    this.request = request
    this.#client = client
    this.id = requestIdFrom(headerOf(request, 'x-request-id'))
  }

  get ip(): string {
    return this.request.remoteAddress
  }

  get headers(): IncomingHttpHeaders {
    if (this.#headers) return this.#headers
    const headers: Record<string, string> = Object.create(null) as Record<string, string>
    for (const [at, name] of this.request.names.entries()) headers[name] = this.request.values[at]!
    return (this.#headers = headers)
  }

  header(name: string, value: string): void {
    if (/[^\t\x20-\x7e]/.test(value)) throw new TypeError(`The header ${name} would hold a character that no header may hold.`)
    this.#more += `${name}: ${value}\r\n`
  }

  answer(status: number, lines: string, body: string): void {
    const id = this.#client.knowsRequestId ? '' : `x-request-id: ${this.id}\r\n`
    this.#client.answer(status, `${lines}${id}${this.#more}`, body)
  }

  refuse(problem: Problem): void {
    for (const [name, value] of Object.entries(problem.headers())) this.header(name, value)
    this.answer(problem.status, '', JSON.stringify(problem.body(this.id)))
  }
}

function check(validate: Validator | undefined, value: unknown, part: string): void {
  if (validate && !validate(value)) throw shapeProblem(validate.errors ?? [], part)
}
