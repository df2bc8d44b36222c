import type { OrderData } from '@maru/contracts'

export const timestamp = '2026-01-01T00:00:00.000Z'

/** A limit order as events show it. */
export function orderOf(id: string, userId: string, change: Partial<OrderData> = {}): OrderData {
  return {
    id,
    client_order_id: id,
    user_id: userId,
    symbol: 'BTC/USDT',
    side: 'BUY',
    order_type: 'LIMIT',
    time_in_force: 'GTC',
    quantity: '1',
    filled_quantity: '0',
    price: '10',
    stop_price: null,
    average_price: null,
    fee: '0',
    status: 'PENDING',
    reject_code: null,
    created_at: timestamp,
    updated_at: timestamp,
    ...change,
  }
}
