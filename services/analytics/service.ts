import { fileURLToPath } from 'node:url'
import { topics, type MarketDataEvent, type TradingEvent } from '@maru/contracts'
import { consume } from '@maru/event-log'
import { schemaOf, type ServiceDefinition } from '@maru/service-host'
import { readAnalyticsConfig } from './config.ts'
import { applyMarketData } from './ingest/market-data.ts'
import { applyTradingEvents } from './ingest/trading-events.ts'
import { keepThin } from './retention/thin.ts'
import { serveAnalytics } from './routes.ts'

/** Events are counted in so much later at most, unless a question waits for them; in return a burst of them is one transaction. */
const gatherMs = 20
/** A crash of PostgreSQL may take the last commits: what they held is read again at once, not only with the next record. */
const recheckMs = 2_000

/** Reads trading-events and market-data into its own tables, and answers from them. */
export const analyticsService: ServiceDefinition = {
  service: 'analytics',
  migrations: fileURLToPath(new URL('store', import.meta.url)),
  isDerived: true,
  async start({ service, pool, log, logger, http, environment, shutdown, fail }) {
    const config = readAnalyticsConfig(environment)
    const stop = new AbortController()
    const signal = AbortSignal.any([shutdown, stop.signal])
    const common = { log, name: 'figures', pool, schema: schemaOf(service), gatherMs, recheckMs, signal, logger }
    const trades = consume<TradingEvent>({ ...common, topic: topics.tradingEvents, handler: applyTradingEvents })
    const prices = consume<MarketDataEvent>({ ...common, topic: topics.marketData, handler: applyMarketData })
    // A reader that cannot go on would leave figures that age unseen; a restart tries again.
    for (const reader of [trades, prices]) reader.done.catch((error: unknown) => fail('a reader of the log has ended', error))
    const thinning = keepThin({ pool, logger, config, signal })
    serveAnalytics(http, { pool, log, reader: trades, config, shutdown: signal })
    return {
      async [Symbol.asyncDispose]() {
        stop.abort()
        await Promise.allSettled([trades.done, prices.done, thinning])
      },
    }
  },
}
