import { Pool } from 'undici'
import type { Discovery, Instance, Logger } from '@maru/service-host'
import { PlainPool } from '../proxy/plain-pool.ts'
import { Circuit, type CircuitBounds } from './circuit.ts'

/** One live instance as the gateway sees it. */
export interface Upstream {
  instance: Instance
  readonly origin: URL
  readonly pool: Pool
  /** For plain requests. */
  readonly plainPool: PlainPool
  readonly circuit: Circuit
  /** Requests sent and not yet answered. */
  inFlight: number
  /** Its last connection was refused: it has most likely died, and its lease has not run out yet. */
  unreachable: boolean
  /** Until then, by the clock of `performance.now`, others are asked first: it broke a connection off, as one that is killed breaks all of its. */
  avoidUntilMs: number
}

export interface InstancesOptions {
  discovery: Discovery
  logger: Logger
  circuit: CircuitBounds
  /** Time until the first byte of an answer. */
  upstreamTimeoutMs: number
  connectTimeoutMs: number
  connectionsMax: number
}

/** A service seen alive within this is taken to be restarting: requests wait a moment for it. */
const recentlyMs = 5_000
/** Long enough for discovery to forget an instance that was killed, or for a retry of its client to come. */
const avoidMs = 2_000

/** The live instances by service, from discovery, each with its connections and its circuit. */
export class Instances {
  readonly #options: InstancesOptions
  readonly #byId = new Map<string, Upstream>()
  readonly #byService = new Map<string, Upstream[]>()
  readonly #lastAliveMs = new Map<string, number>()
  readonly #watching = new AbortController()
  #waiting = new Set<() => void>()

  constructor(options: InstancesOptions) {
    this.#options = options
    options.discovery.watch((instances) => this.#update(instances), this.#watching.signal)
  }

  all(): Upstream[] {
    return [...this.#byId.values()]
  }

  hasReady(service: string): boolean {
    return (this.#byService.get(service) ?? []).some(({ instance }) => instance.state === 'ready')
  }

  /**
   * Whether a usable instance may be expected in a moment: there was one just now, and those still announced have died. Not where
   * an instance that can be reached is kept from requests by its circuit.
   */
  mayReturn(service: string): boolean {
    if ((this.#byService.get(service) ?? []).some((upstream) => !upstream.unreachable && upstream.circuit.state === 'open')) return false
    return performance.now() - (this.#lastAliveMs.get(service) ?? -Infinity) < recentlyMs
  }

  /**
   * The less busy of two instances drawn at random among those that are ready and whose circuit lets a request pass, if it can be one that has
   * not just broken off; failing those, among the ones still starting, which can say themselves what they lack. `exclude`: one that has just failed.
   */
  pick(service: string, exclude?: Upstream): Upstream | undefined {
    const all = this.#byService.get(service)
    if (!all) return undefined
    const usable = (state: Instance['state']) =>
      all.filter((upstream) => upstream.instance.state === state && upstream !== exclude && upstream.circuit.allows())
    const ready = usable('ready')
    const known = ready.length > 0 ? ready : usable('starting')
    const now = performance.now()
    const calm = known.filter(({ avoidUntilMs }) => avoidUntilMs <= now)
    const candidates = calm.length > 0 ? calm : known
    if (candidates.length < 2) return candidates[0]
    const first = Math.floor(Math.random() * candidates.length)
    const second = (first + 1 + Math.floor(Math.random() * (candidates.length - 1))) % candidates.length
    const [a, b] = [candidates[first] as Upstream, candidates[second] as Upstream]
    return b.inFlight < a.inFlight ? b : a
  }

  /** An instance broke a connection off; an answer that only took too long says nothing of the kind. */
  brokeOff(upstream: Upstream): void {
    upstream.avoidUntilMs = performance.now() + avoidMs
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
    for (const finish of this.#waiting) finish()
    for (const { plainPool } of this.all()) plainPool.destroy()
    await Promise.all(this.all().map(({ pool }) => pool.destroy()))
  }

  #update(instances: Instance[]): void {
    const now = performance.now()
    for (const service of this.#byService.keys()) this.#lastAliveMs.set(service, now)
    const gone = new Map(this.#byId)
    for (const instance of instances) {
      if (instance.service === 'gateway') continue
      const known = gone.get(instance.id)
      if (known && known.instance.url === instance.url) {
        known.instance = instance
        gone.delete(instance.id)
      } else this.#add(instance)
    }
    for (const [id, upstream] of gone) {
      if (this.#byId.get(id) === upstream) this.#byId.delete(id)
      // Requests in flight are still answered; no new ones are sent.
      upstream.plainPool.close()
      upstream.pool.close().catch((error: unknown) => this.#options.logger.debug({ err: error }, 'closing connections failed'))
    }
    this.#byService.clear()
    for (const upstream of this.#byId.values()) {
      const { service } = upstream.instance
      this.#byService.set(service, [...(this.#byService.get(service) ?? []), upstream])
      this.#lastAliveMs.set(service, now)
    }
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
    this.#byId.set(instance.id, {
      instance,
      origin,
      pool,
      plainPool: new PlainPool(origin, {
        connectionsMax: this.#options.connectionsMax,
        connectTimeoutMs: this.#options.connectTimeoutMs,
        timeoutMs: this.#options.upstreamTimeoutMs,
      }),
      circuit: new Circuit(this.#options.circuit),
      inFlight: 0,
      unreachable: false,
      avoidUntilMs: 0,
    })
  }
}
