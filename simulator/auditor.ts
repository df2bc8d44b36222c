import { decodeBatch } from '@maru/contracts/commands-codec'
import { CommandKind, topics, type Command, type TradingEvent } from '@maru/contracts'
import { EventKind, Exchange } from '@maru/domain/exchange'
import { decodeJsonRecord } from '@maru/event-log'
import { dataText, EventTexts, translate, type Snapshot } from '@maru/trading/testing'
import { outcomeDigest } from './digest.ts'
import { checkBalances, checkStreams, limitCheck } from './invariants.ts'
import type { Trace } from './trace.ts'
import type { Verdict } from './violation.ts'

interface ExpectedEvent {
  event: TradingEvent
  /** Its data as it is hashed. */
  data: string
  json: string
  command: number
}

/** Whole states are compared at the end of each so many-th record: a hash walks everything. Outcomes are compared at every command. */
const wholeStateEvery = 3

/**
 * Watches the log itself, at the place where a record becomes durable: applies each command to an exchange of its own, checks what must hold, and so
 * knows what every replica must come to, which events must be published, and what may be acknowledged.
 */
export class Auditor {
  readonly exchange = new Exchange()
  readonly #verdict: Verdict
  readonly #trace: Trace
  readonly #digests: number[] = [0]
  readonly #stateHashes = new Map<number, string>()
  readonly #sequences = new Map<number, number>()
  readonly #doneOnce = new Map<string, number>()
  #records = 0
  /** All events, in the order in which they must be published. */
  readonly events: ExpectedEvent[] = []
  readonly eventsByUser = new Map<string, ExpectedEvent[]>()
  /** How many of them have been. */
  publishedCount = 0

  constructor(verdict: Verdict, trace: Trace) {
    this.#verdict = verdict
    this.#trace = trace
  }

