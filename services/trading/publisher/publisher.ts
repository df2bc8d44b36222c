import { topics, type TradingEvent } from '@maru/contracts'
import { decodeJsonRecord, FencedError, pause, type Clock, type EventLog } from '@maru/event-log'
import type { Logger } from '@maru/service-host'
import type { Agreement } from '../agreement/agreement.ts'
import { foresightMax } from '@maru/domain/exchange'
import { decodeRecord } from '../replica/decode-record.ts'
import { EventTexts, numbersOf, type EventText } from './event-texts.ts'
import type { PublishedTail } from './published-tail.ts'
import { loadSnapshot, storeSnapshot, type SnapshotStore } from './snapshots.ts'
import { translate } from './translate.ts'

interface PublisherOptions {
  snapshots: SnapshotStore
  log: EventLog
  clock: Clock
  logger: Logger
  snapshotEveryCommands: number
  snapshotEveryMs: number
  /** Aborts when the lease is lost or the service stops. */
  signal: AbortSignal
  /** Told of each record, for the history that is made from it. */
  tail: PublishedTail
  /** Of this replica with the others: one that differs publishes nothing and stores no snapshot. */
  agreement?: Agreement
  onPublished?: (command: number) => void
  onSnapshotStored?: () => void
  /** Events were appended as one record; for traces. */
  onAppended?: (events: readonly EventText[], startMs: number) => void
}

const followBounds = { recordsMax: 500, bytesMax: 1_024 * 1_024 }
/** Events in one record of trading-events: readers hold whole records in memory. */
const eventsPerRecordMax = 4_000
/**
 * The time between two rounds grows with the rate of commands, up to a bound: what a commit, a row of history and a reader's turn cost is then
 * shared by more events, and order entry has the machine to itself meanwhile. At 1,000 commands/s rounds are 20 ms apart.
 */
const roundMsPerRate = 20 / 1_000
const roundMsMax = 100

/**
 * Turns the outcomes of commands into `trading-events`, each exactly once: it goes on after the last command found in the topic, and
 * the log's exclusive writer refuses it once a newer publisher has opened. Keeps its own replica, so that order entry never waits for it.
 */
export async function publish(options: PublisherOptions): Promise<void> {
  const { log, logger, snapshots, clock, signal, tail, agreement } = options
  const writer = await log.exclusiveWriter(topics.tradingEvents, 'trading-publisher')
  const state = await loadSnapshot(snapshots)
  const { exchange } = state
  agreement?.begin(exchange)
  // A snapshot is stored only after all that led to it has been published, also where the last commands before it had no events.
  const last = await lastPublished(log)
  const published = Math.max(last.command, exchange.commandCount)
  tail.begin(last.offset)
  logger.info({ published, from: exchange.commandCount, epoch: writer.epoch }, 'publishing')
  let snapshotCommand = exchange.commandCount
  let snapshotMs = clock.elapsedMs()
  let lastRoundMs = clock.elapsedMs()
  let isSettled = false
  /** Compared when all that was published before has been applied again, which is before anything else is published. */
  const isAgreed = async (): Promise<boolean> => {
    if (!isSettled && exchange.commandCount >= published) {
      isSettled = true
      await agreement?.settle()
    }
    return agreement?.disagreement === undefined
  }
  if (!(await isAgreed())) return
  try {
    for await (const records of log.follow(topics.tradingCommands, state.offset, { ...followBounds, signal })) {
      const roundStartMs = clock.elapsedMs()
      if (records[0]!.offset !== state.offset + 1) await expectUntrimmed(log, state.offset)
      const firstCommand = exchange.commandCount
      const full: EventTexts[] = []
      let open = new EventTexts()
      const send = async (texts: EventTexts): Promise<void> => {
        const startMs = clock.nowMs()
        const body = texts.encode()
        tail.rules = exchange.rules
        const offset = await writer.append(body)
        options.onAppended?.(texts.events, startMs)
        await tail.add({ offset, body, producer: '', sequence: 0 }, texts, signal)
      }
      for (const record of records) {
        const commands = decodeRecord(record, logger)
        for (const [index, command] of commands.entries()) {
          if (index % foresightMax === 0 && exchange.isWide) exchange.foresee(commands, index, index + foresightMax)
          exchange.apply(command)
          agreement?.see()
          if (exchange.commandCount <= published) continue
          translate(exchange, command, open)
          // All events of a command stay in one record: going on after the last command in the topic then misses nothing.
          if (open.events.length < eventsPerRecordMax) continue
          full.push(open)
          open = new EventTexts()
        }
        state.offset = record.offset
        if (!(await isAgreed())) return
        for (const texts of full.splice(0)) await send(texts)
      }
      if (open.events.length > 0) await send(open)
      else open.release()
      options.onPublished?.(exchange.commandCount)
      const commands = exchange.commandCount - snapshotCommand
      const isDue = commands >= options.snapshotEveryCommands || (commands > 0 && clock.elapsedMs() - snapshotMs >= options.snapshotEveryMs)
      if (isDue && agreement?.isContested !== true) {
        const trimBefore = await storeSnapshot(snapshots, state)
        if (trimBefore > 0) await log.trim(topics.tradingCommands, trimBefore)
        snapshotCommand = exchange.commandCount
        snapshotMs = clock.elapsedMs()
        options.onSnapshotStored?.()
        logger.info({ command: snapshotCommand, offset: state.offset }, 'snapshot stored')
      }
      const sinceMs = roundStartMs - lastRoundMs
      const rate = ((exchange.commandCount - firstCommand) * 1_000) / sinceMs
      lastRoundMs = roundStartMs
      const waitMs = Math.min(roundMsMax, rate * roundMsPerRate) - (clock.elapsedMs() - roundStartMs)
      if (waitMs >= 1) await pause(waitMs, signal, clock)
    }
  } catch (error) {
    if (!(error instanceof FencedError)) throw error
    logger.warn('a newer publisher has taken over')
  }
}

/**
 * Offsets may skip; but the publisher before this one may have stored a snapshot and trimmed the log behind it since this one looked for the newest. What is
 * missing then is in that snapshot alone: the duty is taken up again, from there.
 */
async function expectUntrimmed(log: EventLog, offset: number): Promise<void> {
  const firstKept = await log.firstKept(topics.tradingCommands)
  if (firstKept > offset + 1) throw new Error(`the command log was trimmed to ${firstKept} while the publisher stands at ${offset}`)
}

async function lastPublished(log: EventLog): Promise<{ command: number; offset: number }> {
  const record = await log.last(topics.tradingEvents)
  if (!record) return { command: 0, offset: 0 }
  const events = decodeJsonRecord(record.body) as TradingEvent[]
  return { command: numbersOf(events.at(-1)!.id).command, offset: record.offset }
}
