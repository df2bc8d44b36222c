import { deadlineHeader, Problem, type Logger } from '@maru/service-host'
import type { EdgeMeter } from '../monitoring/edge-meter.ts'
import type { Admission } from '../routing/admission.ts'
import type { Instances, Upstream } from '../routing/instances.ts'
import type { Demand } from '../routing/priority.ts'
import { RetryBudget } from '../routing/retry-budget.ts'
import { relay, type RelayOutcome, type RelayRequest } from './relay.ts'

export interface ForwardBounds {
  /** How long a request waits for an instance of a service that was alive a moment ago. */
  waitMs: number
  /** Requests that wait at once; beyond it they are refused right away. */
  waitingMax: number
  /** For a service to answer: what it has not begun by then it need not begin. */
  upstreamTimeoutMs: number
}

export interface ForwardRequest extends RelayRequest, Demand {
  body: Buffer | null
  method: string
  path: string
  service: string
  requestId: string
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Repeats of what was sent may be a tenth of all requests, and as many more as one instance may have had under way when it was killed. */
const retryBudget = { share: 0.1, savedMax: 512 }
/** How often a request is tried that never reached an instance. */
const unsentTriesMax = 3

/** Sends requests to instances, and decides what happens when one fails. */
export class Forwarder {
  readonly #instances: Instances
  readonly #admission: Admission
  readonly #logger: Logger
  readonly #bounds: ForwardBounds
  readonly #budgets = new Map<string, RetryBudget>()
  readonly #meter: EdgeMeter
  #waiting = 0

  constructor(instances: Instances, admission: Admission, logger: Logger, bounds: ForwardBounds, meter: EdgeMeter) {
    this.#meter = meter
    this.#instances = instances
    this.#admission = admission
    this.#logger = logger
    this.#bounds = bounds
  }

  /** For whoever watches: what of the repeats of a service is spent. */
  budgets(): ReadonlyMap<string, RetryBudget> {
    return this.#budgets
  }

  /**
   * Answers from an instance of the service. A request of which nothing was sent is tried with other instances. One that was sent is sent
   * again, once, where its method is safe, no time limit passed and the budget of repeats allows it; never otherwise, because it may have been done.
   * Throws Problem `overloaded` where there is no room for it, `unavailable`, `bad_gateway`, `gateway_timeout`, or `deadline_exceeded` where the client's
   * own deadline passed before anything was sent.
   */
  async forward(request: ForwardRequest): Promise<void> {
    const { service } = request
    this.#admission.enter(request)
    let isIn = true
    const leave = (): void => {
      if (isIn) this.#admission.leave(service)
      isIn = false
    }
    try {
      await this.#send(request, leave)
    } finally {
      leave()
    }
  }

  async #send(request: ForwardRequest, leave: () => void): Promise<void> {
    const { service, clientDeadlineMs, isStream } = request
    const budget = this.#budgetOf(service)
    budget.earn()
    const sinceMs = performance.now()
    const findByMs = sinceMs + this.#bounds.waitMs
    const deadlineMs = clientDeadlineMs ?? sinceMs + this.#bounds.upstreamTimeoutMs
    request.headers.push(deadlineHeader, String(Math.round(Date.now() + deadlineMs - sinceMs)))
    if (isStream) {
      const { onStreaming } = request
      request.onStreaming = () => {
        leave()
        onStreaming()
      }
    }
    let failed: Upstream | undefined
    for (let attempt = 1; ; attempt += 1) {
      const upstream = await this.#find(request, failed, Math.min(findByMs, deadlineMs))
      const outcome = await relay(upstream, request)
      upstream.unreachable = outcome.kind === 'failed' && !outcome.sent && !outcome.timedOut
      if (outcome.kind !== 'failed') return
      if (!outcome.timedOut) this.#instances.brokeOff(upstream)
      this.#log(request, upstream, outcome)
      const { sent, timedOut } = outcome
      const isLate = performance.now() >= deadlineMs
      const mayRepeat = sent
        ? attempt === 1 && safeMethods.has(request.method) && !timedOut && budget.spend()
        : attempt < unsentTriesMax && !(timedOut && isLate)
      this.#meter.failed(service, timedOut ? 'timeout' : sent ? 'broken' : 'unsent', mayRepeat)
      if (mayRepeat) {
        failed = upstream
        continue
      }
      if (!sent && isLate && clientDeadlineMs !== undefined) throw new Problem('deadline_exceeded')
      if (timedOut) throw new Problem('gateway_timeout')
      if (!sent) throw new Problem('unavailable', `No instance of ${service} could be reached; nothing was done.`)
      throw new Problem('bad_gateway')
    }
  }

  async #find(request: ForwardRequest, failed: Upstream | undefined, findByMs: number): Promise<Upstream> {
    const { service, answer, clientDeadlineMs } = request
    for (;;) {
      const upstream = this.#instances.pick(request, failed)
      if (upstream === 'full') throw this.#admission.refusal(request)
      if (upstream) return upstream
      const remainingMs = findByMs - performance.now()
      const worthIt = remainingMs > 0 && this.#waiting < this.#bounds.waitingMax && this.#instances.mayReturn(service) && !answer.isOver
      if (!worthIt) {
        if (clientDeadlineMs !== undefined && clientDeadlineMs <= performance.now()) throw new Problem('deadline_exceeded')
        throw new Problem('unavailable', `No instance of ${service} takes requests now; nothing was done.`)
      }
      this.#waiting += 1
      await this.#instances.changed(remainingMs)
      this.#waiting -= 1
    }
  }

  #budgetOf(service: string): RetryBudget {
    const known = this.#budgets.get(service)
    if (known) return known
    const made = new RetryBudget(retryBudget)
    this.#budgets.set(service, made)
    return made
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
