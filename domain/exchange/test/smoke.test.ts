import { expect, test } from 'vitest'
import { Exchange, OrderStatus } from '../index.ts'
import { one, Venue } from './venue.ts'

test('a limit order rests, a market order trades with it, the rest is cancelled; restored it is the same', () => {
  const venue = new Venue()
  const maker = venue.account('maker', 0, 5)
  const taker = venue.account('taker')
  const resting = venue.order(maker, { side: 'SELL', price: 2_000_000, quantity: 200_000 })
  expect(resting.status).toBe(OrderStatus.pending)
  expect(venue.held(maker, 1)).toBe(2 * one)
  const bought = venue.order(taker, { type: 'MARKET', quantity: 50_000 })
  expect(bought).toMatchObject({ status: OrderStatus.filled, filled: 50_000, filledNotional: 10_000 * one, fee: 10 * one })
  expect(venue.total(taker)).toBe((100_000 - 10_010) * one)
  expect(venue.total(maker)).toBe((10_000 - 5) * one)
  expect(venue.held(maker, 1)).toBe(1.5 * one)
  expect(venue.exchange.book(0, 10)).toEqual({ bids: [], asks: [{ price: 2_000_000, quantity: 150_000, orders: 1 }] })
  const restored = Exchange.restore(venue.exchange.snapshot())
  expect(restored.stateHash()).toBe(venue.exchange.stateHash())
  venue.send({ kind: 5, account: maker, order: resting.order })
  expect(venue.held(maker, 1)).toBe(0)
  expect(venue.exchange.reconciliation().map(({ difference }) => difference)).toEqual([0n, 0n, 0n])
  expect(restored.stateHash()).not.toBe(venue.exchange.stateHash())
})
