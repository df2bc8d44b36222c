import { topics, type Topic, type TradingEvent, type UserEvent } from '@maru/contracts'
import { byCommand, byUser, commandsOf, EventTraces, type Tracing } from '@maru/service-host'
import type pg from 'pg'

/** The last steps of a trace: its events were taken into inboxes, and a mail that tells of one was handed in. */
export class NotificationTraces {
  readonly #traces: EventTraces<number>
  readonly #registrations: EventTraces<string>

  constructor(tracing: Tracing, pool: pg.Pool) {
    this.#traces = new EventTraces(tracing, pool, byCommand)
    this.#registrations = new EventTraces(tracing, pool, byUser)
  }

  applied(topic: Topic, events: readonly (TradingEvent | UserEvent)[], startMs: number): void {
    const done = {
      name: `process ${topic}`,
      kind: 'consumer' as const,
      startMs,
      endMs: Date.now(),
      attributes: { 'messaging.destination.name': topic, 'messaging.consumer.group.name': 'inbox' },
    }
    if (topic === topics.tradingEvents) this.#traces.done(commandsOf(events.map(({ id }) => id)), done)
    else this.#registrations.done(usersOf(events), done)
  }

  mailed(eventKey: string, outcome: string, elapsedMs: number): void {
    const [topic, id = ''] = eventKey.split(':')
    if (topic !== topics.tradingEvents) return
    const endMs = Date.now()
    const fault = outcome === 'failed' || outcome === 'retried' ? outcome : undefined
    this.#traces.done(commandsOf([id]), {
      name: 'send mail',
      kind: 'client',
      startMs: endMs - elapsedMs,
      endMs,
      attributes: { outcome },
      fault,
    })
  }
}

function* usersOf(events: readonly (TradingEvent | UserEvent)[]): Generator<string> {
  for (const event of events) if (event.type === 'user.registered') yield event.data.user_id
}
