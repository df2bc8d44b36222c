import { topics } from '@maru/contracts'
import { commandsOf, EventTraces, type Tracing } from '@maru/service-host'
import type pg from 'pg'

/** The last steps of a trace: its events were taken into inboxes, and a mail that tells of one was handed in. */
export class NotificationTraces {
  readonly #traces: EventTraces

  constructor(tracing: Tracing, pool: pg.Pool) {
    this.#traces = new EventTraces(tracing, pool)
  }

  applied(events: readonly { id: string }[], startMs: number): void {
    this.#traces.done(commandsOf(events.map(({ id }) => id)), {
      name: `process ${topics.tradingEvents}`,
      kind: 'consumer',
      startMs,
      endMs: Date.now(),
      attributes: { 'messaging.destination.name': topics.tradingEvents, 'messaging.consumer.group.name': 'inbox' },
    })
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
