import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { OrderSocketAnswer, OrderSocketPush, OrderSocketRequest } from '@maru/contracts/order-socket'
import { expectScope, Problem, type Identity, type Logger, type TokenVerifier, type Traceparent } from '@maru/service-host'
import { followAccount } from '../account-stream/follow.ts'
import type { StreamPlaces } from '../account-stream/server-sent-events.ts'
import type { History } from '../history/history.ts'
import type { SocketTraces } from '../monitoring/socket-traces.ts'
import type { OrderEntry, Placed } from '../order-management/order-entry.ts'
import type { Orders } from '../order-management/orders.ts'
import type { Replica } from '../replica/replica.ts'
import { OwnOrders } from './own-orders.ts'
import { Outbox } from './outbox.ts'
import { badMessage, parseMessage, type Parsed } from './requests.ts'

/** Requests of one connection that are not answered yet; at the bound no more are read until half of them are. */
const inFlightMax = 512
/** Private codes of the socket protocol: 4000 and the status HTTP would have. */
const closeUnauthenticated = 4401

/** What an API key needs no right to trade for. */
const opsOfReaders: ReadonlySet<OrderSocketRequest['op']> = new Set(['subscribe', 'unsubscribe', 'authenticate'])

export interface ConnectionParts {
  replica: Replica
  orders: Orders
  entry: OrderEntry
  history: History
  places: StreamPlaces
  verifier: TokenVerifier
  traces: SocketTraces
  logger: Logger
  shutdown: AbortSignal
  /** Told when a client is cut off. */
  onDropped(reason: 'slow' | 'silent'): void
}

interface Opened {
  socket: WebSocket
  transport: Duplex
  identity: Identity
  account: number
  requestId: string
  /** Where the trace of the upgrade stands. */
  traceparent: Traceparent | undefined
}

/** One client on the trading socket. Its requests take their places in the log in the order it sent them. */
export class Connection {
  readonly #parts: ConnectionParts
  readonly #opened: Opened
  readonly #outbox: Outbox
  readonly #own: OwnOrders
  readonly #closed = new AbortController()
  /** The caller by the newest token. */
  #identity: Identity
  /** Requests without an answer: the id of each by its place. */
  readonly #unanswered = new Map<number, string | number | null>()
  #requests = 0
  #isPaused = false
  #isLeaving = false
  #onAllAnswered: () => void = () => undefined
  #cancelOnDisconnect = false
  #expiry: NodeJS.Timeout | undefined
  #subscription: AbortController | undefined

