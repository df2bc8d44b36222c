import type pg from 'pg'
import { findRegistrations } from './registration-contexts.ts'
import { findTraces } from './trace-contexts.ts'
import type { SpanKind, Traceparent, Tracing } from './tracing.ts'

/** Something that was done with what a command brought about. */
interface Done {
  name: string
  kind: SpanKind
  /** Milliseconds since 1970. */
  startMs: number
  endMs: number
  attributes?: Record<string, string | number | boolean>
  fault?: string | undefined
}

/** Things done whose traces are not looked up yet; further ones get no span. */
const waitingMax = 5_000
/** Long enough for the note of a command, which is made as it is answered, to be there. */
const lookEveryMs = 250

/** By what a trace was noted. */
interface TraceKeys<Key> {
  find(database: Pick<pg.Pool, 'query'>, keys: readonly Key[]): Promise<Map<Key, Traceparent>>
  /** What the key is called in a span. */
  attribute: string
}

export const byCommand: TraceKeys<number> = { find: findTraces, attribute: 'maru.command' }
export const byUser: TraceKeys<string> = { find: findRegistrations, attribute: 'maru.user_id' }

/** Adds what readers of the log do to the traces of the commands, or registrations, it follows from. Work is never held up: traces are looked up afterwards, many at once. */
export class EventTraces<Key extends string | number> {
  readonly #tracing: Tracing
  readonly #database: Pick<pg.Pool, 'query'>
  readonly #keys: TraceKeys<Key>
  #waiting: [key: Key, done: Done][] = []
  #isDue = false

  constructor(tracing: Tracing, database: Pick<pg.Pool, 'query'>, keys: TraceKeys<Key>) {
    this.#keys = keys
    this.#tracing = tracing
    this.#database = database
  }

  /** Something was done with the events of these commands or users. */
  done(keys: Iterable<Key>, done: Done): void {
    if (!this.#tracing.isOn) return
    for (const key of keys) if (this.#waiting.length < waitingMax) this.#waiting.push([key, done])
    if (this.#isDue || this.#waiting.length === 0) return
    this.#isDue = true
    setTimeout(() => void this.#look(), lookEveryMs).unref()
  }

  async #look(): Promise<void> {
    const waiting = this.#waiting.splice(0)
    this.#isDue = false
    try {
      const { find, attribute } = this.#keys
      const traces = await find(
        this.#database,
        waiting.map(([key]) => key),
      )
      for (const [key, { name, kind, startMs, endMs, attributes, fault }] of waiting) {
        const parent = traces.get(key)
        if (parent === undefined) continue
        const span = this.#tracing.start(name, { kind, parent, startMs, attributes: { [attribute]: key, ...attributes } })
        span?.end(fault, endMs)
      }
    } catch {
      // Traces are an extra: what cannot be looked up now is let go.
    }
  }
}

/** Numbers of the commands that events of `trading-events` come from, each once; their ids are `<command>-<index>`, the number in base 36. */
export function commandsOf(eventIds: Iterable<string>): Set<number> {
  const commands = new Set<number>()
  for (const id of eventIds) {
    const [, digits] = /^([0-9a-z]{11})-\d+$/.exec(id) ?? []
    if (digits !== undefined) commands.add(Number.parseInt(digits, 36))
  }
  return commands
}
