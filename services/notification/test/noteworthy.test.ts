import { describe, expect, test } from 'vitest'
import { notificationKinds } from '@maru/contracts/http/notification'
import type { TradingEvent, UserEvent } from '@maru/contracts'
import { noteworthy } from '../inbox/noteworthy.ts'
import { render } from '../templates/index.ts'
import { fundsMoved, orderEvent, profileChanged, registered } from './events.ts'

describe('which events a user is told of', () => {
  test.each<[string, TradingEvent | UserEvent, string | undefined]>([
    ['a registration', registered('ann'), 'welcome'],
    ['a change of profile', profileChanged('ann', 'ann', 'ko'), undefined],
    ['an order taken', orderEvent('order.created', 'ann', { status: 'PENDING' }), undefined],
    ['an order filled', orderEvent('order.status_updated', 'ann', { status: 'FILLED' }), 'order_filled'],
    ['an order filled in part', orderEvent('order.status_updated', 'ann', { status: 'PARTIALLY_FILLED' }), 'order_partially_filled'],
    ['an order cancelled', orderEvent('order.status_updated', 'ann', { status: 'CANCELLED' }), 'order_cancelled'],
    ['an order expired', orderEvent('order.status_updated', 'ann', { status: 'EXPIRED' }), 'order_expired'],
    ['an order back to pending', orderEvent('order.status_updated', 'ann', { status: 'PENDING' }), undefined],
    ['an order rejected', orderEvent('order.rejected', 'ann', { status: 'REJECTED', reject_code: 'insufficient_funds' }), 'order_rejected'],
    ['a stop triggered', orderEvent('order.triggered', 'ann'), 'stop_triggered'],
    ['a deposit', fundsMoved('ann', '100', 'deposit'), 'funds_moved'],
    ['a fill of the house', orderEvent('order.status_updated', 'system-liquidity'), undefined],
    ['a registration of the house', registered('system-x'), undefined],
    ['a type of a later release', { ...orderEvent('order.created', 'ann'), type: 'order.moved' } as unknown as TradingEvent, undefined],
  ])('%s', (_name, event, kind) => {
    expect(noteworthy(event)?.kind).toBe(kind)
  })

  test('the grant that comes with the welcome is not mailed, a deposit is', () => {
    expect(noteworthy(fundsMoved('ann', '100000', 'grant'))?.mailable).toBe(false)
    expect(noteworthy(fundsMoved('ann', '100', 'deposit'))?.mailable).toBe(true)
  })
})

describe('the words', () => {
  const filled = noteworthy(orderEvent('order.status_updated', 'ann'))?.data ?? {}

  test('in English', () => {
    expect(render('en', 'order_filled', filled)).toEqual({
      title: 'Filled: Buy 0.5 BTC/USDT',
      body: 'Your order 42 has been filled: 0.5 BTC/USDT at an average price of 63999.5.',
    })
    expect(render('en', 'funds_moved', noteworthy(fundsMoved('ann', '-25.50', 'withdrawal'))?.data ?? {})).toEqual({
      title: 'Withdrawn: 25.5 USDT',
      body: '25.5 USDT left your account. Available now: 100000 USDT.',
    })
  })

  test('in Korean', () => {
    expect(render('ko', 'order_filled', filled).title).toBe('체결 완료: BTC/USDT 0.5 매수')
    expect(render('ko', 'funds_moved', noteworthy(fundsMoved('ann', '10', 'deposit'))?.data ?? {}).title).toBe('입금: 10 USDT')
  })

  test.each(['en', 'ko'] as const)('every kind has words in %s, even without its figures', (language) => {
    for (const kind of notificationKinds) {
      for (const data of [filled, {}]) {
        const { title, body } = render(language, kind, data)
        expect(title.length).toBeGreaterThan(3)
        expect(body).not.toMatch(/undefined|null|NaN|\[object/)
      }
    }
  })

  test('control characters do not pass', () => {
    const { title } = render('en', 'welcome', { username: 'ann\r\nBcc: all@example.com' })
    expect(title).not.toMatch(/[\r\n]/)
  })
})
