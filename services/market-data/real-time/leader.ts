import { bucketStart, intervalsMs, minuteMs } from '@maru/domain/candles'
import { FencedError, type EventLog } from '@maru/event-log'
import type { Logger } from '@maru/service-host'
import pg from 'pg'
import { setTimeout as delay } from 'node:timers/promises'
import { backfill, type BackfillOptions } from '../historical/backfill.ts'
import { markets } from '../market/symbols.ts'
import type { MarketSource, SymbolCandle, Tick } from '../source.ts'
import { storeBatch, trimBatches, type TickBatch } from '../store/batch-store.ts'
import { dropCandlesBefore, upsertCandles, type Queryable } from '../store/candle-store.ts'
import type { MarketFeed } from './market-feed.ts'
import { PricePublisher } from './publisher.ts'

export interface LeaderOptions {
  databaseUrl: string
  instanceId: string
  feed: MarketFeed
  log: EventLog
  logger: Logger
  /** Opens the source on taking the lead. */
  openSource(database: Queryable): Promise<MarketSource>
  /** Days of 1-minute candles that are kept. */
  retentionDays?: number
}

const lockName = 'market-data leader'
const electionMs = 250
const batchMs = 250
const secondMs = 1_000
/** Ticks in one batch, and ticks waiting for the next ones: beyond it the oldest are dropped, which a log line tells. */
const batchTicksMax = 5_000
const pendingTicksMax = 50_000
const batchesKeptSeconds = 180
const housekeepingMs = 60_000
/** Closed candles are written again this often, for trades that came late. */
const rewriteMinutes = 3

/**
 * Takes part in the election until `signal` aborts: at any time one instance, the one that holds an advisory lock, runs the source, stores
 * batches and candles and publishes. The lock belongs to a connection, and everything is written on that connection, so an
 * instance that has lost the lead can write nothing more.
 */
export async function runElection(options: LeaderOptions, signal: AbortSignal): Promise<void> {
  let failing = false
  while (!signal.aborted) {
    const client = new pg.Client({
      connectionString: options.databaseUrl,
      application_name: `${options.instanceId}-leader`,
      connectionTimeoutMillis: 5_000,
      statement_timeout: 10_000,
    })
    const lost = new AbortController()
    client.on('error', () => lost.abort())
    client.on('end', () => lost.abort())
    try {
      await client.connect()
      while (!signal.aborted && !lost.signal.aborted) {
        const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock(hashtext($1)) as taken', [lockName])
        failing = false
        if (rows[0]!.taken) await lead(client, options, AbortSignal.any([signal, lost.signal]))
        else await delay(electionMs, undefined, { signal }).catch(() => undefined)
      }
    } catch (error) {
      // Said once, not twice a second for as long as the database is away.
      if (!failing) options.logger.warn({ err: error }, 'the lead was lost or could not be taken; trying on')
      failing = true
    } finally {
      options.feed.lead(false)
      await client.end().catch(() => undefined)
    }
    if (!signal.aborted) await delay(electionMs, undefined, { signal }).catch(() => undefined)
  }
}

async function lead(client: pg.Client, options: LeaderOptions, signal: AbortSignal): Promise<void> {
  const { feed, log, logger } = options
  const stop = new AbortController()
  const running = AbortSignal.any([signal, stop.signal])
  await feed.catchUp()
  feed.lead(true)
  const database = oneAtATime(client)
  await using source = await options.openSource(database)
  const publisher = await PricePublisher.open(log, Date.now())
  logger.info({ feed: source.feed, reason: source.describe(Date.now()).reason }, 'leading the market data')

  const session = new LeadSession(database, options, source)
  const startMs = Date.now()
  const fromMs = source.repeatable ? bucketStart(startMs, minuteMs) : startMs
  const seenUptoMs = feed.state.feed === source.feed ? feed.state.lastTickMs() : 0
  if (source.repeatable) await session.store({ resetFromMs: fromMs })
  const tasks = [
    source.run(fromMs, (ticks) => session.take(ticks), running),
    every(batchMs, running, () => session.flush()),
    every(batchMs, running, () => publisher.publish(feed.state, Date.now())),
    every(secondMs, running, () => session.saveClosed(Date.now())),
    every(housekeepingMs, running, () => session.tidy(Date.now())),
    completeHistory(session, { database, source, seenUptoMs, uptoMs: bucketStart(startMs, minuteMs), signal: running, logger }),
  ]
  try {
    // Any of them failing ends the lead; the others are stopped and waited for, so that nothing runs on unowned.
    await Promise.all(tasks)
  } catch (error) {
    if (error instanceof FencedError) logger.warn('another instance publishes; giving up the lead')
    throw error
  } finally {
    stop.abort()
    await Promise.allSettled(tasks)
    if (signal.aborted)
      await session.finish().catch((error: unknown) => logger.warn({ err: error }, 'the last candles could not be stored'))
  }
}

/** The connection of the lead, shared by several tasks: statements wait for each other. */
function oneAtATime(client: pg.Client): Queryable {
  let last: Promise<unknown> = Promise.resolve()
  return {
    query<Row extends object>(text: string, values?: unknown[]) {
      const turn = last.then(() => client.query<Row & pg.QueryResultRow>(text, values))
      last = turn.catch(() => undefined)
      return turn
    },
  }
}

