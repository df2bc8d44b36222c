import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { ErrorObject } from 'ajv'
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { BodyOf, Endpoint, ErrorCode, ParamsOf, QueryOf, ReplyOf } from '@maru/contracts'
import type { Identity, TokenVerifier } from './authentication.ts'
import { useBodyParsers } from './body-parsers.ts'
import { answerClientError } from './client-error.ts'
import type { Logger } from './logger.ts'
import { createHttpMetrics, isLoopback, type HttpMetrics, type RouteMetrics } from './metrics.ts'
import { PathMatcher } from './path-matcher.ts'
import { Problem } from './problem.ts'
import { compileReply } from './replies.ts'
import { RequestLogger } from './request-logger.ts'
import { SocketRoutes, type SocketHandler, type SocketOptions } from './sockets.ts'
import { compileValidator, shapeProblem } from './validation.ts'

export interface Call<E extends Endpoint> {
  params: ParamsOf<E>
  query: QueryOf<E>
  body: BodyOf<E>
  /** Undefined only on public endpoints called without a valid token. */
  identity: E['access'] extends 'public' ? Identity | undefined : Identity
  requestId: string
  request: FastifyRequest
  reply: FastifyReply
}

export type Handler<E extends Endpoint> = (call: Call<E>) => Promise<ReplyOf<E>> | ReplyOf<E>

export interface HttpService {
  readonly app: FastifyInstance
  /** Serves a contract: validation, access and error answers come from it. */
  serve<E extends Endpoint>(endpoint: E, handler: Handler<E>): void
  /**
   * Serves a WebSocket at `path` (`/ws/prices/:symbol`). The token comes by the Authorization header, `?token=` or
   * `?access_token=`, or the subprotocols `bearer, <token>`. Liveness pings and slow readers are the handler's to see to.
   */
  socket(path: string, options: SocketOptions, onConnection: SocketHandler): void
  /** Stops taking requests, closes sockets with 1001, and finishes requests in flight within `deadlineMs`; then cuts off what is left. */
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
  /** Longest message a WebSocket client may send; 64 KB where unset. */
  messageMaxBytes?: number
}

/** What a request carries from hook to hook. */
interface Carried {
  identity?: Identity | undefined
  routeMetrics?: RouteMetrics | undefined
}

const headerMaxBytes = 16 * 1_024
const targetMaxCharacters = 8 * 1_024

/** The HTTP side of a service. Every answer that is not a success is problem+json with a code of the catalogue. */
export function createHttpService(options: HttpServiceOptions): HttpService {
  const bodyMaxBytes = options.bodyLimitBytes ?? 64 * 1_024
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
    routerOptions: { maxParamLength: 256, ignoreTrailingSlash: true },
    clientErrorHandler: (error, socket) => answerClientError(error, socket),
    frameworkErrors: (error, request, reply) => answerProblem(toProblem(error, request, options.logger), request, reply),
  })
  app.decorateRequest('identity', undefined)
  app.decorateRequest('routeMetrics', undefined)
  app.setValidatorCompiler(compileValidator)
  app.setErrorHandler((error, request, reply) => answerProblem(toProblem(error, request, options.logger), request, reply))
  useBodyParsers(app, bodyMaxBytes)

  const sockets = new SocketRoutes({
    verifier: options.verifier,
    logger: options.logger,
    bounds: { socketsMax: options.socketsMax ?? 10_000, messageMaxBytes: options.messageMaxBytes ?? 64 * 1_024 },
    requestIdOf,
  })
  sockets.attach(app.server)

  const methodsByPath = new PathMatcher<string>()
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) methodsByPath.add(route.url, method)
  })
  app.setNotFoundHandler((request, reply) => answerProblem(notServed(request, reply, methodsByPath, sockets), request, reply))

  const metrics = createHttpMetrics()
  app.addHook('onResponse', (request, reply, done) => {
    const route = (request as Carried).routeMetrics ?? metrics.route(request.method, request.routeOptions.url ?? '(none)')
    route.observe(reply.statusCode, reply.elapsedTime)
    done()
  })
  app.get('/metrics', async (request, reply) => {
    if (!isLoopback(request.socket.remoteAddress)) throw new Problem('not_found')
    metrics.setSockets(sockets.count)
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })

  return {
    app,
    serve(endpoint, handler) {
      serveEndpoint(app, endpoint, handler as never, options, metrics)
    },
    socket: (path, socketOptions, onConnection) => sockets.add(path, socketOptions, onConnection),
    async stop(deadlineMs) {
      const cutOff = setTimeout(() => app.server.closeAllConnections(), deadlineMs)
      await Promise.all([app.close(), sockets.close(Math.min(1_000, deadlineMs))])
      clearTimeout(cutOff)
    },
  }
}

