import { encodeBatch } from '@maru/contracts/commands-codec'
import { topics, type Command } from '@maru/contracts'
import type { Exchange } from '@maru/domain/exchange'
import { systemClock, type Clock, type EventLog } from '@maru/event-log'
import { Problem, type Logger } from '@maru/service-host'
import type { OnApplied, Replica } from '../replica/replica.ts'

/** A command without its time, which is stamped when it joins a record. */
export type Unstamped = Command extends infer C ? (C extends Command ? Omit<C, 'time'> : never) : never

const batchMax = 2_000
/** From so many commands in a record on, whoever was answered is likely to ask again at once. */
const busyFrom = 8
/** Turns of the event loop, without waiting in any, that are then left to them before the next record is made. */
const gatherTurns = 10

/** How often it is looked who has waited too long: a timer for each command would cost more than its matching. */
const sweepMs = 100

/** Told what becomes of the commands of this instance, for measuring. */
export interface IntakeObserver {
  /** A command is handed in; what it gives is handed back when that is applied. */
  begun?(): string | undefined
  /** A command was applied; its outcome stands. `trace` is what `begun` gave; of its record, how many commands it has, when it was begun, and when it was durable. */
  applied(exchange: Exchange, trace?: string, record?: { commands: number; beganMs: number; durableMs: number }): void
  /** A record of so many commands is durable and applied, `elapsedMs` after it was begun. */
  committed(commands: number, elapsedMs: number): void
  /** Commands were refused before they became part of the log, or what became of them was not known in time. */
  refused(code: 'overloaded' | 'outcome_pending' | 'unavailable' | 'deadline_exceeded'): void
}

interface Waiting {
  command: Command
  done: OnApplied
  reject: (error: Error) => void
  /** When it is told that the outcome is not known yet, by `Clock.elapsedMs`. */
  timeoutMs: number
  /** When nobody waits for an outcome any more, in milliseconds since 1970. */
  deadlineMs: number
  isSettled: boolean
}

/**
 * Turns requests into records of the log: whoever arrives while a record is being made durable goes into the next (group commit),
 * so that the cost of an order falls as load rises. One record is on its way at a time, which keeps this instance's commands in order.
 */
export class Intake {
  readonly #log: EventLog
  readonly #replica: Replica
  readonly #producer: string
  readonly #queueMax: number
  readonly #timeoutMs: number
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #observer: IntakeObserver | undefined
  #queue: Waiting[] = []
  #inFlight: readonly Waiting[] = []
  readonly #stopSweeping: () => void
  #sequence = 0
  /** Of the record on its way, in milliseconds since 1970: when it was begun, and when it was known to be durable. */
  #beganMs = 0
  #durableMs: number | undefined
  #flushing = false
  /** Told when nothing is on its way any more; for `close`. */
  #onIdle: () => void = () => undefined
  /** Why no command is taken any more. */
  #refusal: string | undefined

  constructor(options: {
    log: EventLog
    replica: Replica
    producer: string
    queueMax: number
    timeoutMs: number
    logger: Logger
    clock?: Clock
    observer?: IntakeObserver | undefined
  }) {
    this.#observer = options.observer
    this.#log = options.log
    this.#replica = options.replica
    this.#producer = options.producer
    this.#queueMax = options.queueMax
    this.#timeoutMs = options.timeoutMs
    this.#logger = options.logger
    this.#clock = options.clock ?? systemClock
    this.#stopSweeping = this.#clock.every(sweepMs, () => this.#sweep())
  }

  get waiting(): number {
    return this.#queue.length
  }

