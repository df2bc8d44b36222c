import { CommandKind, topics, type Command } from '@maru/contracts'
import { foresightMax, newestRules, type Exchange } from '@maru/domain/exchange'
import { pause, systemClock, type Clock, type EventLog, type LogRecord } from '@maru/event-log'
import type { Logger } from '@maru/service-host'
import { decodeRecord } from './decode-record.ts'
import { RecentOrders } from './recent-orders.ts'

/** Told of the outcome of a command of this instance, while the exchange still shows it. */
export type OnApplied = (exchange: Exchange) => void

interface OwnRecord {
  commands: readonly Command[]
  done: readonly OnApplied[]
}

const readBounds = { recordsMax: 500, bytesMax: 4 * 1_024 * 1_024 }
/** How soon another instance's commands are looked for: often while there were some lately, seldom while there were not. */
const pollBusyMs = 20
const pollIdleMs = 200
const busyForMs = 30_000

/**
 * One copy of the exchange, fed by the log in its order. Records of this instance are applied from memory when nothing stands
 * before them; whatever other instances appended is read from the log.
 */
export class Replica {
  readonly exchange: Exchange
  readonly recentOrders = new RecentOrders()
  readonly #log: EventLog
  readonly #logger: Logger
  readonly #onMoved: ((offset: number) => void)[] = []
  readonly #onApplied: ((exchange: Exchange, command: Command) => void)[] = []
  readonly #producer: string
  /** Records of this instance that are on their way, by their sequence as a producer. */
  readonly #own = new Map<number, OwnRecord>()
  #offset: number
  #catchingUp: Promise<void> | undefined

  readonly #onFatal: (error: unknown) => void
  readonly #clock: Clock

  /** `onFatal`: the state may be half changed; the process must end and start from a snapshot. */
  constructor(options: {
    exchange: Exchange
    offset: number
    log: EventLog
    producer: string
    logger: Logger
    onFatal: (error: unknown) => void
    clock?: Clock
  }) {
    this.#clock = options.clock ?? systemClock
    this.#onFatal = options.onFatal
    this.#producer = options.producer
    this.exchange = options.exchange
    this.recentOrders.skipTo(options.exchange)
    this.#offset = options.offset
    this.#log = options.log
    this.#logger = options.logger
  }

  /** Offset of the last record applied. */
  get offset(): number {
    return this.#offset
  }

  /** Called after every command, of any instance, while its outcome stands. */
  onApplied(listener: (exchange: Exchange, command: Command) => void): void {
    this.#onApplied.push(listener)
  }

  /** Called with the offset of each record, of any instance, after it was applied. */
  onMoved(listener: (offset: number) => void): void {
    this.#onMoved.push(listener)
  }

  /** A record of this instance is about to be appended: whoever finds it in the log first, the follower or the appender, hands out its outcomes. */
  announce(sequence: number, record: OwnRecord): void {
    this.#own.set(sequence, record)
  }

  /** An announced record is durable at `offset`; resolves once it is applied. */
  async applyOwn(sequence: number, offset: number): Promise<void> {
    const own = this.#own.get(sequence)
    if (own && offset === this.#offset + 1) {
      this.#own.delete(sequence)
      this.#applyRecord(offset, own.commands, own.done)
    }
    while (this.#offset < offset) await this.catchUp()
  }

  /** An announced record will not be appended. */
  withdraw(sequence: number): void {
    this.#own.delete(sequence)
  }

  /** Applies what the log holds beyond this replica. */
  async catchUp(): Promise<void> {
    this.#catchingUp ??= this.#readToEnd().finally(() => {
      this.#catchingUp = undefined
    })
    return this.#catchingUp
  }

  /** Applies all that is in the log now: for who was told by another instance of something that is not here yet. */
  async becomeCurrent(): Promise<void> {
    await this.catchUp()
    // That may have been the end of a read that began before.
    await this.catchUp()
  }

  /** Follows the other instances until `signal` aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    let lastForeignMs = 0
    let backoffMs = 0
    while (!signal.aborted) {
      const before = this.#foreign
      try {
        await this.catchUp()
        backoffMs = 0
      } catch (error) {
        if (backoffMs === 0) this.#logger.warn({ err: error }, 'the log cannot be read; trying again')
        backoffMs = Math.min(2_000, Math.max(100, backoffMs * 2))
      }
      const now = this.#clock.nowMs()
      if (this.#foreign !== before) lastForeignMs = now
      await pause(backoffMs || (now - lastForeignMs < busyForMs ? pollBusyMs : pollIdleMs), signal, this.#clock)
    }
  }

  #foreign = 0

  async #readToEnd(): Promise<void> {
    let reading = this.#read(this.#offset)
    for (;;) {
      const records = await reading
      const last = records.at(-1)
      if (!last) return
      if (records[0]!.offset !== this.#offset + 1) await this.#expectUntrimmed()
      // A page that is full, by its records or by their bytes, may have more behind it: that is on its way while this one is applied.
      const bytes = records.reduce((sum, { body }) => sum + body.byteLength, 0)
      const isFull = records.length >= readBounds.recordsMax || bytes >= readBounds.bytesMax
      if (isFull) {
        reading = this.#read(last.offset)
        reading.catch(() => undefined) // Whoever awaits it hears of it; nobody does where the records before it cannot be applied.
      }
      // Far behind, what closed is left to the tables: to keep each order would cost half as much again as to apply it.
      for (const record of records) this.#applyRead(record, !isFull)
      if (!isFull) return
    }
  }

  #read(after: number): Promise<LogRecord[]> {
    return this.#log.read(topics.tradingCommands, after, readBounds)
  }

  #applyRead(record: LogRecord, isRecent: boolean): void {
    // Applied from memory while it was read.
    if (record.offset <= this.#offset) return
    const own = record.producer === this.#producer ? this.#own.get(record.sequence) : undefined
    if (own) {
      this.#own.delete(record.sequence)
      this.#applyRecord(record.offset, own.commands, own.done)
      return
    }
    this.#foreign += 1
    this.#applyRecord(record.offset, decodeRecord(record, this.#logger), [], isRecent)
  }

  /** Offsets may skip; but where records were trimmed that this replica has not applied, only a snapshot can bring it up to date. */
  async #expectUntrimmed(): Promise<void> {
    const offset = this.#offset
    const firstKept = await this.#log.firstKept(topics.tradingCommands)
    if (firstKept <= offset + 1 || this.#offset !== offset) return
    const error = new Error(`the command log was trimmed to ${firstKept} while this replica stands at ${offset}`)
    this.#onFatal(error)
    throw error
  }

  #applyRecord(offset: number, commands: readonly Command[], done: readonly OnApplied[], isRecent = true): void {
    const { exchange } = this
    try {
      for (let index = 0; index < commands.length; index++) {
        if (index % foresightMax === 0 && exchange.isWide) exchange.foresee(commands, index, index + foresightMax)
        const command = commands[index]!
        if (command.kind === CommandKind.setRules && command.rules > newestRules)
          throw new Error(`rules ${command.rules} were switched on, which this release does not know: replace it by a newer one`)
        exchange.apply(command)
        if (isRecent) this.recentOrders.capture(exchange)
        for (const listener of this.#onApplied) listener(exchange, command)
        done[index]?.(exchange)
      }
    } catch (error) {
      this.#onFatal(error)
      throw error
    }
    this.#offset = offset
    if (!isRecent) this.recentOrders.skipTo(exchange)
    for (const listener of this.#onMoved) listener(offset)
  }
}
