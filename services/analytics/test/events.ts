import type { BalanceData, LedgerReason, MarketDataEvent, PositionData, TradingEvent } from '@maru/contracts'

/** The events of one account as the trading service would write them, with figures given by the test. */
export class Account {
  readonly userId: string
  #sequence = 0

  constructor(userId: string) {
    this.userId = userId
  }

  opened(timestamp: string): TradingEvent {
    return { ...this.#envelope('account.opened', timestamp), data: { mode: 'CASH' } }
  }

  moved(timestamp: string, asset: string, amount: string, total: string, reason: LedgerReason = 'deposit'): TradingEvent {
    const reference = `reference-${this.#sequence + 1}`
    return {
      ...this.#envelope('funds.moved', timestamp),
      data: { asset, amount, reference, actor: 'op', balance: balance(asset, total), postings: [{ asset, amount, reason, reference }] },
    }
  }

  traded(timestamp: string, fill: FillFigures): TradingEvent {
    const { side, symbol = 'BTC/USDT', price, quantity, fee, realized = '0' } = fill
    return {
      ...this.#envelope('trade.executed', timestamp),
      data: {
        trade_id: `t-${this.userId}-${this.#sequence}`,
        order_id: '1',
        client_order_id: 'c1',
        symbol,
        side,
        price,
        quantity,
        fee,
        fee_asset: 'USDT',
        liquidity: 'TAKER',
        realized_pnl: realized,
        position: position(symbol, fill.position),
        balances: Object.entries(fill.totals).map(([asset, total]) => balance(asset, total)),
        notional: String(Number(price) * Number(quantity)),
      },
    }
  }

  #envelope<Type extends TradingEvent['type']>(type: Type, timestamp: string) {
    this.#sequence += 1
    return { id: `${this.userId}-${this.#sequence}`, type, v: 1 as const, timestamp, user_id: this.userId, sequence: this.#sequence }
  }
}

export interface FillFigures {
  side: 'BUY' | 'SELL'
  symbol?: string
  price: string
  quantity: string
  fee: string
  realized?: string
  /** After the fill: quantity and average price. */
  position: [quantity: string, averagePrice: string]
  /** After the fill, by asset. */
  totals: Record<string, string>
}

let prices = 0

export function priced(timestamp: string, symbol: string, price: string): MarketDataEvent {
  prices += 1
  return {
    id: `p-${prices}`,
    type: 'price.updated',
    v: 1,
    timestamp,
    data: { symbol, price, bid: price, ask: price, sources: ['synthetic'] },
  }
}

function balance(asset: string, total: string): BalanceData {
  return { asset, total, held: '0', available: total }
}

function position(symbol: string, [quantity, averagePrice]: [string, string]): PositionData {
  return { symbol, quantity, average_price: averagePrice, realized_pnl: '0', fees: '0' }
}
