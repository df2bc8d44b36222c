import { CommandKind } from '@maru/contracts'
import { newestRules, type Exchange } from '@maru/domain/exchange'
import type { Unstamped } from './intake/intake.ts'

/**
 * The built-in assets and markets. Minimum notional and largest quantities are those of Binance spot as recorded in its exchange
 * information of 2021-10-12; ticks of ADA and DOT are the finer ones it has had since (prices of 2023 carry them).
 */
const assetScale = 8
const assets = ['USDT', 'BTC', 'ETH', 'ADA', 'DOT'] as const

const notionalMin = 10 * 10 ** assetScale
const makerFeePpm = 500
const takerFeePpm = 1_000

interface MarketTerms {
  name: string
  priceScale: number
  quantityScale: number
  quantityMax: number
  priceMax: number
}

const markets: readonly MarketTerms[] = [
  { name: 'BTC/USDT', priceScale: 2, quantityScale: 5, quantityMax: 9_000, priceMax: 10_000_000 },
  { name: 'ETH/USDT', priceScale: 2, quantityScale: 4, quantityMax: 9_000, priceMax: 1_000_000 },
  { name: 'ADA/USDT', priceScale: 4, quantityScale: 1, quantityMax: 900_000, priceMax: 1_000 },
  { name: 'DOT/USDT', priceScale: 3, quantityScale: 2, quantityMax: 90_000, priceMax: 10_000 },
]

const actor = 'maru'
/** Bands that catch slips of the finger and emptied books, and no more: operators set narrower ones, and halts, where they want them. */
const marketRules = {
  kind: CommandKind.setMarketRules,
  collarPpm: 50_000,
  limitBandPpm: 1_000_000,
  maintenancePpm: -1,
  haltMovePpm: -1,
  haltWindowMs: -1,
  haltForMs: -1,
  auctionForMs: -1,
  actor,
} as const

/** Commands that bring an exchange to the built-in assets and markets; none where it has them. */
export function genesisCommands(exchange: Exchange): Unstamped[] {
  const commands: Unstamped[] = []
  // Of a state that is there already, `switchRules` decides when.
  const isFresh = exchange.commandCount === 0
  if (isFresh) commands.push({ kind: CommandKind.setRules, rules: newestRules, actor })
  let symbol = 0
  for (const name of assets) if (exchange.assetOf(name) < 0) commands.push({ kind: CommandKind.addAsset, name, scale: assetScale })
  for (const market of markets) {
    if (exchange.symbolOf(market.name) >= 0) continue
    const perWhole = 10 ** market.quantityScale
    commands.push({
      kind: CommandKind.addMarket,
      name: market.name,
      priceScale: market.priceScale,
      quantityScale: market.quantityScale,
      tickUnits: 1,
      lotUnits: 1,
      quantityMinLots: 1,
      quantityMaxLots: market.quantityMax * perWhole,
      priceMaxTicks: market.priceMax * 10 ** market.priceScale,
      notionalMin,
      makerFeePpm,
      takerFeePpm,
    })
    if (isFresh) commands.push({ ...marketRules, symbol: symbol++ })
  }
  return commands
}
