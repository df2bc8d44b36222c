import type { Sources } from '@maru/contracts/http/market-data'
import { bucketStart, joinCandles, minuteMs, type Candle } from '@maru/domain/candles'
import { setTimeout as delay } from 'node:timers/promises'
import { ClockJumpError, clockJumpMs, type MarketSource, type SymbolCandle, type Tick, type TickSink } from '../source.ts'
import type { MarketDefinition } from '../market/symbols.ts'
import { readRecorded, type RecordedRow } from './csv-file.ts'
import { pricePath } from './path.ts'
import type { RecordedMarket, Recording } from './recording.ts'
import { positionAt, wallTime, type Timeline } from './timeline.ts'

const sources = ['replay'] as const
/** Ticks are given this often at most, those that are due together. */
const stepMs = 100
const chunkCandles = 500
/** A market that has had no row for this long is shown as stale. */
const staleAfterMs = 120_000

/** A row in its place on the wall clock. */
interface PlacedRow {
  row: RecordedRow
  wallMs: number
}

/** Replays a recording on the wall clock, from `wallStartMs`, a whole minute. */
export function createReplaySource(recording: Recording, wallStartMs: number): MarketSource {
  const { feed, speed, fileStartMs, fileEndMs } = recording
  const timeline: Timeline = { wallStartMs, fileStartMs, fileEndMs, speed }
  const lastRowMs = new Map<string, number>()
  return {
    mode: 'replay',
    feed: recording.key,
    repeatable: true,
    countsTrades: feed === 'trade',
    async run(fromMs, sink, signal) {
      const stop = new AbortController()
      const running = AbortSignal.any([signal, stop.signal])
      try {
        await Promise.all(
          recording.markets.map((market) =>
            play(market, timeline, feed, Math.max(fromMs, wallStartMs), running, (ticks) => {
              lastRowMs.set(market.definition.symbol, ticks.at(-1)!.timeMs)
              sink(ticks)
            }),
          ),
        )
      } finally {
        stop.abort()
      }
    },
    async *history(fromMs, toMs, signal): AsyncGenerator<SymbolCandle[]> {
      for (const market of recording.markets) yield* candlesOf(market, timeline, feed, fromMs, toMs, signal)
    },
    describe(nowMs): Sources {
      const { round, fileMs } = positionAt(timeline, nowMs)
      const newestMs = Math.max(0, ...lastRowMs.values())
      return {
        mode: 'replay',
        reason: `The setting asks for a replay of recorded ${feed === 'candle' ? 'candles' : 'trades'}.`,
        sources: [
          {
            name: 'replay',
            state: newestMs === 0 ? 'connecting' : nowMs - newestMs > staleAfterMs ? 'stale' : 'live',
            symbols: recording.markets.map((market) => market.definition.symbol),
            last_price_at: newestMs === 0 ? null : new Date(newestMs).toISOString(),
            last_error: null,
          },
        ],
        replay: {
          folder: recording.folderName,
          feed: feed === 'candle' ? 'candles' : 'trades',
          speed,
          shift_ms: wallStartMs - fileStartMs,
          started_at: new Date(wallStartMs).toISOString(),
          file_started_at: new Date(fileStartMs).toISOString(),
          file_time_now: new Date(fileMs).toISOString(),
          loops: round,
        },
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** Rows from a wall time on, without end: the file over and over. The row within which `fromMs` lies is the first. */
async function* placedRows(
  market: RecordedMarket,
  timeline: Timeline,
  feed: RecordedRow['kind'],
  fromMs: number,
): AsyncGenerator<PlacedRow> {
  const start = positionAt(timeline, fromMs)
  const rowMs = feed === 'candle' ? minuteMs : 1
  let { round } = start
  let fileFromMs = feed === 'candle' ? bucketStart(start.fileMs, minuteMs) : Math.ceil(start.fileMs)
  for (;;) {
    let any = false
    for await (const row of readRecorded(market.file, feed, fileFromMs)) {
      if (row.timeMs + rowMs > timeline.fileEndMs) break
      any = true
      yield { row, wallMs: wallTime(timeline, round, row.timeMs) }
    }
    if (!any && fileFromMs <= timeline.fileStartMs) return
    round++
    fileFromMs = timeline.fileStartMs
  }
}

async function play(
  market: RecordedMarket,
  timeline: Timeline,
  feed: RecordedRow['kind'],
  fromMs: number,
  signal: AbortSignal,
  sink: TickSink,
): Promise<void> {
  const maker = new TickMaker(market.definition, timeline.speed)
  let waiting: Tick[] = []
  for await (const placed of placedRows(market, timeline, feed, fromMs)) {
    const ticks = maker.ticks(placed).filter((tick) => tick.timeMs >= fromMs)
    for (let next = 0; next < ticks.length;) {
      const nowMs = Date.now()
      const tick = ticks[next]!
      if (nowMs - tick.timeMs > clockJumpMs) throw new ClockJumpError(nowMs - tick.timeMs)
      if (tick.timeMs <= nowMs) {
        waiting.push(tick)
        next++
        continue
      }
      if (waiting.length > 0) {
        sink(waiting)
        waiting = []
      }
      // An outage in the file may be long: wait in short steps, to see a clock that was set.
      await delay(Math.min(Math.max(tick.timeMs - nowMs, stepMs), 1_000), undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
    }
    if (waiting.length >= chunkCandles) {
      sink(waiting)
      waiting = []
      await delay(0)
    }
    if (signal.aborted) return
  }
}

/** Turns rows into ticks. The recorded spread of these markets is nearly always one tick: the side that moved last is the price. */
class TickMaker {
  readonly #definition: MarketDefinition
  readonly #speed: number
  readonly #points: number
  #price = 0
  #side: 'BUY' | 'SELL' = 'BUY'

  constructor(definition: MarketDefinition, speed: number) {
    this.#definition = definition
    this.#speed = speed
    // About one step a second of wall time, but never fewer than it takes to show open, high, low and close.
    this.#points = Math.max(4, Math.round(60 / speed))
  }

  ticks({ row, wallMs }: PlacedRow): Tick[] {
    if (row.kind === 'trade') return [this.#tick(Math.floor(wallMs), row.price, row.quantity, row.side)]
    const { tickUnits, lotUnits } = this.#definition
    const lengthMs = minuteMs / this.#speed
    return pricePath(row, this.#points, tickUnits, lotUnits).map(({ share, price, quantity }) => {
      const side = price > this.#price ? 'BUY' : price < this.#price ? 'SELL' : this.#side
      return this.#tick(Math.floor(wallMs + share * lengthMs), price, quantity, side)
    })
  }

  #tick(timeMs: number, price: number, quantity: number, side: 'BUY' | 'SELL'): Tick {
    const { symbol, tickUnits } = this.#definition
    this.#price = price
    this.#side = side
    const bid = side === 'BUY' ? Math.max(price - tickUnits, tickUnits) : price
    const ask = side === 'BUY' ? price : price + tickUnits
    return { symbol, timeMs, price, bid, ask, quantity, side, sources }
  }
}

/** Candles of the wall minutes in [`fromMs`, `toMs`), as the replay of them makes them. */
async function* candlesOf(
  market: RecordedMarket,
  timeline: Timeline,
  feed: RecordedRow['kind'],
  fromMs: number,
  toMs: number,
  signal: AbortSignal,
): AsyncGenerator<SymbolCandle[]> {
  const { symbol } = market.definition
  let chunk: SymbolCandle[] = []
  let open: Candle | undefined
  for await (const { row, wallMs } of placedRows(market, timeline, feed, fromMs)) {
    if (wallMs >= toMs || signal.aborted) break
    const part = candleOfRow(row, bucketStart(wallMs, minuteMs))
    if (open?.startMs === part.startMs) {
      open = joinCandles(open, part)
      continue
    }
    if (open) chunk.push({ symbol, candle: open })
    open = part
    if (chunk.length >= chunkCandles) {
      yield chunk
      chunk = []
    }
  }
  if (open) chunk.push({ symbol, candle: open })
  chunk = chunk.filter(({ candle }) => candle.startMs >= fromMs)
  if (chunk.length > 0) yield chunk
}

function candleOfRow(row: RecordedRow, startMs: number): Candle {
  if (row.kind === 'trade')
    return {
      startMs,
      open: row.price,
      high: row.price,
      low: row.price,
      close: row.price,
      volume: BigInt(row.quantity),
      trades: row.quantity > 0 ? 1 : 0,
    }
  return { startMs, open: row.open, high: row.high, low: row.low, close: row.close, volume: BigInt(row.volume), trades: null }
}
