import type pg from 'pg'
import { findTraces } from './trace-contexts.ts'
import type { SpanKind, Tracing } from './tracing.ts'

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

/** Adds what readers of the log do to the traces of the commands it follows from. Work is never held up: traces are looked up afterwards, many at once. */
export class EventTraces {
  readonly #tracing: Tracing
  readonly #database: Pick<pg.Pool, 'query'>
  #waiting: [command: number, done: Done][] = []
  #isDue = false

  constructor(tracing: Tracing, database: Pick<pg.Pool, 'query'>) {
    this.#tracing = tracing
    this.#database = database
  }

  /** Something was done with the events of these commands. */
  done(commands: Iterable<number>, done: Done): void {
    if (!this.#tracing.isOn) return
    for (const command of commands) if (this.#waiting.length < waitingMax) this.#waiting.push([command, done])
    if (this.#isDue || this.#waiting.length === 0) return
    this.#isDue = true
    setTimeout(() => void this.#look(), lookEveryMs).unref()
  }

  async #look(): Promise<void> {
    const waiting = this.#waiting.splice(0)
    this.#isDue = false
    try {
      const traces = await findTraces(
        this.#database,
        waiting.map(([command]) => command),
      )
      for (const [command, { name, kind, startMs, endMs, attributes, fault }] of waiting) {
        const parent = traces.get(command)
        if (parent === undefined) continue
        const span = this.#tracing.start(name, { kind, parent, startMs, attributes: { 'maru.command': command, ...attributes } })
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
