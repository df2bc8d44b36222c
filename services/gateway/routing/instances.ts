import { Pool } from 'undici'
import { spreadOver, trunkCapability, type Discovery, type Instance, type Logger } from '@maru/service-host'
import { PlainPool, type PlainDispatch, type PlainHandler } from '../proxy/plain-pool.ts'
import type { SocketLink } from '../proxy/socket-link.ts'
import { Trunk } from '../proxy/trunk/trunk.ts'
import { Balancer } from './balancer.ts'
import { Circuit, type CircuitBounds, type CircuitState } from './circuit.ts'
import { ConcurrencyLimit } from './concurrency-limit.ts'
import { Member, type MemberParts } from './member.ts'
import { judgeOutliers, outlierBounds } from './outliers.ts'
import type { Demand } from './priority.ts'
import { trafficOf } from './traffic.ts'

/** One live instance as the gateway sees it, with the connections to it. */
export class Upstream extends Member {
  readonly origin: URL
  readonly pool: Pool
  /** For plain requests that go by HTTP. */
  readonly plainPool: PlainPool
  /** For plain requests, where the instance takes one. */
  trunk: Trunk | undefined
  /** Sockets passed through to it. */
  readonly links = new Set<SocketLink>()

  constructor(parts: MemberParts, connections: { origin: URL; pool: Pool; plainPool: PlainPool }) {
    super(parts)
    this.origin = connections.origin
    this.pool = connections.pool
    this.plainPool = connections.plainPool
  }

  /** Sends a plain request: on the trunk where there is one. */
  dispatch(request: PlainDispatch, handler: PlainHandler): void {
    if (this.trunk?.dispatch(request, handler) !== true) this.plainPool.dispatch(request, handler)
  }
}

export interface InstancesOptions {
  discovery: Discovery
  logger: Logger
  circuit: CircuitBounds
  /** Time until the first byte of an answer. */
  upstreamTimeoutMs: number
  connectTimeoutMs: number
  connectionsMax: number
  /** Whether plain requests go by trunks, to instances that take them. */
  withTrunks: boolean
  /** A new instance takes its full share after this. */
  slowStartMs: number
}

/** A service seen alive within this is taken to be restarting: requests wait a moment for it. */
const recentlyMs = 5_000
/** Long enough for discovery to forget an instance that was killed, or for a retry of its client to come. */
const avoidMs = 2_000
/** A service none of whose instances is well is tried again after this; then after twice as long, and so on. */
const serviceTrialMs = 1_000
const limitBounds = { initial: 512, min: 16, max: 1_024 }
const judgeMs = 1_000
/** How long an instance that has left may take to close its sockets, and over what time those that it did not close are ended, so that not all clients come back at once. */
const linkGraceMs = 10_000
const linkSpreadMs = 2_000

/** The live instances by service, from discovery, each with its connections and its circuit, and the choice between them. */
export class Instances {
  readonly #options: InstancesOptions
  readonly #byId = new Map<string, Upstream>()
  readonly #byService = new Map<string, Upstream[]>()
  /** Kept while a service has no instance: its circuit and what is known of it last longer than any of them. */
  readonly #balancers = new Map<string, Balancer<Upstream>>()
  readonly #judging: NodeJS.Timeout
  /** Ejections so far, by service: for whoever watches. */
  readonly ejections = new Map<string, number>()
  readonly #lastAliveMs = new Map<string, number>()
  readonly #watching = new AbortController()
  #waiting = new Set<() => void>()

