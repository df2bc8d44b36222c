import { topics, type MarketDataEvent } from '@maru/contracts'
import type { EventLog, ExclusiveWriter } from '@maru/event-log'
import { markets } from '../market/symbols.ts'
import { formatUnits } from '../market/units.ts'
import type { Tick } from '../source.ts'
import type { MarketState } from './market-state.ts'

/** A price that is confirmed but does not move is said again after this, so that readers can tell quiet from stale. */
const heartbeatMs = 5_000
/** Least time between two records. */
const recordMs = 1_000
/** How long records are kept, and how often it is looked. */
const keepMs = 60 * 60_000
const trimEveryMs = 60_000

interface Published {
  tick: Tick
  atMs: number
}

/**
 * Publishes `price.updated` to the topic `market-data`: one record for all markets that moved, at most one a second. A market
 * whose source has gone silent is left out. Ids are the epoch of the writer, the number of the record and the place in it.
 */
export class PricePublisher {
  readonly #log: EventLog
  readonly #writer: ExclusiveWriter
  readonly #published = new Map<string, Published>()
  /** Some offsets and when they were written, oldest first: what to trim by. */
  #marks: { offset: number; atMs: number }[] = []
  #sequence = 0
  #recordedMs = 0

  private constructor(log: EventLog, writer: ExclusiveWriter) {
    this.#log = log
    this.#writer = writer
  }

  /** Fences every earlier writer. */
  static async open(log: EventLog, nowMs: number): Promise<PricePublisher> {
    const publisher = new PricePublisher(log, await log.exclusiveWriter(topics.marketData, 'market-data'))
    // The age of what earlier leaders wrote is unknown; it is taken to be new, and goes in an hour.
    publisher.#marks.push({ offset: await log.head(topics.marketData), atMs: nowMs })
    return publisher
  }

  /** Throws FencedError once another instance publishes. */
  async publish(state: MarketState, nowMs: number): Promise<void> {
    if (nowMs - this.#recordedMs < recordMs && nowMs >= this.#recordedMs) return
    const due: Tick[] = []
    for (const { symbol } of markets) {
      const latest = state.bySymbol.get(symbol)?.latest
      if (latest === undefined) continue
      const last = this.#published.get(symbol)
      if (last === undefined || isOther(last.tick, latest) || (latest.timeMs > last.tick.timeMs && nowMs - last.atMs >= heartbeatMs))
        due.push(latest)
    }
    if (due.length > 0) {
      this.#recordedMs = nowMs
      this.#sequence++
      const prefix = `${String(this.#writer.epoch).padStart(8, '0')}-${String(this.#sequence).padStart(10, '0')}`
      const events = due.map((tick, index): MarketDataEvent => ({
        id: `${prefix}-${String(index).padStart(2, '0')}`,
        type: 'price.updated',
        v: 1,
        timestamp: new Date(tick.timeMs).toISOString(),
        data: {
          symbol: tick.symbol,
          price: formatUnits(tick.price),
          bid: formatUnits(tick.bid),
          ask: formatUnits(tick.ask),
          sources: [...tick.sources],
        },
      }))
      const offset = await this.#writer.append(new TextEncoder().encode(JSON.stringify(events)))
      for (const tick of due) this.#published.set(tick.symbol, { tick, atMs: nowMs })
      const newest = this.#marks.at(-1)
      if (newest === undefined || nowMs - newest.atMs >= trimEveryMs) this.#marks.push({ offset, atMs: nowMs })
    }
    await this.#trim(nowMs)
  }

  async #trim(nowMs: number): Promise<void> {
    const kept = this.#marks.findIndex((mark) => nowMs - mark.atMs < keepMs)
    const passed = kept < 0 ? this.#marks.length - 1 : kept - 1
    if (passed < 0) return
    const { offset } = this.#marks[passed]!
    this.#marks = this.#marks.slice(passed + 1)
    if (offset > 0) await this.#log.trim(topics.marketData, offset)
  }
}

function isOther(a: Tick, b: Tick): boolean {
  return a.price !== b.price || a.bid !== b.bid || a.ask !== b.ask || a.sources.join() !== b.sources.join()
}
