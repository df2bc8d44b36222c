import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { ErrorObject } from 'ajv'
import { parse as parseQuery } from 'node:querystring'
import type { Endpoint, ErrorCode } from '@maru/contracts'
import { isTransientDatabaseError } from '@maru/event-log'
import type { Identity, TokenVerifier } from './authentication.ts'
import { useBodyParsers } from './body-parsers.ts'
import { acceptsStream, admit, checkTarget, identify, isThenable, notServed, requestIdFrom, requestIdOf, type Handler } from './calls.ts'
import { answerClientError, rawProblem } from './client-error.ts'
import { deadlineHeader, deadlineOf, expectInTime } from './deadline.ts'
import type { Logger } from './logger.ts'
import {
  createHttpMetrics,
  isLoopback,
  type HttpMetrics,
  type MetricsRegistry,
  type RouteMetrics,
  type SocketDropReason,
} from './metrics.ts'
import type { WorkUnderWay } from './discovery/load-meter.ts'
import { PathMatcher } from './path-matcher.ts'
import { PlainRoutes, type ServedEndpoint } from './plain-http/routes.ts'
import { PlainServer } from './plain-http/server.ts'
import { Problem } from './problem.ts'
import { compileReply } from './replies.ts'
import { RequestLogger } from './request-logger.ts'
import { spreadOver } from './spread.ts'
import { trunkCapability } from './trunk/frames.ts'
import { TrunkServer } from './trunk/server.ts'
import { SocketRoutes, type SocketHandler, type SocketOptions } from './sockets.ts'
import { traceHandler } from './tracing/trace-handler.ts'
import type { Tracing } from './tracing/tracing.ts'
import { compileValidator, paramMaxCharacters, querySchemaOf, shapeProblem } from './validation.ts'

export interface HttpService {
  readonly app: FastifyInstance
  /** Where the service shows what it measures; read at `/metrics`, by peers on this machine alone. */
  readonly metrics: MetricsRegistry
  /** Counts a socket that was cut off, by a reason of the service's own. */
  socketDropped(reason: SocketDropReason): void
  /** Serves a contract: validation, access and error answers come from it. */
  serve<E extends Endpoint>(endpoint: E, handler: Handler<E>): void
  /**
   * Serves a WebSocket at `path` (`/ws/prices/:symbol`). The token comes by the Authorization header, `?token=` or
   * `?access_token=`, or the subprotocols `bearer, <token>`. Liveness pings and slow readers are the handler's to see to.
   */
  socket(path: string, options: SocketOptions, onConnection: SocketHandler): void
  /** Requests being answered now, and open sockets and event streams. */
  work(): WorkUnderWay
  /** What a client may ask of this server beside requests and answers. */
  capabilities(): readonly string[]
  /**
   * For an answer that goes on for as long as its client likes: `end` is called when the service stops, for one such answer after the other, so that their clients do not all come back at once. To be
   * taken back, by what this gives, when the answer is over.
   */
  onLeaving(end: () => void): () => void
  /** Stops taking requests, ends streams, closes sockets with 1012, and finishes requests in flight within `deadlineMs`; then cuts off what is left. */
  stop(deadlineMs: number): Promise<void>
}

export interface HttpServiceOptions {
  logger: Logger
  verifier: TokenVerifier
  /** 64 KB where unset; beyond it `payload_too_large`. */
  bodyLimitBytes?: number
  /** A reply that does not fit its contract fails the request, for tests; else it is logged. */
  strictReplies?: boolean
  /** How long a client may take for the head of its request, 10 s where unset, and for the whole of it, 30 s. */
  headersTimeoutMs?: number
  requestTimeoutMs?: number
  /** 10,000 where unset. */
  socketsMax?: number
  /** `plain` where unset: requests in the plain form are read on the short path. `node`: Node's parser and Fastify see to all. */
  parser?: 'plain' | 'node' | undefined
  tracing?: Tracing
  /** Longest message a WebSocket client may send; 64 KB where unset. */
  messageMaxBytes?: number
}

/** What a request carries from hook to hook. */
interface Carried {
  identity?: Identity | undefined
  routeMetrics?: RouteMetrics | undefined
}

const headerMaxBytes = 16 * 1_024

