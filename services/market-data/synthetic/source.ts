import { bucketStart, minuteMs } from '@maru/domain/candles'
import type { Sources } from '@maru/contracts/http/market-data'
import { setTimeout as delay } from 'node:timers/promises'
import { markets } from '../market/symbols.ts'
import { ClockJumpError, clockJumpMs, type MarketSource, type SymbolCandle, type Tick, type TickSink } from '../source.ts'
import { SyntheticMarket } from './market.ts'
import { marketParameters } from './parameters.ts'

const stepMs = 200
/** Minutes of one market made at a stretch before other work has its turn. */
const chunkMinutes = 60

/** The synthetic market of `seed` (0 … 2^32 − 1). `reason` says why it runs, for `GET /sources`. */
export function createSyntheticSource(seed: number, reason: string): MarketSource {
  const made = markets.map((definition, index) => ({
    symbol: definition.symbol,
    market: new SyntheticMarket(
      seed,
      index,
      definition,
      marketParameters.find((entry) => entry.symbol === definition.symbol)!,
    ),
  }))
  let lastTickMs: number | undefined
  return {
    mode: 'synthetic',
    feed: `synthetic:${seed}`,
    repeatable: true,
    countsTrades: true,
    async run(fromMs: number, sink: TickSink, signal: AbortSignal) {
      let reachedMs = fromMs
      let minute = Number.NaN
      let pending: Tick[] = []
      while (!signal.aborted) {
        const nowMs = Date.now()
        if (Math.abs(nowMs - reachedMs) > clockJumpMs) throw new ClockJumpError(nowMs - reachedMs)
        while (reachedMs <= nowMs) {
          const start = bucketStart(reachedMs, minuteMs)
          if (start !== minute) {
            minute = start
            pending = made.flatMap(({ market }) => market.minute(start)).filter((tick) => tick.timeMs >= reachedMs)
            pending.sort((a, b) => a.timeMs - b.timeMs)
          }
          const due = pending.findIndex((tick) => tick.timeMs > nowMs)
          const count = due < 0 ? pending.length : due
          if (count > 0) sink(pending.splice(0, count))
          if (count > 0) lastTickMs = nowMs
          reachedMs = Math.min(nowMs + 1, start + minuteMs)
        }
        await delay(stepMs, undefined, { signal }).catch(() => undefined)
      }
    },
    async *history(fromMs, toMs, signal): AsyncGenerator<SymbolCandle[]> {
      for (const { symbol, market } of made) {
        let chunk: SymbolCandle[] = []
        for (let startMs = bucketStart(fromMs, minuteMs); startMs < toMs; startMs += minuteMs) {
          chunk.push({ symbol, candle: market.candle(startMs) })
          if (chunk.length === chunkMinutes) {
            yield chunk
            chunk = []
            await delay(0)
            if (signal.aborted) return
          }
        }
        if (chunk.length > 0) yield chunk
      }
    },
    describe(): Sources {
      return {
        mode: 'synthetic',
        reason,
        sources: [
          {
            name: 'synthetic',
            state: lastTickMs === undefined ? 'connecting' : 'live',
            symbols: markets.map((market) => market.symbol),
            last_price_at: lastTickMs === undefined ? null : new Date(lastTickMs).toISOString(),
            last_error: null,
          },
        ],
        synthetic: { seed },
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}
