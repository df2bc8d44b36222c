import { Ajv } from 'ajv'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { randomUUID } from 'node:crypto'
import type { BodyOf, Endpoint, ErrorCode, ParamsOf, QueryOf, ReplyOf } from '@maru/contracts'
import type { Identity, TokenVerifier } from './authentication.ts'
import type { Logger } from './logger.ts'
import { Problem } from './problem.ts'

export interface Call<E extends Endpoint> {
  params: ParamsOf<E>
  query: QueryOf<E>
  body: BodyOf<E>
  /** Undefined only on public endpoints called without a token. */
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
}

/** The HTTP side of a service. Every answer that is not a success is problem+json with a code of the catalogue. */
export function createHttpService(options: { logger: Logger; verifier: TokenVerifier; bodyLimitBytes?: number }): HttpService {
  const app: FastifyInstance = Fastify({
    loggerInstance: options.logger as FastifyBaseLogger,
    disableRequestLogging: true,
    bodyLimit: options.bodyLimitBytes ?? 64 * 1_024,
    genReqId: (request) => {
      const given = request.headers['x-request-id']
      return typeof given === 'string' && /^[A-Za-z0-9_.:-]{1,64}$/.test(given) ? given : randomUUID()
    },
    requestTimeout: 30_000,
    keepAliveTimeout: 65_000,
    routerOptions: { maxParamLength: 256, ignoreTrailingSlash: true },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: true, allErrors: true, strict: false } },
  })
  // Text from a path or query has no types; bodies keep theirs.
  app.setValidatorCompiler(validatorCompiler())
  app.setErrorHandler((error, request, reply) => answerProblem(toProblem(error, request, options.logger), request, reply))
  app.setNotFoundHandler((request, reply) => answerProblem(new Problem('not_found', `Nothing is at ${request.method} ${request.url.split('?')[0]}.`), request, reply))
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(body as string)))
  })

  return {
    app,
    serve(endpoint, handler) {
      app.route({
        method: endpoint.method,
        url: endpoint.path,
        schema: {
          ...(endpoint.params ? { params: endpoint.params } : {}),
          querystring: endpoint.query ?? { type: 'object', additionalProperties: false, properties: {} },
          ...(endpoint.body ? { body: endpoint.body } : {}),
          ...(endpoint.replyType ? {} : { response: { [endpoint.status]: endpoint.reply } }),
        },
        preValidation: async (request) => {
          const { authorization } = request.headers
          if (endpoint.access === 'public' && authorization === undefined) return
          const identity = await options.verifier.verify(authorization)
          if (endpoint.access === 'operator' && !identity.isOperator) throw new Problem('forbidden')
          ;(request as { identity?: Identity }).identity = identity
        },
        handler: async (request, reply) => {
          if (endpoint.body && endpoint.bodyType === 'form' && !request.headers['content-type']?.startsWith('application/x-www-form-urlencoded'))
            throw new Problem('unsupported_media_type', 'Send application/x-www-form-urlencoded.')
          if (endpoint.body && endpoint.bodyType !== 'form' && request.headers['content-type']?.startsWith('application/x-www-form-urlencoded'))
            throw new Problem('unsupported_media_type', 'Send application/json.')
          reply.code(endpoint.status)
          reply.header('x-request-id', request.id)
          return handler({
            params: request.params,
            query: request.query,
            body: request.body,
            identity: (request as { identity?: Identity }).identity,
            requestId: request.id,
            request,
            reply,
          } as never)
        },
      })
    },
  }
}

function validatorCompiler() {
  return ({ schema, httpPart }: { schema: unknown; httpPart?: string }) => {
    const ajv = httpPart === 'body' ? ajvs.strict : ajvs.coercing
    return ajv.compile(schema as object)
  }
}

const ajvOptions = { removeAdditional: false, useDefaults: true, allErrors: false, strict: false } as const
const ajvs = {
  strict: new Ajv({ ...ajvOptions, coerceTypes: false }),
  coercing: new Ajv({ ...ajvOptions, coerceTypes: true }),
}

function answerProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): void {
  reply.code(problem.status).headers({ ...problem.headers(), 'x-request-id': request.id }).send(JSON.stringify(problem.body(request.id)))
}

const fastifyCodes: Record<string, ErrorCode> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
  FST_ERR_BAD_URL: 'not_found',
}

function toProblem(error: unknown, request: FastifyRequest, logger: Logger): Problem {
  if (error instanceof Problem) return error
  const fault = error as { code?: string; statusCode?: number; validation?: { instancePath: string; message?: string; params?: Record<string, unknown> }[]; validationContext?: string; message?: string }
  if (fault.validation) {
    const errors = fault.validation.map((entry) => {
      const extra = entry.params?.['additionalProperty'] ?? entry.params?.['missingProperty']
      const at = entry.instancePath.replaceAll('/', '.').replace(/^\./, '')
      return { path: [at, extra].filter((part) => part !== undefined && part !== '').join('.') || (fault.validationContext ?? ''), message: entry.message ?? 'is invalid' }
    })
    const first = errors[0]
    return new Problem('invalid_request', first ? `${first.path}: ${first.message}` : undefined, { errors })
  }
  const code = fault.code === undefined ? undefined : fastifyCodes[fault.code]
  if (code) return new Problem(code)
  if (error instanceof SyntaxError && fault.statusCode === 400) return new Problem('invalid_json')
  if (fault.statusCode !== undefined && fault.statusCode >= 400 && fault.statusCode < 500) return new Problem('invalid_request', fault.message)
  logger.error({ err: error, request_id: request.id, method: request.method, route: request.routeOptions.url }, 'request failed')
  return new Problem('internal')
}
