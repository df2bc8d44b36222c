import { topics, type UserEvent } from '@maru/contracts'
import { byUser, EventTraces, noteRegistration, type Tracing } from '@maru/service-host'
import type pg from 'pg'

/** The first steps of the trace of a registration: it is noted for those who read of it, and its event is appended. */
export class RegistrationTraces {
  readonly #tracing: Tracing
  readonly #pool: pg.Pool
  readonly #traces: EventTraces<string>

  constructor(tracing: Tracing, pool: pg.Pool) {
    this.#tracing = tracing
    this.#pool = pool
    this.#traces = new EventTraces(tracing, pool, byUser)
  }

  /** A user is about to be created, for the request that is being served. */
  async creating(userId: string): Promise<void> {
    const span = this.#tracing.current()
    if (span) await noteRegistration(this.#pool, userId, span.traceparent)
  }

  /** A record of events was appended to `user-events`. */
  appended(body: string, startMs: number): void {
    if (!this.#tracing.isOn) return
    const events = JSON.parse(body) as UserEvent[]
    const users = events.flatMap((event) => (event.type === 'user.registered' ? [event.data.user_id] : []))
    this.#traces.done(users, {
      name: `append ${topics.userEvents}`,
      kind: 'producer',
      startMs,
      endMs: Date.now(),
      attributes: { 'messaging.destination.name': topics.userEvents },
    })
  }
}
