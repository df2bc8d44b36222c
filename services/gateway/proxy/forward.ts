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

/** A request on its way. */
interface Forwarding {
  readonly request: ForwardRequest
  readonly done: (error?: unknown) => void
  attempt: number
  /** Who has just failed. */
  failed: Upstream | undefined
  findByMs: number
  deadlineMs: number
  /** Whether it holds a place of its service. */
  isIn: boolean
  isOver: boolean
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
   * Answers from an instance of the service, and calls `done` once, with the Problem that stands in the way where there is one: `overloaded` where there is no
   * room for it, `unavailable`, `bad_gateway`, `gateway_timeout`, or `deadline_exceeded` where the client's own deadline passed before anything was sent.
   * A request of which nothing was sent is tried with other instances. One that was sent is sent again, once, where its method is safe, no time limit
   * passed and the budget of repeats allows it; never otherwise, because it may have been done.
   */
  forward(request: ForwardRequest, done: (error?: unknown) => void): void {
    const { service } = request
    try {
      this.#admission.enter(request)
    } catch (error) {
      done(error)
      return
    }
    const forwarding: Forwarding = { request, done, attempt: 1, failed: undefined, findByMs: 0, deadlineMs: 0, isIn: true, isOver: false }
    try {
      this.#start(forwarding, this.#budgetOf(service))
    } catch (error) {
      this.#end(forwarding, error)
    }
  }

  #start(forwarding: Forwarding, budget: RetryBudget): void {
    const { request } = forwarding
    const { clientDeadlineMs, isStream } = request
    budget.earn()
    const sinceMs = performance.now()
    forwarding.findByMs = sinceMs + this.#bounds.waitMs
    forwarding.deadlineMs = clientDeadlineMs ?? sinceMs + this.#bounds.upstreamTimeoutMs
    request.headers += `${deadlineHeader}: ${Math.round(Date.now() + forwarding.deadlineMs - sinceMs)}\r\n`
    if (isStream) {
      const { onStreaming } = request
      request.onStreaming = (end) => {
        this.#leave(forwarding)
        onStreaming(end)
      }
    }
    this.#try(forwarding)
  }

  #try(forwarding: Forwarding): void {
    const { request, failed, findByMs, deadlineMs } = forwarding
    const upstream = this.#find(request, failed, Math.min(findByMs, deadlineMs))
    if (upstream instanceof Promise) {
      upstream.then(
        (found) => this.#sendTo(found, forwarding),
        (error: unknown) => this.#end(forwarding, error),
      )
    } else this.#sendTo(upstream, forwarding)
  }

  #sendTo(upstream: Upstream, forwarding: Forwarding): void {
    try {
      relay(upstream, forwarding.request, (outcome) => this.#settle(upstream, forwarding, outcome))
    } catch (error) {
      this.#end(forwarding, error)
    }
  }

  #settle(upstream: Upstream, forwarding: Forwarding, outcome: RelayOutcome): void {
    upstream.unreachable = outcome.kind === 'failed' && !outcome.sent && !outcome.timedOut
    if (outcome.kind !== 'failed') {
      this.#end(forwarding)
      return
    }
    const { request, attempt, deadlineMs } = forwarding
    const { service, clientDeadlineMs } = request
    if (!outcome.timedOut) this.#instances.brokeOff(upstream)
    this.#log(request, upstream, outcome)
    const { sent, timedOut } = outcome
    const isLate = performance.now() >= deadlineMs
    const mayRepeat = sent
      ? attempt === 1 && safeMethods.has(request.method) && !timedOut && this.#budgetOf(service).spend()
      : attempt < unsentTriesMax && !(timedOut && isLate)
    this.#meter.failed(service, timedOut ? 'timeout' : sent ? 'broken' : 'unsent', mayRepeat)
    if (mayRepeat) {
      forwarding.failed = upstream
      forwarding.attempt += 1
      // Not in the call of what has just failed, which is still being taken down.
      queueMicrotask(() => this.#again(forwarding))
    } else if (!sent && isLate && clientDeadlineMs !== undefined) this.#end(forwarding, new Problem('deadline_exceeded'))
    else if (timedOut) this.#end(forwarding, new Problem('gateway_timeout'))
    else if (!sent) this.#end(forwarding, new Problem('unavailable', `No instance of ${service} could be reached; nothing was done.`))
    else this.#end(forwarding, new Problem('bad_gateway'))
  }

  #again(forwarding: Forwarding): void {
    try {
      this.#try(forwarding)
    } catch (error) {
      this.#end(forwarding, error)
    }
  }

  #end(forwarding: Forwarding, error?: unknown): void {
    if (forwarding.isOver) return
    forwarding.isOver = true
    this.#leave(forwarding)
    forwarding.done(error)
  }

  #leave(forwarding: Forwarding): void {
    if (forwarding.isIn) this.#admission.leave(forwarding.request.service)
    forwarding.isIn = false
  }

  /** An instance for a request: at once, or when there is one again. */
  #find(request: ForwardRequest, failed: Upstream | undefined, findByMs: number): Upstream | Promise<Upstream> {
    const upstream = this.#instances.pick(request, failed)
    if (upstream === 'full') throw this.#admission.refusal(request)
    return upstream ?? this.#await(request, failed, findByMs)
  }

  async #await(request: ForwardRequest, failed: Upstream | undefined, findByMs: number): Promise<Upstream> {
    const { service, answer, clientDeadlineMs } = request
    for (;;) {
      const remainingMs = findByMs - performance.now()
      const worthIt = remainingMs > 0 && this.#waiting < this.#bounds.waitingMax && this.#instances.mayReturn(service) && !answer.isOver
      if (!worthIt) {
        if (clientDeadlineMs !== undefined && clientDeadlineMs <= performance.now()) throw new Problem('deadline_exceeded')
        throw new Problem('unavailable', `No instance of ${service} takes requests now; nothing was done.`)
      }
      this.#waiting += 1
      await this.#instances.changed(remainingMs)
      this.#waiting -= 1
      const upstream = this.#instances.pick(request, failed)
      if (upstream === 'full') throw this.#admission.refusal(request)
      if (upstream) return upstream
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
