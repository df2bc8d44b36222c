import { Hints, openSessionLog, type AppendRequest, type EventLog, type LogRecord, type LogSession, type ReadBounds } from '@maru/event-log'
import { connectionLost } from './connection-lost.ts'
import type { Database } from './database.ts'
import { DatabaseClient, type World } from './network.ts'
import type { Thread } from './process.ts'

/** The real client of the log, over sessions to the simulated database. */
export function openLog(world: World, thread: Thread): EventLog {
  const { timeline, random, faults, database } = world
  const hints = new Hints(thread.clock)
  const followed = new Set<string>()
  database.onAppended((topic, offset) => {
    if (!followed.has(topic) || thread.process.isDead || faults.strikes('lostHint')) return
    timeline.plan(random.skewed(0.2, 30), `hint of ${topic} ${offset}`, () => hints.give(topic, offset), thread)
  })
  return openSessionLog({
    appends: new SimulatedSession(world, thread),
    questions: new SimulatedSession(world, thread),
    hints,
    clock: thread.clock,
    onFollow: (topic) => void followed.add(topic),
  })
}

class SimulatedSession implements LogSession {
  readonly #client: DatabaseClient
  readonly #database: Database
  /** One question at a time, as on one connection. */
  #turn: Promise<unknown> = Promise.resolve()
  #break: (error: Error) => void = () => undefined

  constructor(world: World, thread: Thread) {
    this.#client = new DatabaseClient(world, thread)
    this.#database = world.database
  }

  append(request: AppendRequest): Promise<number> {
    const { topic, producer, sequence } = request
    return this.#ask(`append ${topic} ${producer}:${sequence}`, () => this.#database.append(request), true)
  }
  read(topic: string, after: number, bounds: ReadBounds): Promise<LogRecord[]> {
    return this.#ask(`read ${topic} ${after}`, () => this.#database.records.read(topic, after, bounds))
  }
  head(topic: string): Promise<number> {
    return this.#ask(`head ${topic}`, () => this.#database.records.head(topic))
  }
  last(topic: string): Promise<LogRecord | undefined> {
    return this.#ask(`last ${topic}`, () => this.#database.records.last(topic))
  }
  firstKept(topic: string): Promise<number> {
    return this.#ask(`first kept ${topic}`, () => this.#database.records.firstKept(topic))
  }
  trim(topic: string, before: number, recordsMax: number): Promise<number> {
    return this.#ask(
      `trim ${topic} ${before}`,
      () => {
        this.#database.flush()
        return this.#database.records.trim(topic, before, recordsMax)
      },
      true,
    )
  }
  openWriter(topic: string, name: string): Promise<number> {
    return this.#ask(
      `open writer ${topic} ${name}`,
      () => {
        this.#database.flush()
        return this.#database.records.openWriter(topic, name)
      },
      true,
    )
  }

  break(): void {
    this.#break(connectionLost())
  }
  async close(): Promise<void> {
    await this.#turn
  }

  #ask<T>(what: string, serve: () => T, isFlushed = false): Promise<T> {
    const asked = this.#turn.then(() => {
      const broken = new Promise<never>((_resolve, reject) => (this.#break = reject))
      return Promise.race([this.#client.ask({ what, serve, isFlushed }), broken])
    })
    this.#turn = asked.catch(() => undefined)
    return asked
  }
}
