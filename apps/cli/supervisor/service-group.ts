import type { Child } from './child.ts'
import type { ServiceProgram } from './service-process.ts'

export interface SupervisedService extends ServiceProgram {
  /** Services of phase 0 are stopped first, then those of phase 1, and so on. */
  stopPhase: number
  /** The folder of the release it is run from; undefined for that of the supervisor. */
  release?: string
}

/** What makes a process of a service; it is not started yet. */
export type CreateChild = (service: SupervisedService, options: { onTrial: boolean }) => Child

/** One service: its instances as processes, and the release that new ones are made of. */
export class ServiceGroup {
  #service: SupervisedService
  readonly #create: CreateChild
  #children: Child[] = []
  /** Of instances that were taken away. */
  #restartsBefore = 0

  constructor(service: SupervisedService, create: CreateChild) {
    this.#service = service
    this.#create = create
  }

  get name(): string {
    return this.#service.name
  }

  get stopPhase(): number {
    return this.#service.stopPhase
  }

  get service(): SupervisedService {
    return this.#service
  }

  /** Oldest first. */
  get children(): readonly Child[] {
    return this.#children
  }

  /** Starts of instances after their first, those of instances that are gone included: it never falls. */
  get restarts(): number {
    return this.#children.reduce((sum, { troubles }) => sum + troubles.restarts, this.#restartsBefore)
  }

  start(count: number): void {
    for (let made = 0; made < count; made += 1) {
      const child = this.#create(this.#service, { onTrial: false })
      this.#children.push(child)
      child.start()
    }
  }

  /** One more instance of a release that is not started yet, while a process loads its modules; for `tryOut`, or for `dropStandby()` where it is not needed. */
  prepare(service: SupervisedService): Child {
    const child = this.#create(service, { onTrial: true })
    // Where there can be no such process the instance loads its modules when it starts.
    child.prepareStandby().catch(() => undefined)
    return child
  }

  /** Starts one more instance of a release, on trial: it is kept by `child.keep()` or taken away by `remove`. */
  tryOut(service: SupervisedService, child: Child = this.#create(service, { onTrial: true })): Child {
    this.#children.push(child)
    child.start()
    return child
  }

  /** From now on this is the release of the service. */
  accept(service: SupervisedService): void {
    this.#service = service
  }

  /** Ends an instance for good. False when it had to be killed. */
  async remove(child: Child, deadlineMs: number): Promise<boolean> {
    const inTime = await child.stop(deadlineMs)
    if (this.#children.includes(child)) this.#restartsBefore += child.troubles.restarts
    this.#children = this.#children.filter((other) => other !== child)
    return inTime
  }
}
