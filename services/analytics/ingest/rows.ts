import { systemUserPrefix, type TradingEvent } from '@maru/contracts'
import { formatFixed, isClosing, multiply, parseFixed } from '@maru/domain/statistics'

/** What a batch of trading events adds to the tables, ready for one statement a table. Times are ISO 8601. */
export interface Rows {
  accounts: Map<string, { openedAt: string; sequence: number; lastEventAt: string }>
  balances: Map<string, { userId: string; asset: string; at: string; total: string }>
  positions: Map<string, { userId: string; symbol: string; at: string; quantity: string; averagePrice: string }>
  flows: { userId: string; sequence: number; at: string; asset: string; amount: string }[]
  fills: Fill[]
}

export interface Fill {
  userId: string
  sequence: number
  at: string
  symbol: string
  notional: string
  /** The notional, positive where it was received. */
  cash: string
  fee: string
  grossRealized: string
  isClosing: boolean
  isWinning: boolean
}

type FillEvent = Extract<TradingEvent, { type: 'trade.executed' | 'fill.booked' }>

/**
 * Rows of the events that are new: of an account whose newest counted event is `known.get(user_id)`, later ones only. Throws on an
 * event that is not what its contract says.
 */
export function rowsOf(events: readonly TradingEvent[], known: ReadonlyMap<string, number>): Rows {
  const rows: Rows = { accounts: new Map(), balances: new Map(), positions: new Map(), flows: [], fills: [] }
  for (const event of events) {
    const { user_id: userId, sequence, timestamp } = event
    if (sequence <= (rows.accounts.get(userId)?.sequence ?? known.get(userId) ?? 0)) continue
    // The opening stands first; where the log no longer holds it, the first event that is left takes its place.
    rows.accounts.set(userId, { openedAt: rows.accounts.get(userId)?.openedAt ?? timestamp, sequence, lastEventAt: timestamp })
    addEvent(rows, event)
  }
  return rows
}

function addEvent(rows: Rows, event: TradingEvent): void {
  switch (event.type) {
    case 'trade.executed':
    case 'fill.booked':
      addFill(rows, event)
      for (const { asset, total } of event.data.balances) addBalance(rows, event, asset, total)
      break
    case 'funds.moved': {
      const { asset, balance, postings } = event.data
      const amount = postings.filter((posting) => posting.asset === asset).reduce((sum, posting) => sum + parseFixed(posting.amount), 0n)
      rows.flows.push({ userId: event.user_id, sequence: event.sequence, at: event.timestamp, asset, amount: formatFixed(amount, 12) })
      addBalance(rows, event, balance.asset, balance.total)
      break
    }
    case 'insurance.paid': {
      const { asset, amount, balance } = event.data
      // Given to the account, not earned by it.
      rows.flows.push({ userId: event.user_id, sequence: event.sequence, at: event.timestamp, asset, amount })
      addBalance(rows, event, balance.asset, balance.total)
      break
    }
    case 'liquidation.fee_paid':
      addBalance(rows, event, event.data.balance.asset, event.data.balance.total)
      break
    default:
      // Orders, limits and modes move no money.
      break
  }
}

function addBalance(rows: Rows, event: TradingEvent, asset: string, total: string): void {
  const at = storedTime(event)
  rows.balances.set(`${event.user_id} ${asset} ${at}`, { userId: event.user_id, asset, at, total })
}

function addFill(rows: Rows, event: FillEvent): void {
  const { user_id: userId, sequence, timestamp, data } = event
  const { symbol, side, position } = data
  const quantity = parseFixed(data.quantity)
  const grossRealized = parseFixed(data.realized_pnl)
  const fee = event.type === 'trade.executed' ? event.data.fee : '0'
  // A fill that realised something closed something, even where later fills of the same command hide it in the position.
  const closing = grossRealized !== 0n || isClosing(side, quantity, parseFixed(position.quantity))
  const notional = multiply(quantity, parseFixed(data.price))
  rows.fills.push({
    userId,
    sequence,
    at: timestamp,
    symbol,
    notional: formatFixed(notional, 12),
    cash: formatFixed(side === 'BUY' ? -notional : notional, 12),
    fee,
    grossRealized: data.realized_pnl,
    isClosing: closing,
    isWinning: closing && grossRealized > parseFixed(fee),
  })
  const at = storedTime(event)
  rows.positions.set(`${userId} ${symbol} ${at}`, { userId, symbol, at, quantity: position.quantity, averagePrice: position.average_price })
}

/** House accounts trade with everyone: their history is kept by the minute, or it would outgrow all others together. */
function storedTime(event: TradingEvent): string {
  return isSystemUser(event.user_id) ? `${event.timestamp.slice(0, 16)}:00.000Z` : event.timestamp
}

export function isSystemUser(userId: string): boolean {
  return userId.startsWith(systemUserPrefix)
}
