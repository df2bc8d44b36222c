import { topics } from '@maru/contracts'
import { findRegistrations, type Tracing } from '@maru/service-host'
import type pg from 'pg'

/**
 * Opens accounts for users who have registered, each within the trace of its registration where that is kept: so the command that opens it, and all that follows, is part of that trace. The notes are looked up
 * before, in one question, and only where there are traces at all.
 */
export class RegistrationTraces {
  readonly #tracing: Tracing
  readonly #pool: pg.Pool

  constructor(tracing: Tracing, pool: pg.Pool) {
    this.#tracing = tracing
    this.#pool = pool
  }

  async openAll(userIds: readonly string[], open: (userId: string) => Promise<unknown>): Promise<void> {
    const isTraced = this.#tracing.isOn && userIds.length > 0
    // Traces are an extra: what cannot be looked up now is let go.
    const traces = isTraced ? await findRegistrations(this.#pool, userIds).catch(() => undefined) : undefined
    for (const userId of userIds) {
      const parent = traces?.get(userId)
      if (parent === undefined) await open(userId)
      else await this.#openTraced(userId, parent, open)
    }
  }

  async #openTraced(userId: string, parent: string, open: (userId: string) => Promise<unknown>): Promise<void> {
    const span = this.#tracing.start(`process ${topics.userEvents}`, {
      kind: 'consumer',
      parent,
      attributes: {
        'messaging.destination.name': topics.userEvents,
        'messaging.consumer.group.name': 'accounts',
        'maru.user_id': userId,
      },
    })
    try {
      await this.#tracing.within(span, () => open(userId))
      span?.end()
    } catch (error) {
      span?.end('the account could not be opened')
      throw error
    }
  }
}
