import type { BalanceData, OrderData, PositionData } from '@maru/contracts'
import { refusals, type AssetView, type Exchange, type MarketView, type OrderView, type PositionView } from '@maru/domain/exchange'
import { formatRatio, formatUnits } from '@maru/domain/money'
import { orderDetailData } from './order-detail-data.ts'
import { formatId } from './order-id.ts'

/** The state machine's integers as the decimal strings of the API. */

const sides = ['BUY', 'SELL'] as const
export const orderTypes = ['MARKET', 'LIMIT', 'STOP', 'STOP_LIMIT', 'TRAILING_STOP'] as const
export const timesInForce = ['GTC', 'IOC', 'FOK', 'GTD'] as const
export const orderStatuses = ['PENDING', 'PARTIALLY_FILLED', 'FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED'] as const
export const marketStatuses = ['OPEN', 'CANCEL_ONLY', 'HALTED', 'AUCTION'] as const
export const accountModes = ['CASH', 'MARGIN'] as const
export const listKinds = ['OCO', 'OTO', 'BRACKET'] as const

export const sideName = (side: number): 'BUY' | 'SELL' => sides[side]!

let lastMs = -1
let lastText = ''
/** ISO 8601. Orders of one record share their millisecond, so the last text is kept. */
export function time(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString()
    lastMs = ms
  }
  return lastText
}

export const priceText = (market: MarketView, ticks: number): string => formatUnits(ticks * market.tickUnits, market.priceScale)
export const quantityText = (market: MarketView, lots: number): string => formatUnits(lots * market.lotUnits, market.quantityScale)
export const amountText = (asset: AssetView, units: number | bigint): string => formatUnits(units, asset.scale)

const averageDecimals = 8

/** Quote per base of `cost` minor units over `lots`, with up to 8 digits beyond the price's own. */
export function averagePriceText(exchange: Exchange, market: MarketView, cost: number, lots: number): string {
  const quote = exchange.assets[market.quote]!
  const units = averageUnits(exchange, market, cost, lots)
  if (units >= 0) return formatUnits(units, quote.scale - market.quantityScale)
  // cost / 10^quoteScale ÷ (lots × lotUnits / 10^quantityScale)
  return formatRatio(
    BigInt(cost) * 10n ** BigInt(market.quantityScale),
    BigInt(lots) * BigInt(market.lotUnits) * 10n ** BigInt(quote.scale),
    averageDecimals,
  )
}

/**
 * The same as whole units, of as many decimals as the quote asset has more than the quantity; -1 where it is none. Where a lot costs whole units, as it
 * does unless it was bought at several prices, they are the price in units of a lot's scale.
 */
export function averageUnits(exchange: Exchange, market: MarketView, cost: number, lots: number): number {
  const decimals = exchange.assets[market.quote]!.scale - market.quantityScale
  if (market.lotUnits !== 1 || decimals < 0 || decimals > averageDecimals || cost < 0 || lots <= 0) return -1
  const units = Math.floor(cost / lots)
  return units * lots === cost ? units : -1
}

/** The figures of an order that change; given apart where an event carries those of its own moment. */
export interface OrderProgress {
  status: number
  filled: number
  filledNotional: number
  fee: number
  refusal: number
}

export function orderData(exchange: Exchange, view: OrderView, progress: OrderProgress = view): OrderData {
  const market = exchange.markets[view.symbol]!
  const id = formatId(view.order)
  const data: OrderData = {
    id,
    client_order_id: view.clientOrderId === '' ? id : view.clientOrderId,
    user_id: exchange.userIdOf(view.account),
    symbol: market.name,
    side: sideName(view.side),
    order_type: orderTypes[view.orderType]!,
    time_in_force: timesInForce[view.timeInForce]!,
    quantity: quantityText(market, view.quantity),
    filled_quantity: quantityText(market, progress.filled),
    price: view.price === 0 ? null : priceText(market, view.price),
    stop_price: view.stopPrice === 0 ? null : priceText(market, view.stopPrice),
    average_price: progress.filled === 0 ? null : averagePriceText(exchange, market, progress.filledNotional, progress.filled),
    fee: amountText(exchange.assets[market.quote]!, progress.fee),
    status: orderStatuses[progress.status]!,
    reject_code: progress.refusal === 0 ? null : refusals[progress.refusal]!,
    created_at: time(view.createdAtMs),
    updated_at: time(view.updatedAtMs),
  }
  return view.details ? { ...data, ...orderDetailData(exchange, market, view.details) } : data
}

export function balanceData(exchange: Exchange, account: number, asset: number): BalanceData {
  const view = exchange.assets[asset]!
  const { total, held } = exchange.balance(account, asset)
  return { asset: view.name, total: amountText(view, total), held: amountText(view, held), available: amountText(view, total - held) }
}

export function positionData(exchange: Exchange, position: PositionView): PositionData {
  const market = exchange.markets[position.symbol]!
  const quote = exchange.assets[market.quote]!
  return {
    symbol: market.name,
    quantity: quantityText(market, position.quantity),
    average_price:
      position.quantity === 0 || position.entryQuantity === 0
        ? '0'
        : averagePriceText(exchange, market, position.entryCost, position.entryQuantity),
    realized_pnl: amountText(quote, position.realized - position.fees),
    fees: amountText(quote, position.fees),
  }
}
