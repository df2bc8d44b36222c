import { symbolFromPath, symbolToPath } from '@maru/contracts'
import { marketDataEndpoints } from '@maru/contracts/http/market-data'
import type { Interval } from '@maru/domain/candles'
import { pageOf, Problem, type HttpService, type ServiceContext, type StartedService } from '@maru/service-host'
import { readConfig } from './config.ts'
import { queryCandles } from './historical/candle-query.ts'
import { exposeMarketData } from './monitoring/metrics.ts'
import { findMarket, markets } from './market/symbols.ts'
import { formatUnits } from './market/units.ts'
import { chooseSource, openSource, prepareSource, type PreparedSource } from './open-source.ts'
import { runElection } from './real-time/leader.ts'
import { MarketFeed } from './real-time/market-feed.ts'
import { serveSockets } from './real-time/sockets.ts'
import { viewBook, viewCandle, viewPrice, viewTrade } from './real-time/views.ts'
import type { Queryable } from './store/candle-store.ts'

const retentionDays = 90
/** The first prices are waited for this long before the service is ready without them. */
const firstPricesMs = 3_000
/** A replay or a synthetic market is waited for a little longer: its 24 hours are made within a second, on a busy machine in a few. */
const firstHistoryMs = 10_000

/** Starts the market-data service. Throws SettingsError on faulty settings. */
export async function start(context: ServiceContext): Promise<StartedService> {
  const { logger, pool, http } = context
  const { marketData } = readConfig(context.environment)
  const prepared = await prepareSource(marketData)
  const stop = new AbortController()
  const running = AbortSignal.any([stop.signal, context.shutdown])
  const feed = new MarketFeed(pool, logger)
  await feed.catchUp()
  serveReads(http, feed, pool)
  serveSockets(http, feed)
  exposeMarketData(context.metrics, feed)
  let chosen: Promise<PreparedSource> | undefined
  const tasks = [
    feed.follow(running),
    runElection(
      {
        databaseUrl: context.databaseUrl,
        instanceId: context.instanceId,
        feed,
        log: context.log,
        logger,
        retentionDays,
        openSource: async (database) => {
          chosen ??= chooseSource(prepared, logger)
          return openSource(await chosen, { database, logger })
        },
      },
      running,
    ),
  ]
  for (const task of tasks) task.catch((error: unknown) => context.fail('market data cannot go on', error))
  await firstPrices(feed, running)
  return {
    notReady: () => (feed.state.feed === undefined ? 'no market data yet' : undefined),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await Promise.allSettled(tasks)
    },
  }
}

/** Resolves when every market of the source has a price, and its last 24 hours where they can be made; or in time without. */
async function firstPrices(feed: MarketFeed, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const mode = () => feed.state.sources?.mode ?? 'live'
    const timers = [setTimeout(() => mode() === 'live' && done(), firstPricesMs), setTimeout(() => done(), firstHistoryMs)]
    const done = () => {
      for (const timer of timers) clearTimeout(timer)
      ignore()
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
    const look = () => {
      const sources = feed.state.sources?.sources ?? []
      // Nothing to wait for where every exchange is down.
      if (sources.length > 0 && sources.every((source) => source.state === 'down')) return done()
      const priced = sources.flatMap((source) => source.symbols)
      const complete = feed.state.historyComplete || mode() === 'live'
      if (complete && priced.length > 0 && priced.every((symbol) => viewPrice(feed.state, symbol, Date.now())?.stale === false)) done()
    }
    // Not before the first batch after the start: what was stored earlier may be of another source.
    const ignore = feed.onChange(look)
  })
}

function serveReads(http: HttpService, feed: MarketFeed, database: Queryable): void {
  const { state } = feed
  const known = (text: string): string => {
    const symbol = symbolFromPath(text)
    if (findMarket(symbol) === undefined) throw new Problem('symbol_not_found', `There is no market ${symbol}.`)
    return symbol
  }
  const priced = <View>(symbol: string, view: View | undefined): View => {
    if (view === undefined) throw new Problem('price_unavailable', `No source has given a price for ${symbol} yet.`)
    return view
  }
  const endpoints = marketDataEndpoints
  http.serve(endpoints.getPrice, ({ params }) => {
    const symbol = known(params.symbol)
    return priced(symbol, viewPrice(state, symbol, Date.now()))
  })
  http.serve(endpoints.getPrices, ({ query }) => {
    const nowMs = Date.now()
    if (query.symbols === undefined) {
      const all = markets.map(({ symbol }) => [symbol, viewPrice(state, symbol, nowMs)] as const)
      return Object.fromEntries(all.flatMap(([symbol, view]) => (view === undefined ? [] : [[symbol, view]])))
    }
    const symbols = new Set(query.symbols.split(',').map((text) => known(text.trim())))
    return Object.fromEntries([...symbols].map((symbol) => [symbol, priced(symbol, viewPrice(state, symbol, nowMs))]))
  })
  http.serve(endpoints.getCandles, async ({ params, query }) => {
    const symbol = known(params.symbol)
    const interval = (query.interval ?? '1m') as Interval
    const span = { interval, startMs: instant('start', query.start), endMs: instant('end', query.end), limit: query.limit ?? 500 }
    const candles = await queryCandles(database, state, symbol, span, Date.now(), retentionDays * 86_400_000)
    return candles.map(viewCandle)
  })
  http.serve(endpoints.getTrades, ({ params, query }) => {
    const newestFirst = state.bySymbol.get(known(params.symbol))!.trades.toReversed().map(viewTrade)
    return pageOf(newestFirst, query, ({ id }) => id)
  })
  http.serve(endpoints.getBook, ({ params }) => {
    const symbol = known(params.symbol)
    return priced(symbol, viewBook(state, symbol))
  })
  http.serve(endpoints.getSymbols, ({ query }) =>
    pageOf(
      markets.map(({ symbol, base, quote, tickUnits }) => ({
        symbol,
        base,
        quote,
        tick_size: formatUnits(tickUnits),
        has_price: state.bySymbol.get(symbol)?.latest !== undefined,
      })),
      query,
      ({ symbol }) => symbolToPath(symbol),
    ),
  )
  http.serve(
    endpoints.getSources,
    () => state.sources ?? { mode: 'none' as const, reason: 'No instance has chosen a source yet.', sources: [] },
  )
}

/** Milliseconds of an instant as the contract allows it. */
function instant(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = /^[0-9]+$/.test(text) ? Number(text) : Date.parse(text)
  if (!Number.isFinite(value) || value > 8.64e15)
    throw new Problem('invalid_request', `${name}: is not a time.`, { errors: [{ path: name, message: 'is not a time' }] })
  return value
}
