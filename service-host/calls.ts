import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BodyOf, Endpoint, ParamsOf, QueryOf, ReplyOf } from '@maru/contracts'
import { expectRight, type Identity, type TokenVerifier } from './authentication.ts'
import type { PathMatcher } from './path-matcher.ts'
import { Problem } from './problem.ts'
import { newRequestId } from './random-ids.ts'

export interface Call<E extends Endpoint> {
  params: ParamsOf<E>
  query: QueryOf<E>
  body: BodyOf<E>
  /** Undefined only on public endpoints called without a valid token. */
  identity: E['access'] extends 'public' ? Identity | undefined : Identity
  requestId: string
  /** Until when an answer is waited for, in milliseconds since 1970, where that is known: what is not begun by then is best not begun. */
  deadlineMs: number | undefined
  request: CallRequest
  reply: CallReply
  /** Set where the client accepts an event stream: for an answer that goes on. */
  stream?: CallStream | undefined
}

export interface CallRequest {
  readonly headers: IncomingHttpHeaders
  /** Address of the peer. */
  readonly ip: string
}

export interface CallReply {
  header(name: string, value: string): unknown
}

export interface CallStream {
  request: FastifyRequest
  reply: FastifyReply
}

export type Handler<E extends Endpoint> = (call: Call<E>) => Promise<ReplyOf<E>> | ReplyOf<E>

const targetMaxCharacters = 8 * 1_024

/** Throws Problem for a request target that no endpoint is asked with. */
export function checkTarget(target: string): void {
  if (target.length > targetMaxCharacters) throw new Problem('uri_too_long')
  if (!target.includes('%00')) return
  const message = 'NUL characters are not accepted.'
  throw new Problem('invalid_request', message, { errors: [{ path: 'path', message }] })
}

/** A public endpoint takes whoever comes: a token that is not valid is as good as none, so that an expired one never bars a refresh. */
export function identify(authorization: string | undefined, endpoint: Endpoint, verifier: TokenVerifier): Promise<Identity | undefined> {
  const verified = verifier.verify(authorization)
  return endpoint.access === 'public' ? verified.catch(() => undefined) : verified
}

/** Refuses who may not call, and a body of the wrong type. */
export function admit(
  endpoint: Endpoint,
  identity: Identity | undefined,
  contentType: string | undefined,
  contentEncoding: string | undefined,
): void {
  expectRight(endpoint, identity)
  if (contentEncoding !== undefined && contentEncoding !== 'identity')
    throw new Problem('unsupported_media_type', 'Send the body without a content encoding.')
  if (!endpoint.body || contentType === undefined) return
  const wanted = bodyTypeOf(endpoint)
  if (contentType.split(';', 1)[0]?.trim().toLowerCase() !== wanted) throw new Problem('unsupported_media_type', `Send ${wanted}.`)
}

function bodyTypeOf(endpoint: Endpoint): string {
  return endpoint.bodyType === 'form' ? 'application/x-www-form-urlencoded' : 'application/json'
}

/** Whether a client asks for an answer that goes on, Server-Sent Events. */
export function acceptsStream(accept: string | undefined): boolean {
  return accept !== undefined && accept.includes('text/event-stream')
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** A request id given by the client is kept where it is harmless in a log. */
export function requestIdFrom(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[A-Za-z0-9_.:-]{1,64}$/.test(given) ? given : newRequestId()
}

export function requestIdOf(request: { headers: IncomingHttpHeaders }): string {
  return requestIdFrom(request.headers['x-request-id'])
}

/** Why nothing is served at `path` by `method`; `allow`: the methods that are. */
export function notServed(
  method: string,
  path: string,
  methodsByPath: PathMatcher<string>,
  isSocket: (path: string) => boolean,
): { problem: Problem; allow?: string } {
  const methods = [...new Set(methodsByPath.matchAll(path).map(({ value }) => value))].sort()
  const allow = methods.join(', ')
  if (methods.length > 0) return { problem: new Problem('method_not_allowed', `This path takes ${allow}.`), allow }
  if (isSocket(path)) return { problem: new Problem('upgrade_required') }
  return { problem: new Problem('not_found', `Nothing is at ${method} ${path.slice(0, 200)}.`) }
}