  constructor(parts: ConnectionParts, opened: Opened) {
    this.#parts = parts
    this.#opened = opened
    this.#identity = opened.identity
    this.#outbox = new Outbox(opened.socket, opened.transport, () => parts.onDropped('slow'))
    this.#own = new OwnOrders(parts.replica.exchange)
    this.#expireAt(opened.identity.expiresAtMs)
    opened.socket.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary))
    opened.socket.once('close', () => this.#onClose())
    // What is pushed ends with a revocation too, not only what is asked for.
    const forget = parts.verifier.onRevocations(() => this.#closeIfRevoked())
    this.#closed.signal.addEventListener('abort', forget, { once: true })
  }

  #closeIfRevoked(): boolean {
    if (!this.#parts.verifier.isRevoked(this.#identity)) return false
    this.#opened.socket.close(closeUnauthenticated, 'unauthenticated')
    return true
  }

  /**
   * Takes no more requests, and resolves when all that were taken have their answers on the way, which is `withinMs` later at most: then those whose outcome is not known are told so. So when the socket
   * is closed after this, what has no answer was not done.
   */
  async finish(withinMs: number): Promise<void> {
    this.#isLeaving = true
    if (this.#unanswered.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs)
        this.#onAllAnswered = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    for (const [place, id] of this.#unanswered) this.#answerProblem(id, new Problem('outcome_pending'), place)
    this.#outbox.flush()
    // The end of the connection is to be heard.
    this.#opened.socket.resume()
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    // What nobody would be answered is not done: a socket that is being closed is heard until its peer has closed it too.
    if (this.#isLeaving || this.#opened.socket.readyState !== this.#opened.socket.OPEN) return
    if (this.#closeIfRevoked()) return
    let requests: Parsed[]
    try {
      if (isBinary) throw badMessage('Send text, not binary.')
      requests = parseMessage(data.toString('utf8'))
    } catch (error) {
      this.#answerProblem(null, error, this.#take(null))
      return
    }
    for (const parsed of requests) void this.#serve(parsed)
    this.#regulate()
  }

  async #serve({ id, request }: Parsed): Promise<void> {
    const place = this.#take(id)
    try {
      if (request instanceof Problem) throw request
      if (!opsOfReaders.has(request.op)) expectScope(this.#identity, 'trade')
      const { requestId, traceparent: upgrade } = this.#opened
      const { status, result } = await this.#parts.traces.within(request, requestId, upgrade, () => this.#handle(request))
      this.#answer({ id: request.id, status, result }, place)
    } catch (error) {
      this.#answerProblem(id, error, place)
    }
    if (this.#isPaused) this.#regulate()
    if (this.#isLeaving && this.#unanswered.size === 0) this.#onAllAnswered()
  }

  /** Gives the place of a request among those of this connection. */
  #take(id: string | number | null): number {
    this.#requests += 1
    this.#unanswered.set(this.#requests, id)
    return this.#requests
  }

  #handle(request: OrderSocketRequest): Promise<{ status: number; result: unknown }> | { status: number; result: unknown } {
    switch (request.op) {
      case 'place':
        return this.#place(request)
      case 'cancel':
        return this.#cancel(request)
      case 'amend':
        return this.#parts.entry.amend(this.#opened.account, request.order_id, request.changes).then((result) => ({ status: 200, result }))
      case 'replace':
        return this.#track(request.order, this.#parts.entry.replace(this.#opened.account, request.order_id, request.order))
      case 'place_list':
        return this.#placeList(request)
      case 'cancel_all':
        return this.#parts.entry.cancelAll(this.#opened.account, request.symbol).then((items) => ({ status: 200, result: { items } }))
      case 'subscribe':
        return this.#subscribe(request.after ?? 0)
      case 'unsubscribe':
        this.#subscription?.abort()
        return { status: 200, result: {} }
      case 'set':
        this.#cancelOnDisconnect = request.cancel_on_disconnect
        return { status: 200, result: { cancel_on_disconnect: request.cancel_on_disconnect } }
      case 'authenticate':
        return this.#authenticate(request.token)
      default:
        return request satisfies never
    }
  }

  async #place({ order }: Extract<OrderSocketRequest, { op: 'place' }>): Promise<{ status: number; result: unknown }> {
    return this.#track(order, this.#parts.entry.place(this.#opened.account, order))
  }

  /** Answers with an order that is being placed, and remembers it as one of this connection. */
  async #track(order: { client_order_id?: string }, placing: Promise<Placed>): Promise<{ status: number; result: unknown }> {
    const placed = await this.#own.placing(order.client_order_id, placing)
    this.#cancelIfClosed()
    return { status: 201, result: placed.order }
  }

  async #placeList({ list }: Extract<OrderSocketRequest, { op: 'place_list' }>): Promise<{ status: number; result: unknown }> {
    const placed = await this.#parts.entry.placeList(this.#opened.account, list)
    for (const { id } of placed.list.orders) this.#own.add(id)
    this.#cancelIfClosed()
    return { status: 201, result: placed.list }
  }

  /** The connection may have ended while an order was on its way, and with it the order. */
  #cancelIfClosed(): void {
    if (this.#closed.signal.aborted && this.#cancelOnDisconnect) this.#cancelOpen()
  }

  async #cancel(request: Extract<OrderSocketRequest, { op: 'cancel' }>): Promise<{ status: number; result: unknown }> {
    const { order_id: orderId, client_order_id: clientOrderId } = request
    if ((orderId === undefined) === (clientOrderId === undefined))
      throw new Problem('invalid_request', 'Give order_id or client_order_id.', {
        errors: [{ path: 'order_id', message: 'give this or client_order_id' }],
      })
    const { account, identity } = this.#opened
    let id = orderId
    if (clientOrderId !== undefined) {
      await this.#own.placed(clientOrderId)
      id = (await this.#parts.orders.byClientOrderId(identity.userId, account, clientOrderId))?.id
    }
    if (id === undefined) throw new Problem('order_not_found')
    return { status: 200, result: await this.#parts.entry.cancel(account, id) }
  }

  #subscribe(after: number): { status: number; result: unknown } {
    this.#subscription?.abort()
    const subscription = new AbortController()
    const release = this.#parts.places.take()
    this.#subscription = subscription
    void this.#push(after, AbortSignal.any([subscription.signal, this.#closed.signal, this.#parts.shutdown])).finally(release)
    return { status: 200, result: { after } }
  }

  async #push(after: number, signal: AbortSignal): Promise<void> {
    const { replica, history, logger } = this.#parts
    const { account, identity } = this.#opened
    try {
      for await (const events of followAccount({ replica, history, userId: identity.userId, account, signal }, after)) {
        if (signal.aborted) return
        for (const event of events) this.#pushEvent({ event })
        if (this.#outbox.isFull) await this.#outbox.room()
      }
    } catch (error) {
      logger.warn({ err: error }, 'an account stream on a socket broke off')
      this.#opened.socket.close(1011, 'the stream broke off')
    }
  }

  async #authenticate(token: string): Promise<{ status: number; result: unknown }> {
    const identity = await this.#parts.verifier.verify(`Bearer ${token}`)
    if (identity.userId !== this.#opened.identity.userId) throw new Problem('forbidden', 'The token is of another user.')
    this.#identity = identity
    this.#expireAt(identity.expiresAtMs)
    return { status: 200, result: { expires_at: new Date(identity.expiresAtMs).toISOString() } }
  }

  #expireAt(ms: number): void {
    clearTimeout(this.#expiry)
    this.#expiry = setTimeout(() => this.#opened.socket.close(closeUnauthenticated, 'token_expired'), Math.max(0, ms - Date.now()))
  }

  #onClose(): void {
    this.#closed.abort()
    this.#onAllAnswered()
    clearTimeout(this.#expiry)
    if (this.#cancelOnDisconnect) this.#cancelOpen()
  }

  #cancelOpen(): void {
    for (const id of this.#own.open()) {
      // It may have been filled meanwhile; that is its outcome.
      this.#parts.entry.cancel(this.#opened.account, id).catch((error: unknown) => {
        if (!(error instanceof Problem) || error.status >= 500)
          this.#parts.logger.warn({ err: error, order: id }, 'an order could not be cancelled as its connection ended')
      })
    }
  }

  /** Stops reading where too much is unanswered or unsent, and reads on when it is not. */
  #regulate(): void {
    if (this.#isLeaving) return
    if (!this.#isPaused && (this.#unanswered.size >= inFlightMax || this.#outbox.isFull)) {
      this.#isPaused = true
      this.#opened.socket.pause()
    }
    if (!this.#isPaused || this.#unanswered.size > inFlightMax / 2) return
    if (this.#outbox.isFull) {
      void this.#outbox.room().then(() => this.#regulate())
      return
    }
    this.#isPaused = false
    this.#opened.socket.resume()
  }

  #pushEvent(push: OrderSocketPush): void {
    if (!this.#closed.signal.aborted) this.#outbox.send(push)
  }

  /** `place`: of requests decided together, by one record of the log, the answers come in the order they were sent. */
  #answer(answer: OrderSocketAnswer, place: number): void {
    const isDue = this.#unanswered.delete(place)
    if (isDue && !this.#closed.signal.aborted) this.#outbox.send(answer, place)
  }

  #answerProblem(id: string | number | null, error: unknown, place: number): void {
    const { requestId } = this.#opened
    if (!(error instanceof Problem)) this.#parts.logger.error({ err: error, request_id: requestId }, 'a request on a socket failed')
    const problem = error instanceof Problem ? error : new Problem('internal')
    this.#answer({ id, status: problem.status, error: problem.body(requestId) }, place)
  }
}
