import { Problem } from '@maru/service-host'
import { fullShare, priorities, shareOf, type Demand, type Priority } from './priority.ts'

export interface AdmissionBounds {
  /** Requests of all services under way at once. */
  inFlightMax: number
  /** The share of it that a service may hold. */
  shareOf: (service: string) => number
}

/** Of a service. */
interface Part {
  inFlight: number
  readonly max: number
  readonly shed: Record<Priority, number>
}

const nothingShed: Readonly<Record<Priority, number>> = { protection: 0, account: 0, order: 0, market: 0, background: 0 }

/**
 * Bulkheads: how much of the gateway one service may hold, so that a service which does not answer fills its own part and no more; and within the whole and each
 * part how much a kind of request may fill, so that those which take risk away find room longest.
 */
export class Admission {
  readonly #bounds: AdmissionBounds
  readonly #byService = new Map<string, Part>()
  #inFlight = 0
  constructor(bounds: AdmissionBounds) {
    this.#bounds = bounds
  }

  get inFlight(): number {
    return this.#inFlight
  }

  inFlightOf(service: string): number {
    return this.#byService.get(service)?.inFlight ?? 0
  }

  /** Requests refused for want of room, here and by the limits of instances. For whoever watches. */
  shedByService(): { service: string; kind: Priority; count: number }[] {
    return [...this.#byService].flatMap(([service, { shed }]) => priorities.map((kind) => ({ service, kind, count: shed[kind] })))
  }

  /** Takes a place, to be given back by `leave`. Throws Problem `overloaded` where there is none for this kind of request. */
  enter(demand: Demand): void {
    const own = this.#of(demand.service)
    const { inFlightMax } = this.#bounds
    const isTight = this.#inFlight >= inFlightMax * fullShare || own.inFlight >= own.max * fullShare
    if (isTight) {
      const share = shareOf(demand)
      if (this.#inFlight >= inFlightMax * share || own.inFlight >= own.max * share) throw this.refusal(demand)
    }
    own.inFlight += 1
    this.#inFlight += 1
  }

  leave(service: string): void {
    this.#of(service).inFlight -= 1
    this.#inFlight -= 1
  }

  /** For a request that found no room, here or at the instances; counts it. */
  refusal(demand: Demand): Problem {
    shareOf(demand)
    this.#of(demand.service).shed[demand.priority!] += 1
    return new Problem('overloaded', `As much is under way to ${demand.service} as may be of this kind; nothing was done.`)
  }

  #of(service: string): Part {
    const known = this.#byService.get(service)
    if (known) return known
    const { inFlightMax, shareOf: shareOfService } = this.#bounds
    const made = { inFlight: 0, max: Math.max(1, inFlightMax * shareOfService(service)), shed: { ...nothingShed } }
    this.#byService.set(service, made)
    return made
  }
}
