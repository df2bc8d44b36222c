/** The markets this service has prices for. Steps in units of 10^-8, as in the exchange rules of Binance and the recorded files. */
export interface MarketDefinition {
  readonly symbol: string
  readonly base: string
  readonly quote: string
  readonly tickUnits: number
  readonly lotUnits: number
}

export const markets: readonly MarketDefinition[] = [
  { symbol: 'BTC/USDT', base: 'BTC', quote: 'USDT', tickUnits: 1_000_000, lotUnits: 1_000 },
  { symbol: 'ETH/USDT', base: 'ETH', quote: 'USDT', tickUnits: 1_000_000, lotUnits: 10_000 },
  { symbol: 'ADA/USDT', base: 'ADA', quote: 'USDT', tickUnits: 10_000, lotUnits: 10_000_000 },
  { symbol: 'DOT/USDT', base: 'DOT', quote: 'USDT', tickUnits: 100_000, lotUnits: 1_000_000 },
]

const bySymbol = new Map(markets.map((market) => [market.symbol, market]))

export function findMarket(symbol: string): MarketDefinition | undefined {
  return bySymbol.get(symbol)
}
