import { bucketStart, intervalsMs, minuteMs } from '@maru/domain/candles'
import type { Logger } from '@maru/service-host'
import { setTimeout as delay } from 'node:timers/promises'
import { markets } from '../market/symbols.ts'
import { isKept, readBatches, type TickBatch } from '../store/batch-store.ts'
import { readCandles, type Queryable } from '../store/candle-store.ts'
import { MarketState, type Changes } from './market-state.ts'

const pollMs = 100
const batchesAtOnce = 200
const retryMs = 500

export type ChangeListener = (changes: Changes, state: MarketState) => void

/**
 * Keeps the state of this instance: applies the stored batches in order. A follower polls them; the leader hands in each batch as it
 * has stored it, after `catchUp`.
 */
export class MarketFeed {
  readonly state = new MarketState()
  readonly #pool: Queryable
  readonly #logger: Logger
  readonly #listeners = new Set<ChangeListener>()
  #lastId = 0
  #lastTurn: Promise<unknown> = Promise.resolve()
  #leading = false

  constructor(pool: Queryable, logger: Logger) {
    this.#pool = pool
    this.#logger = logger
  }

  /** Calls `listener` after every batch, until what it returns is called. */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Applies everything stored so far. */
  async catchUp(): Promise<void> {
    while ((await this.#inTurn(() => this.#applyNext())) === batchesAtOnce);
  }

  /** Applies a stored batch, the next in order; one that was applied before is passed over. */
  accept(batch: TickBatch): Promise<void> {
    return this.#inTurn(() => this.#apply(batch))
  }

  /** A batch may have to wait for the table, and whoever follows and whoever takes the lead ask at the same time: it would be applied by both. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(work)
    this.#lastTurn = turn.catch(() => undefined)
    return turn
  }

  /** Gives how many batches there were. */
  async #applyNext(): Promise<number> {
    const batches = await this.#readNext()
    for (const batch of batches) await this.#apply(batch)
    return batches.length
  }

  async #apply(batch: TickBatch): Promise<void> {
    if (batch.id <= this.#lastId) return
    if (batch.feed !== this.state.feed) {
      const candlesFromMs = firstWholeMinute(batch)
      this.state.begin(batch.feed, candlesFromMs)
      await this.#restore(batch.feed, batch.reloadUptoMs ?? candlesFromMs)
    } else if (batch.reloadUptoMs !== undefined) {
      await this.#restore(batch.feed, batch.reloadUptoMs)
    }
    const changes = this.state.apply(batch)
    this.#lastId = batch.id
    for (const listener of this.#listeners) listener(changes, this.state)
  }

  /** While leading, stored batches are handed in and not polled. */
  lead(leading: boolean): void {
    this.#leading = leading
  }

  /** Follows until `signal` aborts; a database that is away is waited for. */
  async follow(signal: AbortSignal): Promise<void> {
    let failing = false
    while (!signal.aborted) {
      try {
        if (!this.#leading) await this.#inTurn(() => this.#applyNext())
        failing = false
      } catch (error) {
        if (!failing) this.#logger.warn({ err: error }, 'batches cannot be read; trying on')
        failing = true
      }
      await delay(failing ? retryMs : pollMs, undefined, { signal }).catch(() => undefined)
    }
  }

  /** The next batches. Where some before them were dropped unread (an instance that stood still, or was cut off), their minutes are read from the table. */
  async #readNext(): Promise<TickBatch[]> {
    const batches = await readBatches(this.#pool, this.#lastId, batchesAtOnce)
    const [next] = batches
    const lastId = this.#lastId
    // A number may be missing for an insert that failed; batches were dropped only if the last one read is gone too.
    if (next === undefined || lastId === 0 || next.id === lastId + 1 || next.feed !== this.state.feed) return batches
    if (await isKept(this.#pool, lastId)) return batches
    this.#logger.warn({ after: lastId, next: next.id }, 'batches were dropped before they were read; candles are read from the table')
    const candlesFromMs = firstWholeMinute(next)
    this.state.skip(this.state.lastTickMs(), candlesFromMs)
    await this.#restore(next.feed, candlesFromMs)
    return batches
  }

  async #restore(feed: string, trustedUptoMs: number): Promise<void> {
    const nowMs = Date.now()
    for (const { symbol } of markets) {
      for await (const page of readCandles(this.#pool, feed, symbol, nowMs - intervalsMs['1d'] - minuteMs, nowMs)) {
        for (const candle of page) this.state.restore(symbol, candle, trustedUptoMs)
      }
    }
  }
}

/** Batches are kept for minutes only, so the first one seen may stand in the middle of a minute: the start of the next. */
function firstWholeMinute(batch: TickBatch): number {
  return bucketStart(batch.ticks[0]?.timeMs ?? batch.storedMs, minuteMs) + minuteMs
}
