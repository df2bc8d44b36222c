import type { Exchange } from '@maru/domain/exchange'
import { formatUnits } from '@maru/domain/money'
import { amountText, marketStatuses, priceText, quantityText } from '../wire/wire.ts'

/** Fees are counted in millionths. */
const feeScale = 6

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
    maker_fee: formatUnits(market.makerFeePpm, feeScale),
    taker_fee: formatUnits(market.takerFeePpm, feeScale),
    last_price: last === 0 ? null : priceText(market, last),
    mark_price: mark === 0 ? null : priceText(market, mark),
  }
}
