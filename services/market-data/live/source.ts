import type { Sources } from '@maru/contracts/http/market-data'
import { minuteMs } from '@maru/domain/candles'
import type { Logger } from '@maru/service-host'
import { setTimeout as delay } from 'node:timers/promises'
import { markets } from '../market/symbols.ts'
import { roundToStep } from '../market/units.ts'
import type { MarketSource, SymbolCandle, Tick, TickSink } from '../source.ts'
import { Exchange, faultOf, type ExchangeSetting, type Quote } from './exchange.ts'
import { median } from './median.ts'

/** Times of the live source; tests shorten them. */
export interface LivePace {
  pollMs: number
  tradesPollMs: number
  /** After a failure the next try waits this long, twice as long after the next, up to the maximum. */
  retryMs: number
  retryMaxMs: number
  /** A quote older than this no longer counts. */
  freshMs: number
}

export const defaultPace: LivePace = { pollMs: 1_000, tradesPollMs: 3_000, retryMs: 1_000, retryMaxMs: 30_000, freshMs: 10_000 }

interface Member {
  readonly exchange: Exchange
  state: 'connecting' | 'live' | 'down'
  symbols: string[]
  readonly quotes: Map<string, Quote & { timeMs: number }>
  lastQuoteMs: number
  lastError: string | null
}

export interface LiveSource extends MarketSource {
  /** Resolves with true as soon as one exchange has answered, with false when all have failed or after `withinMs`. */
  probe(withinMs: number): Promise<boolean>
  /** Name and fault of each exchange that has failed so far. */
  faults(): string
}

const tradesRememberedMax = 1_000

/**
 * Live prices of several exchanges. Each is asked in a loop of its own, and its faults stay its own; the price of a market is the median
 * of those that are fresh. Trades, for volume, are those of the first exchange in the list that is up; they move no price.
 */
