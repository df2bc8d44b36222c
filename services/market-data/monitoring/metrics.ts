import { exposeGauge, type MetricsRegistry } from '@maru/service-host'
import type { MarketFeed } from '../real-time/market-feed.ts'

const modes = ['live', 'replay', 'synthetic', 'none'] as const
const states = ['connecting', 'live', 'stale', 'down'] as const

/** How old prices are and where they come from. Symbols and sources are those the service knows, some dozens at most. */
export function exposeMarketData(metrics: MetricsRegistry, feed: MarketFeed): void {
  exposeGauge(metrics, { name: 'maru_market_price_age_seconds', help: 'Age of the newest price of a market.' }, ['symbol'], () => {
    const nowMs = Date.now()
    return [...feed.state.bySymbol].flatMap(([symbol, { latest }]) =>
      latest === undefined ? [] : [[{ symbol }, Math.max(0, nowMs - latest.timeMs) / 1_000] as const],
    )
  })
  exposeGauge(
    metrics,
    { name: 'maru_market_source_mode', help: '1 for where prices come from: live, replay, synthetic or none.' },
    ['mode'],
    () => {
      const now = feed.state.sources?.mode ?? 'none'
      return modes.map((mode) => [{ mode }, mode === now ? 1 : 0] as const)
    },
  )
  exposeGauge(metrics, { name: 'maru_market_source_state', help: '1 for the state a source of prices is in.' }, ['source', 'state'], () =>
    (feed.state.sources?.sources ?? []).flatMap(({ name, state: now }) =>
      states.map((state) => [{ source: name, state }, state === now ? 1 : 0] as const),
    ),
  )
}
