import type { OrderData, TradingEvent, UserEvent } from '@maru/contracts'

const at = '2026-01-02T03:04:05.678Z'

/** Events as the log carries them, for tests. */
export function registered(userId: string, more: Partial<Extract<UserEvent, { type: 'user.registered' }>['data']> = {}): UserEvent {
  const data = { user_id: userId, email: `${userId}@example.com`, username: userId, roles: [], language: 'en', ...more }
  return { id: `registered-${userId}`, type: 'user.registered', v: 1, timestamp: at, data }
}

export function profileChanged(userId: string, username: string, language: string): UserEvent {
  return {
    id: `changed-${userId}-${language}`,
    type: 'user.profile_changed',
    v: 1,
    timestamp: at,
    data: { user_id: userId, username, language },
  }
}

export function orderOf(userId: string, more: Partial<OrderData> = {}): OrderData {
  return {
    id: '42',
    client_order_id: 'c-1',
    user_id: userId,
    symbol: 'BTC/USDT',
    side: 'BUY',
    order_type: 'LIMIT',
    time_in_force: 'GTC',
    quantity: '0.5000',
    filled_quantity: '0.5000',
    price: '64000.10',
    stop_price: null,
    average_price: '63999.50',
    fee: '31.99',
    status: 'FILLED',
    reject_code: null,
    created_at: at,
    updated_at: at,
    ...more,
  }
}

type OrderEventType = 'order.created' | 'order.rejected' | 'order.triggered' | 'order.status_updated'

let number = 0

export function orderEvent(type: OrderEventType, userId: string, more: Partial<OrderData> = {}): TradingEvent {
  number += 1
  return {
    id: `${String(number).padStart(12, '0')}-0`,
    type,
    v: 1,
    timestamp: at,
    user_id: userId,
    sequence: number,
    data: orderOf(userId, more),
  }
}

export function fundsMoved(userId: string, amount: string, reason: 'grant' | 'deposit' | 'withdrawal'): TradingEvent {
  number += 1
  return {
    id: `${String(number).padStart(12, '0')}-0`,
    type: 'funds.moved',
    v: 1,
    timestamp: at,
    user_id: userId,
    sequence: number,
    data: {
      amount,
      asset: 'USDT',
      reference: 'ref',
      actor: 'operator',
      balance: { asset: 'USDT', total: '100000.00', held: '0', available: '100000.00' },
      postings: [{ asset: 'USDT', amount, reason, reference: 'ref' }],
    },
  }
}