  /** A record is durable. */
  onAppended(topic: string, offset: number, body: Uint8Array, nowMs: number): void {
    if (topic === topics.tradingCommands) {
      const commands = decodeBatch(body)
      for (const command of commands) this.#apply(command)
      if ((this.#records += 1) % wholeStateEvery === 0) this.#stateHashes.set(this.exchange.commandCount, this.exchange.stateHash())
      this.#trace.add(nowMs, 'log', `record ${offset}: ${commands.length} commands up to ${this.exchange.commandCount}`)
    }
    if (topic === topics.tradingEvents) {
      this.#publish(decodeJsonRecord(body) as TradingEvent[])
      this.#trace.add(nowMs, 'log', `record ${offset} of events up to ${this.publishedCount} of ${this.events.length}`)
    }
  }

  /** A replica has just applied a command. */
  checkReplica(exchange: Exchange, who: string): void {
    const count = exchange.commandCount
    if (this.#digests[count] !== outcomeDigest(exchange))
      this.#verdict.fail(`${who} came to another outcome of command ${count}, or applied one that the log does not have there`)
    checkBalances(exchange, this.#verdict, who)
    if (this.#stateHashes.has(count)) this.checkState(exchange, who)
  }

  checkState(exchange: Exchange, who: string): void {
    this.#checkHash(exchange.commandCount, exchange.stateHash(), who)
  }

  checkSnapshot({ commandCount, stateHash }: Snapshot): void {
    this.#checkHash(commandCount, stateHash, 'a snapshot')
    const first = this.events[this.publishedCount]
    if (first && first.command <= commandCount)
      this.#verdict.fail(`a snapshot of ${commandCount} commands is stored, but the events of command ${first.command} are not published`)
  }

  /** An outcome that a client was told: command number and digest. */
  checkAcknowledged(command: number, digest: number, what: string): void {
    if (this.#digests[command] === undefined) this.#verdict.fail(`${what} was acknowledged as command ${command}, which is not in the log`)
    else if (this.#digests[command] !== digest)
      this.#verdict.fail(`${what} was acknowledged with an outcome that is not that of command ${command}`)
  }

  #checkHash(count: number, hash: string, who: string): void {
    const { exchange } = this
    const expected = this.#stateHashes.get(count) ?? (count === exchange.commandCount ? exchange.stateHash() : undefined)
    // Of other numbers of commands only the outcomes are known.
    if (expected === undefined && count < exchange.commandCount) return
    if (expected !== hash) this.#verdict.fail(`${who} has another state after ${count} commands than the log gives`)
  }

  #apply(command: Command): void {
    const { exchange } = this
    const checkLimits = limitCheck(exchange, command)
    exchange.apply(command)
    this.#digests.push(outcomeDigest(exchange))
    checkBalances(exchange, this.#verdict, 'the log')
    checkStreams(exchange, this.#sequences, this.#verdict)
    checkLimits?.(this.#verdict)
    this.#checkOnce(command)
    const texts = new EventTexts()
    translate(exchange, command, texts)
    for (const [index, event] of (decodeJsonRecord(texts.encode()) as TradingEvent[]).entries()) {
      const expected = { event, data: dataText(texts.events[index]!), json: JSON.stringify(event), command: exchange.commandCount }
      this.events.push(expected)
      const own = this.eventsByUser.get(event.user_id) ?? []
      this.eventsByUser.set(event.user_id, own)
      own.push(expected)
    }
    texts.release()
  }

  /** What a client asked for once takes effect once. */
  #checkOnce(command: Command): void {
    const key = onceKey(command)
    if (key === undefined || !hasDoneSomething(this.exchange)) return
    const before = this.#doneOnce.get(key)
    if (before !== undefined) this.#verdict.fail(`${key} took effect twice, by the commands ${before} and ${this.exchange.commandCount}`)
    this.#doneOnce.set(key, this.exchange.commandCount)
  }

  #publish(events: readonly TradingEvent[]): void {
    for (const event of events) {
      const expected = this.events[this.publishedCount]
      if (expected?.json !== JSON.stringify(event)) {
        const wanted = expected ? `${expected.event.id} of command ${expected.command}` : 'none'
        return this.#verdict.fail(`event ${event.id} was published where ${wanted} is next: one is missing, doubled or another`)
      }
      this.publishedCount += 1
    }
    const [last, next] = [this.events[this.publishedCount - 1], this.events[this.publishedCount]]
    if (last && last.command === next?.command) this.#verdict.fail(`a record of events ends amid those of command ${last.command}`)
  }
}

/** Whether the command itself took effect: what fell due before it may stand in the outcome as well, but never as one of these. */
function hasDoneSomething({ outcome: { data, length } }: Exchange): boolean {
  for (let at = 0; at < length; at += data[at + 1]!) if (effective.has(data[at]!)) return true
  return false
}

const effective = new Set<number>([
  EventKind.accountOpened,
  EventKind.orderAccepted,
  EventKind.listAccepted,
  EventKind.orderRejected,
  EventKind.fundsMoved,
  EventKind.fundsTransferred,
  EventKind.fillBooked,
])

/**
 * What tells one wish of a client from another. Quantities are given out once a run and account, so an order without an id of its client's is
 * known by its own.
 */
function onceKey(command: Command): string | undefined {
  switch (command.kind) {
    case CommandKind.placeOrder:
      return `order ${command.clientOrderId || `of ${command.quantity} lots`} of account ${command.account}`
    case CommandKind.replaceOrder:
      return `order ${command.placement.clientOrderId} of account ${command.placement.account}`
    case CommandKind.placeList:
      return `list ${command.clientListId} of account ${command.account}`
    case CommandKind.transferFunds:
      return `reference ${command.reference} of account ${command.from}`
    case CommandKind.moveFunds:
    case CommandKind.bookFill:
      return `reference ${command.reference} of account ${command.account}`
    case CommandKind.openAccount:
      return `account of ${command.userId}`
    default:
      return undefined
  }
}
