import type { NotificationKind } from '@maru/contracts/http/notification'
import { figure, type Template } from './figures.ts'

const side = (data: Readonly<Record<string, unknown>>): string => (data['side'] === 'SELL' ? 'Sell' : 'Buy')

const order = (data: Readonly<Record<string, unknown>>): string => `${side(data)} ${figure(data, 'quantity')} ${figure(data, 'symbol')}`

export const english: Record<NotificationKind, Template> = {
  welcome: (data) => ({
    title: `Welcome to Maru, ${figure(data, 'username')}`,
    body: 'Your trading account is open. Have a look at its balances and at the markets, and place your first order when you are ready.',
  }),
  order_filled: (data) => ({
    title: `Filled: ${order(data)}`,
    body: `Your order ${figure(data, 'order_id')} has been filled: ${figure(data, 'filled_quantity')} ${figure(data, 'symbol')} at an average price of ${figure(data, 'average_price')}.`,
  }),
  order_partially_filled: (data) => ({
    title: `Partly filled: ${order(data)}`,
    body: `${figure(data, 'filled_quantity')} of ${figure(data, 'quantity')} ${figure(data, 'symbol')} of your order ${figure(data, 'order_id')} have been filled, at an average price of ${figure(data, 'average_price')}.`,
  }),
  order_rejected: (data) => ({
    title: `Rejected: ${order(data)}`,
    body: `Your order ${figure(data, 'order_id')} was rejected (${figure(data, 'reject_code')}).`,
  }),
  order_cancelled: (data) => ({
    title: `Cancelled: ${order(data)}`,
    body: `Your order ${figure(data, 'order_id')} has been cancelled. Filled before that: ${figure(data, 'filled_quantity')} of ${figure(data, 'quantity')}.`,
  }),
  order_expired: (data) => ({
    title: `Expired: ${order(data)}`,
    body: `Your order ${figure(data, 'order_id')} has expired. Filled before that: ${figure(data, 'filled_quantity')} of ${figure(data, 'quantity')}.`,
  }),
  stop_triggered: (data) => ({
    title: `Stop triggered: ${order(data)}`,
    body: `The stop price ${figure(data, 'stop_price')} of your order ${figure(data, 'order_id')} has been reached; the order is now at the market.`,
  }),
  funds_moved: (data) => {
    const amount = figure(data, 'amount')
    const out = amount.startsWith('-')
    const sum = `${out ? amount.slice(1) : amount} ${figure(data, 'asset')}`
    return {
      title: out ? `Withdrawn: ${sum}` : `Received: ${sum}`,
      body: `${sum} ${out ? 'left' : 'came into'} your account. Available now: ${figure(data, 'available')} ${figure(data, 'asset')}.`,
    }
  },
}
