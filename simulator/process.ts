import type { Clock } from '@maru/event-log'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** 23:59:56 on a Monday: within a run the day ends, and with it the daily loss. */
const beginsAtMs = Date.UTC(2026, 0, 5, 23, 59, 56)

/** A process of the operating system: it has threads, and can be killed between any two of their steps. */
export class Process {
  readonly name: string
  readonly #onDeath: (() => void)[] = []
  isDead = false

  constructor(name: string) {
    this.name = name
  }

  onDeath(listener: () => void): void {
    this.#onDeath.push(listener)
  }

  kill(): void {
    if (this.isDead) return
    this.isDead = true
    for (const listener of this.#onDeath) listener()
  }
}

/** A thread of a process: all it waits for comes by way of its clock and its connections, so it can be made to stand still. */
export class Thread {
  readonly process: Process
  readonly name: string
  readonly clock: Clock
  stalledUntilMs = 0

  /** @param skewMs by how much its idea of the time of day is wrong */
  constructor(process: Process, name: string, timeline: Timeline, random: Random, skewMs: number) {
    this.process = process
    this.name = `${process.name}/${name}`
    const every = (timeMs: number, callback: () => void): (() => void) => {
      let cancel = (): void => undefined
      const arm = (): void => {
        cancel = timeline.plan(
          timeMs,
          'interval',
          () => {
            arm()
            callback()
          },
          this,
        )
      }
      arm()
      return () => cancel()
    }
    this.clock = {
      nowMs: () => beginsAtMs + Math.floor(timeline.nowMs + skewMs),
      elapsedMs: () => timeline.nowMs,
      after: (timeMs, callback) => timeline.plan(timeMs, 'timer', callback, this),
      every,
      soon: (callback) => void timeline.plan(0, 'soon', callback, this),
      jitter: () => random.next(),
    }
  }
}