/** The HTTP side of a service. Every answer that is not a success is problem+json with a code of the catalogue. */
export function createHttpService(options: HttpServiceOptions): HttpService {
  const bodyMaxBytes = options.bodyLimitBytes ?? 64 * 1_024
  const metrics = createHttpMetrics()
  const refuse = (problem: Problem, request: FastifyRequest, reply: FastifyReply): void => {
    metrics.refused(problem.code)
    answerProblem(problem, request, reply)
  }
  const app: FastifyInstance = Fastify({
    loggerInstance: options.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIdOf,
    childLoggerFactory: (logger, bindings, childOptions) => new RequestLogger(logger, bindings, childOptions),
    requestTimeout: options.requestTimeoutMs ?? 30_000,
    keepAliveTimeout: 65_000,
    // Requests that reach a stopping service are still served; it has said that it is leaving.
    return503OnClosing: false,
    http: { headersTimeout: options.headersTimeoutMs ?? 10_000, maxHeaderSize: headerMaxBytes, connectionsCheckingInterval: 1_000 },
    // Replaced below, and not used; where they are not named here, Fastify loads its own and with them a hundred modules.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    routerOptions: { maxParamLength: paramMaxCharacters, ignoreTrailingSlash: true, querystringParser: (text) => parseQuery(text) },
    clientErrorHandler: (error, socket) => answerClientError(error, socket),
    frameworkErrors: (error, request, reply) => refuse(toProblem(error, aboutOf(request), options.logger), request, reply),
  })
  app.decorateRequest('identity', undefined)
  app.decorateRequest('routeMetrics', undefined)
  app.setValidatorCompiler(compileValidator)
  app.setSerializerCompiler(() => JSON.stringify)
  app.setErrorHandler((error, request, reply) => refuse(toProblem(error, aboutOf(request), options.logger), request, reply))
  const parsers = useBodyParsers(app, bodyMaxBytes)

  const sockets = new SocketRoutes({
    verifier: options.verifier,
    logger: options.logger,
    bounds: { socketsMax: options.socketsMax ?? 10_000, messageMaxBytes: options.messageMaxBytes ?? 64 * 1_024 },
    requestIdOf,
  })

  const work: WorkUnderWay = { inFlight: 0, streams: 0 }
  app.addHook('onRequest', (request, reply, done) => {
    // Who asks how busy we are is no work.
    if (request.url.startsWith('/health/')) return done()
    const kind = acceptsStream(request.headers.accept) ? 'streams' : 'inFlight'
    work[kind] += 1
    // Comes for an answer that was sent and for one that was broken off.
    reply.raw.once('close', () => (work[kind] -= 1))
    done()
  })

  const streams = new Set<() => void>()
  let isLeaving = false
  const methodsByPath = new PathMatcher<string>()
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) methodsByPath.add(route.url, method)
  })
  const isSocket = (path: string): boolean => sockets.matches(path)
  app.setNotFoundHandler((request, reply) => {
    const { problem, allow } = notServed(request.method, request.url.split('?', 1)[0]!, methodsByPath, isSocket)
    if (allow !== undefined) reply.header('allow', allow)
    refuse(problem, request, reply)
  })

  metrics.watchSockets(() => sockets.count)
  app.addHook('onResponse', (request, reply, done) => {
    const route = (request as Carried).routeMetrics ?? metrics.route(request.method, request.routeOptions.url ?? '(none)')
    route.observe(reply.statusCode, reply.elapsedTime)
    done()
  })
  app.get('/metrics', async (request, reply) => {
    if (!isLoopback(request.socket.remoteAddress)) throw new Problem('not_found')
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })

  const keepAliveTimeoutMs = app.server.keepAliveTimeout
  const routes = new PlainRoutes({
    verifier: options.verifier,
    parsers,
    methodsByPath,
    isSocket,
    toProblem: (error, about) => toProblem(error, about, options.logger),
    unserved: (method) => metrics.route(method, '(none)'),
    refused: (code) => metrics.refused(code),
    work,
  })
  const plain =
    options.parser === 'node'
      ? undefined
      : new PlainServer(app.server, {
          bodyMaxBytes,
          headersTimeoutMs: app.server.headersTimeout,
          requestTimeoutMs: app.server.requestTimeout,
          keepAliveTimeoutMs,
          idleMs: 120_000,
          take: (request, client) => routes.take(request, client),
          timedOut: () => rawProblem(new Problem('request_timeout'), requestIdFrom(undefined)),
        })
  const trunks = new TrunkServer({ bodyMaxBytes, take: (request, client) => routes.take(request, client) })
  app.server.on('upgrade', (request, socket, head) => {
    if (!plain || !trunks.upgrade(request, socket, head)) sockets.upgrade(request, socket, head)
  })

  return {
    app,
    metrics: metrics.registry,
    socketDropped: (reason) => metrics.socketDropped(reason),
    serve(endpoint, handler) {
      const { tracing } = options
      const served = tracing?.isOn ? traceHandler(tracing, endpoint, handler as never) : handler
      routes.add(serveEndpoint(app, endpoint, served as never, options, metrics))
    },
    socket: (path, socketOptions, onConnection) => sockets.add(path, socketOptions, onConnection),
    work: () => ({ inFlight: work.inFlight, streams: work.streams + sockets.count }),
    capabilities: () => ['http', ...(plain ? [trunkCapability] : []), ...(sockets.isEmpty ? [] : ['websocket'])],
    onLeaving(end) {
      if (isLeaving) end()
      else streams.add(end)
      return () => void streams.delete(end)
    },
    async stop(deadlineMs) {
      isLeaving = true
      const cutOff = setTimeout(() => app.server.closeAllConnections(), deadlineMs)
      const ended = spreadOver([...streams], deadlineMs * 0.4, (end) => end())
      await Promise.all([app.close(), plain?.close(deadlineMs), trunks.close(deadlineMs), sockets.close(deadlineMs), ended])
      clearTimeout(cutOff)
    },
  }
}

function noCompiler(): never {
  throw new Error('schemas are compiled by those that are set on the server')
}