function serveEndpoint(
  app: FastifyInstance,
  endpoint: Endpoint,
  handler: Handler<Endpoint>,
  options: HttpServiceOptions,
  metrics: HttpMetrics,
): void {
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
      querystring: endpoint.query ?? { type: 'object', additionalProperties: false, properties: {} },
      ...(endpoint.body ? { body: endpoint.body } : {}),
    },
    ...(serialize ? { serializerCompiler: () => serialize } : {}),
    // Before the body is read: who may not call costs no parsing. Hooks with callbacks, as promises cost a turn each.
    onRequest: (request, _reply, done) => {
      // HEAD is served by the route of GET.
      if (request.method === endpoint.method) (request as Carried).routeMetrics = routeMetrics
      const { url } = request
      if (url.length > targetMaxCharacters) throw new Problem('uri_too_long')
      if (url.includes('%00')) {
        const message = 'NUL characters are not accepted.'
        throw new Problem('invalid_request', message, { errors: [{ path: 'path', message }] })
      }
      const { authorization } = request.headers
      const known = authorization === undefined ? undefined : options.verifier.verifyKnown(authorization)
      if (known || (authorization === undefined && endpoint.access === 'public')) {
        admit(request, endpoint, known)
        done()
        return
      }
      identify(authorization, endpoint, options.verifier)
        .then((identity) => admit(request, endpoint, identity))
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
        request,
        reply,
      } as never)
      if (isThenable(answer)) return Promise.resolve(answer).then((value) => finish(reply, value))
      const result = finish(reply, answer)
      // For Fastify undefined, not in a promise, says that the answer comes later.
      return result === undefined && !reply.sent ? Promise.resolve() : result
    },
  })
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** A public endpoint takes whoever comes: a token that is not valid is as good as none, so that an expired one never bars a refresh. */
function identify(authorization: string | undefined, endpoint: Endpoint, verifier: TokenVerifier): Promise<Identity | undefined> {
  const verified = verifier.verify(authorization)
  return endpoint.access === 'public' ? verified.catch(() => undefined) : verified
}

/** Notes who calls, and refuses who may not, and a body of the wrong type. */
function admit(request: FastifyRequest, endpoint: Endpoint, identity: Identity | undefined): void {
  if (endpoint.access === 'operator' && !identity?.isOperator) throw new Problem('forbidden')
  ;(request as Carried).identity = identity
  expectContentType(request, endpoint)
}

function expectContentType(request: FastifyRequest, endpoint: Endpoint): void {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    throw new Problem('unsupported_media_type', 'Send the body without a content encoding.')
  const given = request.headers['content-type']
  if (!endpoint.body || given === undefined) return
  const wanted = endpoint.bodyType === 'form' ? 'application/x-www-form-urlencoded' : 'application/json'
  if (given.split(';', 1)[0]?.trim().toLowerCase() !== wanted) throw new Problem('unsupported_media_type', `Send ${wanted}.`)
}

function isEmpty(body: unknown): boolean {
  return body === undefined || body === null || (typeof body === 'object' && Object.keys(body).length === 0)
}

/** A request id given by the client is kept where it is harmless in a log. */
export function requestIdOf(request: { headers: IncomingMessage['headers'] }): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[A-Za-z0-9_.:-]{1,64}$/.test(given) ? given : randomUUID()
}

function notServed(request: FastifyRequest, reply: FastifyReply, methodsByPath: PathMatcher<string>, sockets: SocketRoutes): Problem {
  const path = request.url.split('?', 1)[0] as string
  const methods = [...new Set(methodsByPath.matchAll(path).map(({ value }) => value))].sort()
  if (methods.length > 0) {
    reply.header('allow', methods.join(', '))
    return new Problem('method_not_allowed', `This path takes ${methods.join(', ')}.`)
  }
  if (sockets.matches(path)) return new Problem('upgrade_required')
  return new Problem('not_found', `Nothing is at ${request.method} ${path.slice(0, 200)}.`)
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

function toProblem(error: unknown, request: FastifyRequest, logger: Logger): Problem {
  if (error instanceof Problem) return error
  const fault = error as { code?: string; statusCode?: number; validation?: ErrorObject[]; validationContext?: string; message?: string }
  if (fault.validation)
    return shapeProblem(fault.validation, fault.validationContext === 'querystring' ? 'query' : (fault.validationContext ?? 'body'))
  const code = fault.code === undefined ? undefined : fastifyCodes[fault.code]
  if (code) return new Problem(code)
  if (fault.statusCode !== undefined && fault.statusCode >= 400 && fault.statusCode < 500)
    return new Problem('invalid_request', fault.message)
  logger.error({ err: error, request_id: request.id, method: request.method, route: request.routeOptions?.url }, 'request failed')
  return new Problem('internal')
}
