import type { OrderData } from '@maru/contracts'
import { SelfTrade, TrailingUnit, TriggerPrice } from '@maru/contracts/commands'
import type { Exchange, MarketView, OrderDetailsView } from '@maru/domain/exchange'
import { formatUnits } from '@maru/domain/money'
import { formatId } from './order-id.ts'

export const selfTradeModes = ['EXPIRE_TAKER', 'EXPIRE_MAKER', 'EXPIRE_BOTH', 'DECREMENT', 'NONE'] as const
export const triggerPrices = ['LAST_OR_MARK', 'LAST', 'MARK'] as const

/** Basis points as a percentage have two decimals. */
const percentScale = 2

type Details = Partial<OrderData>

/** What an order has that is more than plain, as the API shows it: only what was asked for, or came of it. */
export function orderDetailData(exchange: Exchange, market: MarketView, details: OrderDetailsView): Details {
  const quantity = (lots: number): string => formatUnits(lots * market.lotUnits, market.quantityScale)
  const data: Details = {}
  if (details.isPostOnly) data.post_only = true
  if (details.isReduceOnly) data.reduce_only = true
  if (details.selfTrade !== SelfTrade.expireTaker) data.self_trade_prevention = selfTradeModes[details.selfTrade]
  if (details.trigger !== TriggerPrice.lastOrMark) data.trigger_by = triggerPrices[details.trigger]
  if (details.displayQuantity > 0) data.display_quantity = quantity(details.displayQuantity)
  if (details.expiresAtMs > 0) data.expires_at = new Date(details.expiresAtMs).toISOString()
  if (details.trailingOffset > 0) data.trailing_delta = trailingText(market, details)
  if (details.quoteQuantity > 0) data.quote_quantity = formatUnits(details.quoteQuantity, exchange.assets[market.quote]!.scale)
  if (details.prevented > 0) data.prevented_quantity = quantity(details.prevented)
  if (details.list > 0) data.order_list_id = formatId(details.list)
  if (details.isPending) data.is_waiting = true
  return data
}

function trailingText(market: MarketView, { trailingOffset, trailingUnit }: OrderDetailsView): string {
  if (trailingUnit === TrailingUnit.basisPoints) return `${formatUnits(trailingOffset, percentScale)}%`
  return formatUnits(trailingOffset * market.tickUnits, market.priceScale)
}
