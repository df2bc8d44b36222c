import type { BalanceData, OrderData, PositionData } from '@maru/contracts'
import type { AssetView, Exchange, MarketView } from '@maru/domain/exchange'
import { balanceData, positionData } from '../wire/wire.ts'

/**
 * Parts of events with their keys in code-unit order. Events are hashed, stored and published as canonical JSON; made in that order they are
 * canonical as `JSON.stringify` writes them, which spares sorting each.
 */
export function sortedOrder(order: OrderData): OrderData {
  const entries = Object.entries(order).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries) as unknown as OrderData
}

export function sortedBalance(exchange: Exchange, account: number, asset: number): BalanceData {
  const balance = balanceData(exchange, account, asset)
  return { asset: balance.asset, available: balance.available, held: balance.held, total: balance.total }
}

/** The base and quote balances of an account in a market. */
export function sortedBalances(exchange: Exchange, account: number, market: MarketView): BalanceData[] {
  return [sortedBalance(exchange, account, market.base), sortedBalance(exchange, account, market.quote)]
}

export function sortedPosition(exchange: Exchange, account: number, symbol: number): PositionData {
  const found = exchange.position(account, symbol)
  const market = exchange.markets[symbol]!
  if (!found) return { average_price: '0', fees: '0', quantity: '0', realized_pnl: '0', symbol: market.name }
  const position = positionData(exchange, found)
  return {
    average_price: position.average_price,
    fees: position.fees,
    quantity: position.quantity,
    realized_pnl: position.realized_pnl,
    symbol: position.symbol,
  }
}

/** The asset that money of a market, or where there is none of the venue, is counted in. */
export function quoteOf(exchange: Exchange, symbol: number): AssetView {
  const asset = symbol < 0 ? exchange.assetOf('USDT') : exchange.markets[symbol]!.quote
  return exchange.assets[asset] ?? exchange.assets[0]!
}
