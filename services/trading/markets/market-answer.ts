import { MarketStatus } from '@maru/contracts/commands'
import type { Exchange, MarketView } from '@maru/domain/exchange'
import { formatUnits } from '@maru/domain/money'
import { amountText, marketStatuses, priceText, quantityText, time } from '../wire/wire.ts'

/** Fees and other shares are counted in millionths. */
export const ppmScale = 6

/** A market and its rules, as the API shows them. */
export function marketAnswer(exchange: Exchange, symbol: number) {
  const market = exchange.markets[symbol]!
  const quote = exchange.assets[market.quote]!
  const last = exchange.lastPrice(symbol)
  const mark = exchange.mark(symbol)
  return {
    symbol: market.name,
    base_asset: exchange.assets[market.base]!.name,
    quote_asset: quote.name,
    status: marketStatuses[market.status]!,
    tick_size: priceText(market, 1),
    lot_size: quantityText(market, 1),
    min_quantity: quantityText(market, market.quantityMinLots),
    max_quantity: quantityText(market, market.quantityMaxLots),
    max_price: priceText(market, market.priceMaxTicks),
    min_notional: amountText(quote, market.notionalMin),
    maker_fee: formatUnits(market.makerFeePpm, ppmScale),
    taker_fee: formatUnits(market.takerFeePpm, ppmScale),
    last_price: last === 0 ? null : priceText(market, last),
    mark_price: mark === 0 ? null : priceText(market, mark),
    kill_switch: market.isStopped,
    phase_ends_at: market.phaseEndsMs === 0 ? null : time(market.phaseEndsMs),
    ...indication(exchange, symbol),
    fee_tiers: tiersAnswer(exchange, symbol),
    rules: rulesAnswer(market.rules),
  }
}

/** Where an auction would trade now. */
function indication(exchange: Exchange, symbol: number) {
  const market = exchange.markets[symbol]!
  const found = market.status === MarketStatus.auction ? exchange.auctionPrice(symbol) : undefined
  return {
    indicative_price: found ? priceText(market, found.price) : null,
    indicative_volume: found ? quantityText(market, found.volume) : null,
  }
}

/** Of each tier that has some here, the fees that hold: what was set for the market, else for all, and never above its own. */
function tiersAnswer(exchange: Exchange, symbol: number) {
  const { makerFeePpm, takerFeePpm } = exchange.markets[symbol]!
  const byTier = new Map(
    exchange
      .feeTiers()
      .filter((row) => row.symbol < 0 || row.symbol === symbol)
      .map(({ tier, rates }) => [tier, rates]),
  )
  return [...byTier].map(([tier, rates]) => ({
    tier,
    maker_fee: formatUnits(Math.min(rates.makerFeePpm, makerFeePpm), ppmScale),
    taker_fee: formatUnits(Math.min(rates.takerFeePpm, takerFeePpm), ppmScale),
  }))
}

const msPerSecond = 1_000

function rulesAnswer(rules: MarketView['rules']) {
  const share = (ppm: number): string => formatUnits(ppm, ppmScale)
  return {
    collar: share(rules.collarPpm),
    limit_band: share(rules.limitBandPpm),
    maintenance_margin: share(rules.maintenancePpm),
    halt_move: share(rules.haltMovePpm),
    halt_window_seconds: rules.haltWindowMs / msPerSecond,
    halt_seconds: rules.haltForMs / msPerSecond,
    auction_seconds: rules.auctionForMs / msPerSecond,
  }
}