  /**
   * Appends a command and gives what `read` makes of its outcome, read while the exchange still shows it.
   * Rejects with Problem `overloaded` (nothing was done), `outcome_pending` (it may have been) or, where `deadlineMs` (since 1970) passed while it waited
   * for its record, `deadline_exceeded` (nothing was, and nothing will be).
   */
  submit<T>(command: Unstamped, read: (exchange: Exchange) => T, deadlineMs = Infinity): Promise<T> {
    if (this.#refusal !== undefined) return this.#refuse('unavailable', this.#refusal)
    if (this.#queue.length >= this.#queueMax) return this.#refuse('overloaded')
    const trace = this.#observer?.begun?.()
    return new Promise<T>((resolve, reject) => {
      const waiting: Waiting = {
        command: { ...command, time: this.#clock.nowMs() } as Command,
        timeoutMs: this.#clock.elapsedMs() + this.#timeoutMs,
        deadlineMs,
        isSettled: false,
        done: (exchange) => {
          waiting.isSettled = true
          this.#observer?.applied(exchange, trace, trace === undefined ? undefined : this.#recordNow())
          try {
            resolve(read(exchange))
          } catch (error) {
            reject(error as Error)
          }
        },
        reject: (error) => {
          waiting.isSettled = true
          reject(error)
        },
      }
      this.#queue.push(waiting)
      if (!this.#flushing) {
        this.#flushing = true
        // Requests parsed from the same read of a socket join one record.
        this.#clock.soon(() => void this.#flush())
      }
    })
  }

  #refuse(code: 'unavailable' | 'overloaded', detail?: string): Promise<never> {
    this.#observer?.refused(code)
    return Promise.reject(new Problem(code, detail))
  }

  /**
   * Takes no commands from now on, because the state that would decide them is not to be trusted. Who waits is refused as nothing was done;
   * who is on the way is not told what came of it: another instance can say.
   */
  refuse(detail: string): void {
    this.#refusal = detail
    for (const waiting of this.#queue.splice(0)) waiting.reject(new Problem('unavailable', detail))
    for (const waiting of this.#inFlight) if (!waiting.isSettled) waiting.reject(new Problem('outcome_pending'))
  }

  /** Refuses further commands and waits for those on their way. */
  async close(): Promise<void> {
    this.#refusal ??= 'The trading service is stopping.'
    if (this.#flushing) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    this.#stopSweeping()
  }

  /** Whoever has waited too long is told so; the outcome, when it comes, is then nobody's. */
  #sweep(): void {
    this.#dropLate()
    const now = this.#clock.elapsedMs()
    for (const waiting of [...this.#inFlight, ...this.#queue])
      if (!waiting.isSettled && waiting.timeoutMs <= now) this.#leavePending(waiting)
  }

  /** Takes those out of the queue for whom nobody waits any more, before they are part of a record: what is late would be done behind their backs. */
  #dropLate(): void {
    const now = this.#clock.nowMs()
    if (!this.#queue.some((waiting) => waiting.deadlineMs < now)) return
    this.#queue = this.#queue.filter((waiting) => {
      if (waiting.deadlineMs >= now) return true
      if (!waiting.isSettled) {
        this.#observer?.refused('deadline_exceeded')
        waiting.reject(new Problem('deadline_exceeded'))
      }
      return false
    })
  }

  #recordNow(): { commands: number; beganMs: number; durableMs: number } {
    // Where a reader found the record before its append was answered, it was durable by now.
    return { commands: this.#inFlight.length, beganMs: this.#beganMs, durableMs: this.#durableMs ?? this.#clock.nowMs() }
  }

  #leavePending(waiting: Waiting): void {
    this.#observer?.refused('outcome_pending')
    waiting.reject(new Problem('outcome_pending'))
  }

  async #flush(): Promise<void> {
    for (;;) {
      this.#dropLate()
      if (this.#queue.length === 0) break
      const batch = this.#queue.length <= batchMax ? this.#queue : this.#queue.slice(0, batchMax)
      this.#queue = this.#queue.length <= batchMax ? [] : this.#queue.slice(batchMax)
      this.#inFlight = batch
      const sequence = ++this.#sequence
      const sinceMs = this.#clock.elapsedMs()
      this.#beganMs = this.#clock.nowMs()
      this.#durableMs = undefined
      try {
        const commands = batch.map((waiting) => waiting.command)
        this.#replica.announce(sequence, { commands, done: batch.map((waiting) => waiting.done) })
        const offset = await this.#log.append(topics.tradingCommands, encodeBatch(commands), { producer: this.#producer, sequence })
        this.#durableMs = this.#clock.nowMs()
        await this.#replica.applyOwn(sequence, offset)
        this.#observer?.committed(batch.length, this.#clock.elapsedMs() - sinceMs)
      } catch (error) {
        this.#replica.withdraw(sequence)
        // The log repeats an append until it knows; an error here means that it was closed or full.
        this.#logger.error({ err: error, commands: batch.length }, 'commands could not be appended')
        for (const waiting of batch) this.#leavePending(waiting)
      }
      if (batch.length >= busyFrom) await this.#gather()
    }
    this.#inFlight = []
    this.#flushing = false
    this.#onIdle()
  }

  /** Lets in who is at the door: an append costs as much for forty commands as for twenty, and under load its cost is what they wait for. */
  async #gather(): Promise<void> {
    for (let turn = 0; turn < gatherTurns && this.#queue.length < batchMax; turn++)
      await new Promise<void>((resolve) => this.#clock.soon(resolve))
  }
}
