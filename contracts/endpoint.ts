import type { Static, TObject, TSchema } from 'typebox'
import type { ErrorCode } from './errors.ts'

/** Who may call: anyone, whoever holds a valid access token, or a user with the operator role. */
export type Access = 'public' | 'user' | 'operator'

/** What an API key may be allowed: to look, to place and cancel orders, to move money out. */
export const keyScopes = ['read', 'trade', 'withdraw'] as const
export type KeyScope = (typeof keyScopes)[number]

export type ServiceName = 'trading' | 'user' | 'market-data' | 'notification' | 'analytics'

/**
 * One HTTP endpoint of a service: from it come the route, its validation, the types of its handler, and its OpenAPI page.
 * `path` is within the service (`/orders/:id`); at the gateway it stands under `/api/<service>`.
 */
export interface Endpoint<
  Params extends TObject | undefined = TObject | undefined,
  Query extends TObject | undefined = TObject | undefined,
  Body extends TSchema | undefined = TSchema | undefined,
  Reply extends TSchema = TSchema,
> {
  readonly service: ServiceName
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly access: Access
  /** The scope that an API key needs here. Unset: no key may call this, unless everyone may. */
  readonly keyScope?: KeyScope
  /** A password or another secret is tried here, so that an address may do it seldom only. */
  readonly isAttempt?: boolean
  readonly summary: string
  readonly description?: string
  readonly params?: Params
  readonly query?: Query
  readonly body?: Body
  /** `form` is application/x-www-form-urlencoded. JSON where unset. */
  readonly bodyType?: 'json' | 'form'
  /** Status of the success answer. */
  readonly status: number
  readonly reply: Reply
  /** Content type of the success answer where it is not JSON (`text/event-stream`). */
  readonly replyType?: string
  /** Codes this endpoint can answer with besides those every endpoint can. */
  readonly errors?: readonly ErrorCode[]
}

type StaticOr<T, Otherwise> = T extends TSchema ? Static<T> : Otherwise

export type ParamsOf<E> = E extends Endpoint<infer P, infer _Q, infer _B, infer _R> ? StaticOr<P, Record<string, never>> : never
export type QueryOf<E> = E extends Endpoint<infer _P, infer Q, infer _B, infer _R> ? StaticOr<Q, Record<string, never>> : never
export type BodyOf<E> = E extends Endpoint<infer _P, infer _Q, infer B, infer _R> ? StaticOr<B, undefined> : never
export type ReplyOf<E> = E extends Endpoint<infer _P, infer _Q, infer _B, infer R> ? Static<R> : never

/** Declares an endpoint, keeping the exact types of its schemas. */
export function endpoint<
  Reply extends TSchema,
  Params extends TObject | undefined = undefined,
  Query extends TObject | undefined = undefined,
  Body extends TSchema | undefined = undefined,
>(declaration: Endpoint<Params, Query, Body, Reply>): Endpoint<Params, Query, Body, Reply> {
  return declaration
}
