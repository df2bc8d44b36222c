import type { Exchange } from '@maru/domain/exchange'
import type { TraceNotes, Traceparent, Tracing } from '@maru/service-host'
import type { IntakeObserver } from '../intake/intake.ts'
import type { OrderMeter } from './order-meter.ts'

/** Measures commands, and adds to the traces of those that are sampled: the append, the commit included, and what the exchange made of it. */
export class CommandTraces implements IntakeObserver {
  readonly #meter: OrderMeter
  readonly #tracing: Tracing
  readonly #notes: TraceNotes

  constructor(meter: OrderMeter, tracing: Tracing, notes: TraceNotes) {
    this.#meter = meter
    this.#tracing = tracing
    this.#notes = notes
  }

  begun(): Traceparent | undefined {
    return this.#tracing.current()?.traceparent
  }

  applied(exchange: Exchange, trace?: Traceparent, record?: { commands: number; beganMs: number; durableMs: number }): void {
    this.#meter.applied(exchange)
    if (trace === undefined || record === undefined) return
    const command = exchange.commandCount
    const append = this.#tracing.start('append trading.commands', {
      kind: 'producer',
      parent: trace,
      startMs: record.beganMs,
      attributes: {
        'messaging.destination.name': 'trading.commands',
        'messaging.batch.message_count': record.commands,
        'maru.command': command,
      },
    })
    if (!append) return
    append.end(undefined, record.durableMs)
    const apply = this.#tracing.start('apply', {
      kind: 'internal',
      parent: append.traceparent,
      startMs: record.durableMs,
      attributes: { 'maru.command': command },
    })
    apply?.end()
    this.#notes.note(command, append.traceparent)
  }

  committed(commands: number, elapsedMs: number): void {
    this.#meter.committed(commands, elapsedMs)
  }

  refused(code: 'overloaded' | 'outcome_pending' | 'unavailable' | 'deadline_exceeded'): void {
    this.#meter.refused(code)
  }
}
