import { LoadMeter, type WorkUnderWay } from './load-meter.ts'
import type { InstanceState, Load, OwnInstance } from './port.ts'
import { instanceFields, loadFields } from './shape.ts'

/** What this process is and how busy, in the form in which `/health/ready` says it: where the platform keeps the list of instances, others ask there. */
export type SelfDescription = ReturnType<typeof instanceFields> & { state: InstanceState; load: ReturnType<typeof loadFields> }

/** This process as an instance of its service. */
export class Self implements Disposable {
  readonly service: string
  readonly id: string
  readonly version: string
  readonly startedAt = new Date().toISOString()
  capabilities: readonly string[] = []
  /** What is under way; set by whoever serves. */
  work: () => WorkUnderWay = () => ({ inFlight: 0, streams: 0 })
  #readyAt: string | null = null
  #state: InstanceState = 'starting'
  readonly #meter = new LoadMeter()

  constructor(options: { service: string; id: string; version: string }) {
    this.service = options.service
    this.id = options.id
    this.version = options.version
  }

  load(): Load {
    return this.#meter.measure(this.work())
  }

  /** To be told of every change, so that it is known since when this instance is ready. */
  turned(state: InstanceState): void {
    this.#state = state
    this.#readyAt = state === 'ready' ? (this.#readyAt ?? new Date().toISOString()) : null
  }

  announcement(url: string, state: InstanceState): OwnInstance {
    const { id, service, version, startedAt, capabilities } = this
    return { id, service, url, pid: process.pid, version, state, startedAt, capabilities }
  }

  describe(): SelfDescription {
    const { id, service, version, startedAt, capabilities } = this
    const fields = instanceFields({ id, service, pid: process.pid, version, startedAt, readyAt: this.#readyAt, capabilities })
    return { ...fields, state: this.#state, load: loadFields(this.load()) }
  }

  [Symbol.dispose](): void {
    this.#meter[Symbol.dispose]()
  }
}
