import type { Static } from 'typebox'
import { Type } from './type.ts'
import type { ProblemBody } from './errors.ts'
import { amendment, ClientOrderId, orderProperties, placeListProperties } from './http/order-requests.ts'
import { OrderId, type AccountEventItem } from './http/trading-shapes.ts'
import { Strict, SymbolName } from './schemas.ts'

/**
 * The trading socket `/ws`: order entry and the account's stream on one connection. A message is one request, or a list of them. Each is
 * answered by its `id`, as outcomes come; what is decided together, in the order it was sent. Requests of one connection take their places in the log in the order they were sent; a cancel by
 * `client_order_id` does once that order has its place. A connection that is closed with 1012 has answered all that it took: what has no answer was not done.
 */
export const requestsPerMessageMax = 100

const RequestId = Type.Union([Type.String({ minLength: 1, maxLength: 64 }), Type.Integer({ minimum: 0, maximum: 9007199254740991 })], {
  description: 'Yours, to find the answer by: a text of at most 64 characters, or a whole number.',
})
const Trace = Type.String({
  maxLength: 128,
  description:
    'A W3C `traceparent` of yours: the request becomes part of that trace where it is sampled. One that is not valid is ignored.',
})
/** Of requests that enter something. */
const entered = { id: RequestId, traceparent: Type.Optional(Trace) }
/** One's own orders only, so no `user_id`. */
const placed = { symbol: SymbolName, ...orderProperties }
const { user_id: _notHere, ...listed } = placeListProperties

export const orderSocketRequests = {
  /** `order` as `POST /orders` takes it. */
  place: Strict({ ...entered, op: Type.Literal('place'), order: Strict(placed) }),
  /** By one of the two ids. */
  cancel: Strict({
    ...entered,
    op: Type.Literal('cancel'),
    order_id: Type.Optional(OrderId),
    client_order_id: Type.Optional(ClientOrderId),
  }),
  /** As `PATCH /orders/{id}` takes it. */
  amend: Strict({ ...entered, op: Type.Literal('amend'), order_id: OrderId, changes: amendment }),
  /** As `POST /orders/{id}/replace` takes it. */
  replace: Strict({ ...entered, op: Type.Literal('replace'), order_id: OrderId, order: Strict(orderProperties) }),
  /** As `POST /order-lists` takes it. */
  place_list: Strict({ ...entered, op: Type.Literal('place_list'), list: Strict(listed) }),
  cancel_all: Strict({ ...entered, op: Type.Literal('cancel_all'), symbol: Type.Optional(SymbolName) }),
  /** Events after number `after` (0 where it is not given: all), then as they come. */
  subscribe: Strict({
    id: RequestId,
    op: Type.Literal('subscribe'),
    after: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  }),
  unsubscribe: Strict({ id: RequestId, op: Type.Literal('unsubscribe') }),
  /** With it, orders placed on this connection and still open are cancelled when it ends. */
  set: Strict({ id: RequestId, op: Type.Literal('set'), cancel_on_disconnect: Type.Boolean() }),
  /** A new access token of the same user, before the old one expires. */
  authenticate: Strict({ id: RequestId, op: Type.Literal('authenticate'), token: Type.String({ minLength: 1, maxLength: 4_096 }) }),
} as const

export type OrderSocketOp = keyof typeof orderSocketRequests
export type OrderSocketRequest = { [Op in OrderSocketOp]: Static<(typeof orderSocketRequests)[Op]> }[OrderSocketOp]

type RequestIdValue = Static<typeof RequestId>

/** `status` is what HTTP would answer with; `error` is the problem it would carry. */
export type OrderSocketAnswer =
  | { id: RequestIdValue; status: number; result: unknown }
  /** The id is null where the request has none that can be read. */
  | { id: RequestIdValue | null; status: number; error: ProblemBody }

/** What comes without being asked for. */
export type OrderSocketPush = { event: Static<typeof AccountEventItem> }