export async function openLiveSource(
  settings: readonly ExchangeSetting[],
  logger: Logger,
  pace: LivePace = defaultPace,
): Promise<LiveSource> {
  const members: Member[] = []
  for (const setting of settings) {
    members.push({
      exchange: await Exchange.open(setting),
      state: 'connecting',
      symbols: [],
      quotes: new Map(),
      lastQuoteMs: 0,
      lastError: null,
    })
  }
  const names = members.map((member) => member.exchange.name).join(', ')

  const failed = (member: Member, error: unknown) => {
    const fault = faultOf(error)
    if (member.state !== 'down' || member.lastError !== fault)
      logger.warn({ exchange: member.exchange.name, fault }, 'an exchange does not answer')
    member.state = 'down'
    member.lastError = fault
  }

  const follow = async (member: Member, sink: TickSink, signal: AbortSignal) => {
    let failures = 0
    while (!signal.aborted) {
      try {
        if (member.symbols.length === 0) {
          member.symbols = await orAbort(member.exchange.symbols(markets.map((market) => market.symbol)), signal)
          if (member.symbols.length === 0) throw new Error('it trades none of our markets')
        }
        const quotes = await orAbort(member.exchange.quotes(member.symbols), signal)
        const nowMs = Date.now()
        if (quotes.length === 0) throw new Error('no price in its answer makes sense')
        for (const quote of quotes) member.quotes.set(quote.symbol, { ...quote, timeMs: nowMs })
        member.lastQuoteMs = nowMs
        if (member.state !== 'live') logger.info({ exchange: member.exchange.name, symbols: member.symbols }, 'an exchange gives prices')
        member.state = 'live'
        member.lastError = null
        failures = 0
        sink(quotes.map((quote) => combine(members, quote.symbol, nowMs, pace.freshMs)))
      } catch (error) {
        if (signal.aborted) return
        failed(member, error)
        failures++
      }
      const waitMs = failures === 0 ? pace.pollMs : Math.min(pace.retryMs * 2 ** (failures - 1), pace.retryMaxMs)
      await delay(waitMs, undefined, { signal }).catch(() => undefined)
    }
  }

  const followTrades = async (fromMs: number, sink: TickSink, signal: AbortSignal) => {
    const seen = new Map(markets.map((market) => [market.symbol, { ids: new Set<string>(), lastMs: fromMs, exchange: '' }]))
    while (!signal.aborted) {
      await delay(pace.tradesPollMs, undefined, { signal }).catch(() => undefined)
      const first = members.find((member) => member.state === 'live')
      if (first === undefined) continue
      for (const symbol of first.symbols) {
        if (signal.aborted) return
        try {
          const known = seen.get(symbol)!
          const trades = await orAbort(first.exchange.trades(symbol), signal)
          // Another exchange counts its own ids: of its trades only later ones are new.
          if (known.exchange !== first.exchange.name) known.ids.clear()
          const fresh = trades.filter(
            (trade) =>
              !known.ids.has(trade.id) && (known.exchange === first.exchange.name ? trade.timeMs >= fromMs : trade.timeMs > known.lastMs),
          )
          known.exchange = first.exchange.name
          for (const trade of fresh) {
            known.ids.add(trade.id)
            known.lastMs = Math.max(known.lastMs, trade.timeMs)
          }
          for (const id of known.ids) {
            if (known.ids.size <= tradesRememberedMax) break
            known.ids.delete(id)
          }
          if (fresh.length > 0)
            sink(
              fresh.map(({ timeMs, price, quantity, side }): Tick => ({
                symbol,
                timeMs,
                price,
                bid: price,
                ask: price,
                quantity,
                side,
                outside: true,
                sources: [first.exchange.name],
              })),
            )
        } catch (error) {
          // Prices tell whether an exchange is up; trades are an extra.
          if (!signal.aborted) logger.debug({ exchange: first.exchange.name, fault: faultOf(error) }, 'trades cannot be had')
        }
      }
    }
  }

  return {
    mode: 'live',
    feed: 'live',
    repeatable: false,
    countsTrades: false,
    async probe(withinMs) {
      const answers = members.map((member) =>
        member.exchange.probe().catch((error: unknown) => {
          failed(member, error)
          throw error
        }),
      )
      const late = new AbortController()
      const timeout = delay(withinMs, false, { signal: late.signal }).catch(() => false)
      const answered = Promise.any(answers).then(
        () => true,
        () => false,
      )
      const result = await Promise.race([answered, timeout])
      late.abort()
      return result
    },
    faults: () => members.map((member) => `${member.exchange.name}: ${member.lastError ?? 'no answer'}`).join(', '),
    async run(fromMs, sink, signal) {
      await Promise.all([...members.map((member) => follow(member, sink, signal)), followTrades(fromMs, sink, signal)])
    },
    async *history(fromMs, toMs, signal): AsyncGenerator<SymbolCandle[]> {
      for (const { symbol } of markets) yield* historyOf(members, symbol, fromMs, toMs, signal, logger)
    },
    describe(nowMs): Sources {
      return {
        mode: 'live',
        reason: `Prices are the median of what exchanges say: ${names}.`,
        sources: members.map((member) => ({
          name: member.exchange.name,
          state: member.state === 'live' && nowMs - member.lastQuoteMs > pace.freshMs ? ('stale' as const) : member.state,
          symbols: member.symbols,
          last_price_at: member.lastQuoteMs === 0 ? null : new Date(member.lastQuoteMs).toISOString(),
          last_error: member.lastError,
        })),
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** The median of the fresh quotes of a market, of which there is at least one, in whole ticks. */
function combine(members: readonly Member[], symbol: string, nowMs: number, freshMs: number): Tick {
  const { tickUnits } = markets.find((market) => market.symbol === symbol)!
  const fresh = members.flatMap((member) => {
    const quote = member.quotes.get(symbol)
    return quote !== undefined && nowMs - quote.timeMs <= freshMs ? [{ ...quote, name: member.exchange.name }] : []
  })
  const price = roundToStep(median(fresh.map((quote) => quote.price)), tickUnits)
  const bid = Math.min(roundToStep(median(fresh.map((quote) => quote.bid)), tickUnits), price)
  const ask = Math.max(roundToStep(median(fresh.map((quote) => quote.ask)), tickUnits), price)
  return { symbol, timeMs: nowMs, price, bid, ask, quantity: 0, side: 'BUY', sources: fresh.map((quote) => quote.name) }
}

/** History of a market from the first exchange that has it. */
async function* historyOf(
  members: readonly Member[],
  symbol: string,
  fromMs: number,
  toMs: number,
  signal: AbortSignal,
  logger: Logger,
): AsyncGenerator<SymbolCandle[]> {
  for (const { exchange } of members) {
    let nextMs = fromMs
    try {
      if ((await orAbort(exchange.symbols([symbol]), signal)).length === 0) continue
      while (nextMs < toMs) {
        const candles = (await orAbort(exchange.candles(symbol, nextMs), signal)).filter(
          (candle) => candle.startMs >= nextMs && candle.startMs < toMs,
        )
        if (candles.length === 0) break
        yield candles.map((candle) => ({ symbol, candle }))
        nextMs = candles.at(-1)!.startMs + minuteMs
      }
      if (nextMs > fromMs) return
    } catch (error) {
      if (signal.aborted) return
      logger.warn({ exchange: exchange.name, symbol, fault: faultOf(error) }, 'history cannot be had from an exchange')
      if (nextMs > fromMs) return
    }
  }
}

/** A request cannot be called back, but nobody needs to wait for it when all ends. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error('stopped'))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