/** Completes the stored candles of minutes before the lead while prices already flow, and has all instances read them again. */
async function completeHistory(session: LeadSession, options: BackfillOptions & { logger: Logger }): Promise<void> {
  const { source, signal, uptoMs, logger } = options
  try {
    await backfill(options)
  } catch (error) {
    // What exchanges tell of the past is an extra; prices go on without it. A source that can be run again has no excuse.
    if (source.repeatable && !signal.aborted) throw error
    if (!signal.aborted) logger.warn({ err: error }, 'history could not be completed')
  }
  if (!signal.aborted) await session.completed(uptoMs)
}

async function every(periodMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await delay(periodMs, undefined, { signal }).catch(() => undefined)
    if (!signal.aborted) await work()
  }
}

/** What the leader does with its source's ticks. */
class LeadSession {
  readonly #database: Queryable
  readonly #options: LeaderOptions
  readonly #source: MarketSource
  #pending: Tick[] = []
  #dropped = 0
  #sourcesSaidMs = 0
  /** Minutes before it belong to history, not to this lead. */
  readonly #firstMs: number
  #savedUptoMs: number
  #candlesTrimmedMs = 0
  #storing: Promise<unknown> = Promise.resolve()
  #isHistoryComplete = false

  constructor(database: Queryable, options: LeaderOptions, source: MarketSource) {
    this.#database = database
    this.#options = options
    this.#source = source
    this.#firstMs = bucketStart(Date.now(), minuteMs)
    this.#savedUptoMs = this.#firstMs
  }

  take(ticks: readonly Tick[]): void {
    this.#pending.push(...ticks)
    const over = this.#pending.length - pendingTicksMax
    if (over > 0) {
      this.#pending.splice(0, over)
      this.#dropped += over
    }
  }

  /** Stores what is waiting and applies it here; batches keep their order. */
  async flush(): Promise<void> {
    if (this.#dropped > 0) {
      this.#options.logger.warn({ ticks: this.#dropped }, 'ticks were dropped: they could not be stored in time')
      this.#dropped = 0
    }
    const nowMs = Date.now()
    if (nowMs - this.#sourcesSaidMs >= secondMs) {
      this.#sourcesSaidMs = nowMs
      await this.store({ ticks: this.#pending.splice(0, batchTicksMax), sources: this.#source.describe(nowMs) })
    }
    while (this.#pending.length > 0) await this.store({ ticks: this.#pending.splice(0, batchTicksMax) })
  }

  /** Stored candles of minutes before are complete, and are to be read again. */
  async completed(uptoMs: number): Promise<void> {
    this.#isHistoryComplete = true
    await this.store({ reloadUptoMs: uptoMs })
  }

  async store(part: Partial<TickBatch>): Promise<void> {
    const turn = this.#storing.then(async () => {
      const batch: TickBatch = {
        id: 0,
        storedMs: Date.now(),
        feed: this.#source.feed,
        countsTrades: this.#source.countsTrades,
        ticks: [],
        ...(this.#isHistoryComplete ? { isHistoryComplete: true } : {}),
        ...part,
      }
      const id = await storeBatch(this.#database, batch)
      await this.#options.feed.accept({ ...batch, id })
    })
    this.#storing = turn.catch(() => undefined)
    await turn
  }

  /** Writes the candles that closed since the last time, and the last few once more. */
  async saveClosed(nowMs: number): Promise<void> {
    // A little after the minute, so that its last ticks are in.
    const uptoMs = bucketStart(nowMs - secondMs, minuteMs)
    if (uptoMs <= this.#savedUptoMs) return
    await upsertCandles(this.#database, this.#source.feed, this.#candles(this.#savedUptoMs - rewriteMinutes * minuteMs, uptoMs))
    this.#savedUptoMs = uptoMs
  }

  /** On a clean stop: what is waiting, and the candle that is still forming. */
  async finish(): Promise<void> {
    await this.flush()
    await upsertCandles(
      this.#database,
      this.#source.feed,
      this.#candles(this.#savedUptoMs - rewriteMinutes * minuteMs, Number.MAX_SAFE_INTEGER),
    )
  }

  async tidy(nowMs: number): Promise<void> {
    await trimBatches(this.#database, batchesKeptSeconds)
    if (nowMs - this.#candlesTrimmedMs < intervalsMs['1h']) return
    this.#candlesTrimmedMs = nowMs
    await dropCandlesBefore(this.#database, nowMs - (this.#options.retentionDays ?? 90) * intervalsMs['1d'])
  }

  #candles(wantedMs: number, toMs: number): SymbolCandle[] {
    const fromMs = Math.max(wantedMs, this.#firstMs)
    const result: SymbolCandle[] = []
    for (const { symbol } of markets) {
      const candles = this.#options.feed.state.bySymbol.get(symbol)!.window.candles
      for (let index = candles.length - 1; index >= 0 && candles[index]!.startMs >= fromMs; index--) {
        if (candles[index]!.startMs < toMs) result.push({ symbol, candle: candles[index]! })
      }
    }
    return result
  }
}