  constructor(options: InstancesOptions) {
    this.#options = options
    options.discovery.watch((instances) => this.#update(instances), this.#watching.signal)
    this.#judging = setInterval(() => this.#judge(), judgeMs)
    this.#judging.unref()
  }

  all(): Upstream[] {
    return [...this.#byId.values()]
  }

  hasReady(service: string): boolean {
    return (this.#byService.get(service) ?? []).some(({ instance }) => instance.state === 'ready')
  }

  /**
   * Whether a usable instance may be expected in a moment: there was one just now, and those still announced have died. Not where
   * an instance that can be reached, and has not just broken connections off as one does that dies, is kept from requests by its circuit.
   */
  mayReturn(service: string): boolean {
    const nowMs = now()
    const isKept = ({ unreachable, circuit, avoidUntilMs }: Upstream) => !unreachable && avoidUntilMs <= nowMs && circuit.state === 'open'
    if ((this.#byService.get(service) ?? []).some(isKept)) return false
    return nowMs - (this.#lastAliveMs.get(service) ?? -Infinity) < recentlyMs
  }

  /** As `Balancer.pick`. */
  pick(demand: Demand, exclude?: Upstream): Upstream | 'full' | undefined {
    return this.#balancers.get(demand.service)?.pick(demand, exclude)
  }

  /** As `Balancer.pickSocket`. */
  pickSocket(demand: Demand): Upstream | 'full' | undefined {
    return this.#balancers.get(demand.service)?.pickSocket(demand)
  }

  /** Whether requests are sent to an instance: that of its service where that is not closed, else its own. */
  circuitOf({ instance, circuit }: Upstream): CircuitState {
    const { state = 'closed' } = this.#balancers.get(instance.service)?.circuit ?? {}
    return state === 'closed' ? circuit.state : state
  }

  /** For whoever watches: the choice between the instances of each service. */
  balancers(): ReadonlyMap<string, Balancer<Upstream>> {
    return this.#balancers
  }

  /** An instance broke a connection off; an answer that only took too long says nothing of the kind. */
  brokeOff(upstream: Upstream): void {
    upstream.brokeOff(avoidMs)
  }

  /** Resolves at the next change of instances, or after `timeoutMs`. */
  changed(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer)
        this.#waiting.delete(finish)
        resolve()
      }
      const timer = setTimeout(finish, timeoutMs)
      this.#waiting.add(finish)
    })
  }

  async close(): Promise<void> {
    this.#watching.abort()
    clearInterval(this.#judging)
    for (const finish of this.#waiting) finish()
    for (const { plainPool, trunk } of this.all()) {
      trunk?.destroy()
      plainPool.destroy()
    }
    await Promise.all(this.all().map(({ pool }) => pool.destroy()))
  }

  #update(instances: Instance[]): void {
    const nowMs = now()
    for (const service of this.#byService.keys()) this.#lastAliveMs.set(service, nowMs)
    const gone = new Map(this.#byId)
    for (const instance of instances) {
      if (instance.service === 'gateway') continue
      const known = gone.get(instance.id)
      if (known && known.instance.url === instance.url) {
        if (instance.state === 'ready' && known.instance.state === 'starting') known.warmsSinceMs = sinceOf(instance)
        known.instance = instance
        this.#openTrunk(known)
        gone.delete(instance.id)
      } else this.#add(instance)
    }
    for (const [id, upstream] of gone) {
      if (this.#byId.get(id) === upstream) this.#byId.delete(id)
      // Requests in flight are still answered; no new ones are sent.
      upstream.trunk?.close()
      upstream.plainPool.close()
      this.#endLinks(upstream)
      upstream.pool.close().catch((error: unknown) => this.#options.logger.debug({ err: error }, 'closing connections failed'))
    }
    this.#byService.clear()
    for (const upstream of this.#byId.values()) {
      const { service } = upstream.instance
      this.#byService.set(service, [...(this.#byService.get(service) ?? []), upstream])
      this.#lastAliveMs.set(service, nowMs)
    }
    for (const [service, balancer] of this.#balancers) balancer.update(this.#byService.get(service) ?? [])
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const finish of waiting) finish()
  }

  #add(instance: Instance): void {
    let origin: URL
    try {
      origin = new URL(instance.url)
    } catch {
      this.#options.logger.error({ instance }, 'an instance announced an address that is none')
      return
    }
    const pool = new Pool(origin.origin, {
      connections: this.#options.connectionsMax,
      // One request a connection: pipelined ones would share the fate of the first.
      pipelining: 1,
      connect: { timeout: this.#options.connectTimeoutMs },
      // Shorter than the 65 s of the services, so that a request never meets a connection being closed.
      keepAliveTimeout: 30_000,
      keepAliveMaxTimeout: 55_000,
      headersTimeout: this.#options.upstreamTimeoutMs,
      bodyTimeout: this.#options.upstreamTimeoutMs,
      allowH2: false,
    })
    const plainPool = new PlainPool(origin, {
      connectionsMax: this.#options.connectionsMax,
      connectTimeoutMs: this.#options.connectTimeoutMs,
      timeoutMs: this.#options.upstreamTimeoutMs,
    })
    const balancer = this.#balancerOf(instance.service)
    // Whoever made the service fail is not who will be asked now.
    balancer.circuit.reset()
    const parts = {
      instance,
      circuit: new Circuit(this.#options.circuit),
      serviceCircuit: balancer.circuit,
      limit: new ConcurrencyLimit({ ...limitBounds, floorMs: trafficOf(instance.service).latencyFloorMs }),
      sinceMs: sinceOf(instance),
      othersAreWell: (self: Member) => balancer.othersAreWell(self),
      now,
    }
    const upstream = new Upstream(parts, { origin, pool, plainPool })
    this.#openTrunk(upstream)
    this.#byId.set(instance.id, upstream)
  }

  #openTrunk(upstream: Upstream): void {
    const { withTrunks, connectTimeoutMs, upstreamTimeoutMs } = this.#options
    if (!withTrunks || upstream.trunk || !upstream.instance.capabilities.includes(trunkCapability)) return
    upstream.trunk = new Trunk(upstream.origin, { connectTimeoutMs, timeoutMs: upstreamTimeoutMs }, (request, handler) =>
      upstream.plainPool.dispatch(request, handler),
    )
  }

  #balancerOf(service: string): Balancer<Upstream> {
    const known = this.#balancers.get(service)
    if (known) return known
    const { circuit, slowStartMs } = this.#options
    const balancer = new Balancer<Upstream>({
      slowStartMs,
      circuit: new Circuit({ ...circuit, firstOpenMs: serviceTrialMs }),
      now,
      random: Math.random,
    })
    this.#balancers.set(service, balancer)
    return balancer
  }

  /**
   * Sockets of an instance that has left. One that stops as it should closes them itself; one that hangs, or that cannot be reached any more, would leave its
   * clients waiting for ever on sockets that say nothing.
   */
  #endLinks({ instance, links }: Upstream): void {
    if (links.size === 0) return
    const timer = setTimeout(() => {
      if (this.#byId.has(instance.id) || links.size === 0) return
      this.#options.logger.warn(
        { upstream: instance.id, sockets: links.size },
        'an instance has left without closing its sockets: they are closed',
      )
      void spreadOver([...links], linkSpreadMs, (link) => link.end())
    }, linkGraceMs)
    timer.unref()
  }

  #judge(): void {
    const bounds = { ...outlierBounds, warmMs: this.#options.slowStartMs }
    for (const [service, { members }] of this.#balancers)
      for (const { instance, ejections } of judgeOutliers(members, bounds, now())) {
        this.ejections.set(service, (this.ejections.get(service) ?? 0) + 1)
        this.#options.logger.warn({ service, upstream: instance.id, ejections }, 'an instance fares worse than the others and is ejected')
      }
  }
}

function now(): number {
  return performance.now()
}

/** Since when an instance has been taking requests, by our clock; one that was there before this gateway is not new to its work. */
function sinceOf({ readyAt }: Instance): number {
  const agoMs = readyAt === null ? 0 : Math.max(0, Date.now() - Date.parse(readyAt))
  return performance.now() - agoMs
}
