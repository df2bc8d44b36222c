import type { Posting, TradingEvent } from '@maru/contracts'

/** Whether events of this type have postings. */
export function movesLedger(type: TradingEvent['type']): boolean {
  return (
    type === 'trade.executed' ||
    type === 'funds.moved' ||
    type === 'fill.booked' ||
    type === 'liquidation.fee_paid' ||
    type === 'insurance.paid'
  )
}

/**
 * The legs by which an event moved the ledger, as they touched its account: for an exchange, base one way, quote the other, and the fee
 * to the venue. The other legs are on the other account and on the venue's own.
 */
export function postingsOf(event: Pick<TradingEvent, 'type' | 'data'>): readonly Posting[] {
  switch (event.type) {
    case 'funds.moved':
    case 'liquidation.fee_paid':
    case 'insurance.paid':
      return (event as Extract<TradingEvent, { type: 'funds.moved' }>).data.postings
    case 'trade.executed': {
      const { side, symbol, quantity, notional, fee, trade_id } = (event as Extract<TradingEvent, { type: 'trade.executed' }>).data
      return exchangeLegs({ side, symbol, quantity, notional, fee, reference: trade_id, reason: 'trade' })
    }
    case 'fill.booked': {
      const { side, symbol, quantity, notional, reference } = (event as Extract<TradingEvent, { type: 'fill.booked' }>).data
      return exchangeLegs({ side, symbol, quantity, notional, fee: '0', reference, reason: 'off_venue_fill' })
    }
    default:
      return []
  }
}

interface Exchanged {
  side: 'BUY' | 'SELL'
  symbol: string
  quantity: string
  notional: string
  fee: string
  reference: string
  reason: Posting['reason']
}

function exchangeLegs({ side, symbol, quantity, notional, fee, reference, reason }: Exchanged): Posting[] {
  const [base, quote] = symbol.split('/') as [string, string]
  const legs: Posting[] = [
    { asset: base, amount: side === 'BUY' ? quantity : negative(quantity), reason, reference },
    { asset: quote, amount: side === 'BUY' ? negative(notional) : notional, reason, reference },
  ]
  if (fee !== '0') legs.push({ asset: quote, amount: negative(fee), reason: 'fee', reference })
  return legs
}

function negative(amount: string): string {
  return amount === '0' ? '0' : `-${amount}`
}
