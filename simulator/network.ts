import { connectionLost } from './connection-lost.ts'
import type { Database } from './database.ts'
import type { Faults } from './faults.ts'
import type { Thread } from './process.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** What all parts of a simulated world stand on. */
export interface World {
  timeline: Timeline
  random: Random
  faults: Faults
  database: Database
}

interface Question<T> {
  what: string
  serve: () => T | Promise<T>
  /** It waits for the disk. */
  isFlushed?: boolean
  /** Part of a transaction, which a lost connection ends: carried out late it would find none. */
  isBoundToConnection?: boolean
}

const latencyMs = (random: Random): number => 0.05 + random.next() * 0.4

/** Connections of a thread to the database. Each question is one try; whatever can befall one on a network does. */
export class DatabaseClient {
  readonly #world: World
  readonly #thread: Thread

  constructor(world: World, thread: Thread) {
    this.#world = world
    this.#thread = thread
  }

  ask<T>({ what, serve, isFlushed = false, isBoundToConnection = false }: Question<T>): Promise<T> {
    const { timeline, random, faults, database } = this.#world
    const { generation } = database
    return new Promise<T>((resolve, reject) => {
      let isSettled = false
      const settle = (delayMs: number, outcome: string, act: () => void): void => {
        timeline.plan(
          delayMs,
          `${what} ${outcome}`,
          () => {
            if (isSettled) return
            isSettled = true
            act()
          },
          this.#thread,
        )
      }
      const lose = (): void => settle(this.#messageMs(), 'lost', () => reject(connectionLost()))
      const answer = (value: T): void => {
        if (faults.strikes('lostAnswer')) lose()
        else settle(this.#messageMs(), 'answered', () => resolve(value))
      }
      const refuse = (error: unknown): void => settle(this.#messageMs(), 'refused', () => reject(error as Error))

      let questionMs = this.#messageMs()
      if (faults.strikes('lostQuestion')) return lose()
      if (!isBoundToConnection && faults.strikes('lateQuestion')) {
        lose()
        questionMs += random.chance(0.5) ? random.skewed(1, 100) : random.between(100, 2_500)
      }
      const carryOut = (): void => {
        // The server the question was for is no more.
        if (database.generation !== generation) return lose()
        try {
          const served = serve()
          if (served instanceof Promise) served.then(answer, refuse)
          else answer(served)
        } catch (error) {
          refuse(error)
        }
      }
      timeline.plan(questionMs, `${what} arrives`, () => {
        if (!database.isUp) return settle(latencyMs(random), 'refused', () => reject(connectionLost('ECONNREFUSED')))
        if (!isFlushed) return carryOut()
        timeline.plan(this.#diskMs(), `${what} is flushed`, carryOut)
      })
    })
  }

  #messageMs(): number {
    const { random, faults } = this.#world
    return faults.strikes('slowMessage') ? random.skewed(2, 2_500) : latencyMs(random)
  }

  #diskMs(): number {
    const { random, faults } = this.#world
    return faults.strikes('slowDisk') ? random.skewed(5, 2_000) : 0.1 + random.next()
  }
}
