import type { OrderSocketRequest } from '@maru/contracts/order-socket'
import { failSpan, type Traceparent, type TraceSpan, type Tracing } from '@maru/service-host'

/** What of the account's stream and of the connection itself is asked makes no span: it enters nothing. */
type Entry = Extract<OrderSocketRequest, { traceparent?: string }>

/**
 * A span for each request of a socket that enters something. A connection lasts for hours, so its requests are no part of its trace: each is one of its own, which its `traceparent` begins where it has one
 * and the sampler decides about where not, linked to the upgrade.
 */
export class SocketTraces {
  readonly #tracing: Tracing

  constructor(tracing: Tracing) {
    this.#tracing = tracing
  }

  /** Does what a request asks, within its span where it has one. `upgrade`: where the trace of the upgrade stands. */
  within<T>(request: OrderSocketRequest, requestId: string, upgrade: Traceparent | undefined, work: () => T): T | Promise<Awaited<T>> {
    if (!this.#tracing.isOn || !isEntry(request)) return work()
    const span = this.#tracing.start(`${request.op} /ws`, {
      kind: 'server',
      parent: request.traceparent,
      link: upgrade,
      attributes: { 'http.route': '/ws', 'maru.op': request.op, 'maru.request_id': requestId },
    })
    return span ? this.#spanned(span, work) : work()
  }

  async #spanned<T>(span: TraceSpan, work: () => T): Promise<Awaited<T>> {
    try {
      const result = await this.#tracing.within(span, work)
      span.end()
      return result
    } catch (error) {
      failSpan(span, error)
      throw error
    }
  }
}

const others: ReadonlySet<OrderSocketRequest['op']> = new Set(['subscribe', 'unsubscribe', 'set', 'authenticate'])

function isEntry(request: OrderSocketRequest): request is Entry {
  return !others.has(request.op)
}