function serveEndpoint(
  app: FastifyInstance,
  endpoint: Endpoint,
  handler: Handler<Endpoint>,
  options: HttpServiceOptions,
  metrics: HttpMetrics,
): ServedEndpoint {
  const route = `${endpoint.method} ${endpoint.path}`
  const serialize =
    endpoint.replyType === undefined
      ? compileReply(endpoint.reply, { logger: options.logger, strict: options.strictReplies ?? false, route })
      : undefined
  const routeMetrics = metrics.route(endpoint.method, endpoint.path)
  const finish = (reply: FastifyReply, answer: unknown): unknown => {
    if (!serialize || reply.sent || answer === undefined || answer === reply || reply.statusCode !== endpoint.status) return answer
    // Serialised here, so that Fastify does not look for a schema by status.
    void reply.type('application/json; charset=utf-8').send(serialize(answer))
    return reply.sent ? undefined : reply
  }
  app.route({
    method: endpoint.method,
    url: endpoint.path,
    schema: {
      ...(endpoint.params ? { params: endpoint.params } : {}),
      querystring: querySchemaOf(endpoint),
      ...(endpoint.body ? { body: endpoint.body } : {}),
    },
    ...(serialize ? { serializerCompiler: () => serialize } : {}),
    // Before the body is read: who may not call costs no parsing. Hooks with callbacks, as promises cost a turn each.
    onRequest: (request, _reply, done) => {
      // HEAD is served by the route of GET.
      if (request.method === endpoint.method) (request as Carried).routeMetrics = routeMetrics
      checkTarget(request.url)
      expectInTime(request.headers[deadlineHeader])
      const { authorization, 'content-type': type, 'content-encoding': encoding } = request.headers
      const take = (identity: Identity | undefined): void => {
        admit(endpoint, identity, type, encoding)
        ;(request as Carried).identity = identity
      }
      const known = authorization === undefined ? undefined : options.verifier.verifyKnown(authorization)
      if (known || (authorization === undefined && endpoint.access === 'public')) {
        take(known)
        done()
        return
      }
      identify(authorization, endpoint, options.verifier)
        .then(take)
        .then(() => done(), done)
    },
    preValidation: (request, _reply, done) => {
      if (!endpoint.body && !isEmpty(request.body))
        throw new Problem('invalid_request', 'This endpoint takes no body.', { errors: [{ path: 'body', message: 'must be empty' }] })
      done()
    },
    handler: (request, reply) => {
      reply.code(endpoint.status)
      reply.header('x-request-id', request.id)
      if (endpoint.replyType !== undefined) reply.type(endpoint.replyType)
      const answer: unknown = handler({
        params: request.params,
        query: request.query,
        body: request.body,
        identity: (request as Carried).identity,
        requestId: request.id,
        deadlineMs: deadlineOf(request.headers[deadlineHeader]),
        request,
        reply,
        stream: acceptsStream(request.headers.accept) ? { request, reply } : undefined,
      } as never)
      if (isThenable(answer)) return Promise.resolve(answer).then((value) => finish(reply, value))
      const result = finish(reply, answer)
      // For Fastify undefined, not in a promise, says that the answer comes later.
      return result === undefined && !reply.sent ? Promise.resolve() : result
    },
  })
  return { endpoint, handler, serialize, metrics: routeMetrics }
}

function isEmpty(body: unknown): boolean {
  return body === undefined || body === null || (typeof body === 'object' && Object.keys(body).length === 0)
}

function answerProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): void {
  // Whoever sends more than is read to the end is cut off.
  if (problem.code === 'payload_too_large' && !request.raw.complete) reply.header('connection', 'close')
  void reply
    .code(problem.status)
    .headers({ ...problem.headers(), 'x-request-id': request.id })
    .serializer((text: string) => text)
    .send(JSON.stringify(problem.body(request.id)))
}

const fastifyCodes: Record<string, ErrorCode> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
  FST_ERR_BAD_URL: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
}

interface About {
  id: string
  method: string
  route: string | undefined
}

function aboutOf(request: FastifyRequest): About {
  return { id: request.id, method: request.method, route: request.routeOptions?.url }
}

function toProblem(error: unknown, { id, method, route }: About, logger: Logger): Problem {
  if (error instanceof Problem) return error
  const fault = error as { code?: string; statusCode?: number; validation?: ErrorObject[]; validationContext?: string; message?: string }
  if (fault.validation)
    return shapeProblem(fault.validation, fault.validationContext === 'querystring' ? 'query' : (fault.validationContext ?? 'body'))
  const code = fault.code === undefined ? undefined : fastifyCodes[fault.code]
  if (code) return new Problem(code)
  if (fault.statusCode !== undefined && fault.statusCode >= 400 && fault.statusCode < 500)
    return new Problem('invalid_request', fault.message)
  if (isTransientDatabaseError(error)) {
    logger.warn({ err: error, request_id: id, method, route }, 'the database did not answer')
    return new Problem('unavailable', 'The database cannot be reached now.')
  }
  logger.error({ err: error, request_id: id, method, route }, 'request failed')
  return new Problem('internal')
}
