import type { Exchange, PositionView } from '@maru/domain/exchange'
import { mulDiv } from '@maru/domain/money'

/** Unrealised P&L at the mark, in minor units of the quote asset: value at the mark less cost at the average, half-even. */
export function unrealizedUnits(exchange: Exchange, position: PositionView): number {
  if (position.quantity === 0 || position.entryQuantity === 0) return 0
  const market = exchange.markets[position.symbol]!
  const lots = Math.abs(position.quantity)
  const value = exchange.mark(position.symbol) * lots * market.notionalFactor
  const cost = mulDiv(position.entryCost, lots, position.entryQuantity, 'half_even')
  return position.quantity > 0 ? value - cost : cost - value
}
