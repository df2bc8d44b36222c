import { Problem, type Logger } from '@maru/service-host'
import type { EdgeMeter } from '../monitoring/edge-meter.ts'
import type { Instances, Upstream } from '../routing/instances.ts'
import { relay, type RelayOutcome, type RelayRequest } from './relay.ts'

export interface ForwardBounds {
  /** How long a request waits for an instance of a service that was alive a moment ago. */
  waitMs: number
  /** Requests that wait at once; beyond it they are refused right away. */
  waitingMax: number
}

export interface ForwardRequest extends RelayRequest {
  service: string
  requestId: string
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Sends requests to instances, and decides what happens when one fails. */
export class Forwarder {
  readonly #instances: Instances
  readonly #logger: Logger
  readonly #bounds: ForwardBounds
  readonly #meter: EdgeMeter
  #waiting = 0

  constructor(instances: Instances, logger: Logger, bounds: ForwardBounds, meter: EdgeMeter) {
    this.#meter = meter
    this.#instances = instances
    this.#logger = logger
    this.#bounds = bounds
  }

  /**
   * Answers from an instance of the service. A request is sent again, once, to another instance where nothing of it was sent, or
   * where its method is safe and no time limit passed; never otherwise, because it may have been done. Throws Problem
   * `unavailable`, `bad_gateway` or `gateway_timeout` where there is no answer.
   */
  async forward(request: ForwardRequest): Promise<void> {
    const deadlineMs = performance.now() + this.#bounds.waitMs
    let failed: Upstream | undefined
    for (let attempt = 1; ; attempt += 1) {
      const upstream = await this.#find(request, failed, deadlineMs)
      const outcome = await relay(upstream, request)
      upstream.unreachable = outcome.kind === 'failed' && !outcome.sent
      if (outcome.kind !== 'failed') return
      if (!outcome.timedOut) this.#instances.brokeOff(upstream)
      this.#log(request, upstream, outcome)
      const mayRepeat = !outcome.sent || (safeMethods.has(request.method) && !outcome.timedOut)
      const isRepeated = attempt === 1 && mayRepeat
      this.#meter.failed(request.service, outcome.timedOut ? 'timeout' : outcome.sent ? 'broken' : 'unsent', isRepeated)
      if (isRepeated) {
        failed = upstream
        continue
      }
      if (outcome.timedOut) throw new Problem('gateway_timeout')
      if (!outcome.sent) throw new Problem('unavailable', `No instance of ${request.service} could be reached; nothing was done.`)
      throw new Problem('bad_gateway')
    }
  }

  async #find(request: ForwardRequest, failed: Upstream | undefined, deadlineMs: number): Promise<Upstream> {
    const { service, answer } = request
    for (;;) {
      const upstream = this.#instances.pick(service, failed)
      if (upstream) return upstream
      const remainingMs = deadlineMs - performance.now()
      const worthIt = remainingMs > 0 && this.#waiting < this.#bounds.waitingMax && this.#instances.mayReturn(service) && !answer.isOver
      if (!worthIt) throw new Problem('unavailable', `No instance of ${service} takes requests now; nothing was done.`)
      this.#waiting += 1
      await this.#instances.changed(remainingMs)
      this.#waiting -= 1
    }
  }

  #log(request: ForwardRequest, upstream: Upstream, outcome: RelayOutcome & { kind: 'failed' }): void {
    this.#logger.warn(
      {
        err: outcome.error,
        request_id: request.requestId,
        service: request.service,
        upstream: upstream.instance.id,
        method: request.method,
        sent: outcome.sent,
        circuit: upstream.circuit.state,
      },
      'an instance did not answer',
    )
  }
}
