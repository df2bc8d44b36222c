import { describe, expect, test } from 'vitest'
import { CommandKind, MarketStatus } from '@maru/contracts/commands'
import { one, Venue } from './venue.ts'

const btc = 100_000

class House extends Venue {
  readonly house = this.account('system-house', 900_000, 20)
  readonly user = this.account('user', 100_000, 5)

  quote(bids: number[], asks: number[]) {
    return this.send({ kind: CommandKind.massQuote, account: this.house, symbol: 0, bids, asks })
  }
  ladder() {
    const { bids, asks } = this.exchange.book(0, 10)
    return { bids: bids.map(({ price, quantity }) => [price, quantity]), asks: asks.map(({ price, quantity }) => [price, quantity]) }
  }
}

describe('a mass quote', () => {
  test('replaces all quotes of the account in the market, without a word but for its holds', () => {
    const venue = new House()
    expect(venue.quote([1_999_000, btc, 1_998_000, 2 * btc], [2_001_000, btc])).toEqual([])
    expect(venue.ladder()).toEqual({
      bids: [
        [1_999_000, btc],
        [1_998_000, 2 * btc],
      ],
      asks: [[2_001_000, btc]],
    })
    expect(venue.held(venue.house)).toBe(59_950 * one + (59_950 * one) / 1_000)
    expect(venue.held(venue.house, 1)).toBe(one)
    venue.quote([1_998_500, btc], [])
    expect(venue.ladder()).toEqual({ bids: [[1_998_500, btc]], asks: [] })
    expect(venue.held(venue.house, 1)).toBe(0)
    expect(venue.exchange.openOrders(venue.house)).toEqual([])
    venue.quote([], [])
    expect(venue.exchange.balance(venue.house, 0)).toEqual({ total: 900_000 * one, held: 0 })
  })

  test('keeps the place of a level that stays and does not grow, and loses it when it grows', () => {
    for (const [lots, first] of [
      [btc, 'house'],
      [0.5 * btc, 'house'],
      [1.5 * btc, 'user'],
    ] as const) {
      const venue = new House()
      venue.quote([], [2_001_000, btc])
      venue.order(venue.user, { side: 'SELL', price: 2_001_000, quantity: btc })
      venue.quote([1_900_000, btc], [2_000_500, 100, 2_001_000, lots, 2_002_000, btc])
      const taker = venue.account('taker')
      venue.order(taker, { side: 'BUY', price: 2_001_000, quantity: 0.1 * btc + 100 })
      const makers = venue
        .events()
        .filter(({ kind }) => kind === 'trade')
        .map(({ fields }) => fields[12])
      expect(makers).toEqual([venue.house, venue[first]])
    }
  })

  test('trades where it crosses: the other side is told, the quote is not, and both streams count the trade', () => {
    const venue = new House()
    const order = venue.order(venue.user, { side: 'SELL', price: 2_000_000, quantity: btc })
    const sequence = venue.exchange.accountSequence(venue.house)
    const events = venue.quote([2_000_100, 3 * btc], [2_001_000, btc])
    expect(events.map(({ kind }) => kind)).toEqual(['trade', 'orderUpdated'])
    expect(events[0]!.fields.slice(6, 9)).toEqual([order.order + 1, venue.house, sequence + 1])
    expect(events[1]!.fields[2]).toBe(order.order)
    expect(venue.ladder()).toEqual({ bids: [[2_000_100, 2 * btc]], asks: [[2_001_000, btc]] })
  })

  test('leaves out what would meet an order of its own account', () => {
    const venue = new House()
    venue.order(venue.house, { side: 'SELL', price: 2_000_000, quantity: btc })
    expect(venue.quote([2_000_100, btc, 1_999_000, btc], [])).toEqual([])
    expect(venue.ladder()).toEqual({ bids: [[1_999_000, btc]], asks: [[2_000_000, btc]] })
  })

  test('wakes stops by its trades', () => {
    const venue = new House()
    const stop = venue.order(venue.user, { side: 'BUY', type: 'STOP', stopPrice: 2_000_000, quantity: 0.1 * btc })
    const seller = venue.account('seller', 0, 1)
    venue.order(seller, { side: 'SELL', price: 2_000_000, quantity: 0.1 * btc })
    const events = venue.quote([2_000_000, 0.1 * btc], [2_000_500, btc])
    expect(events.map(({ kind }) => kind)).toEqual(['trade', 'orderUpdated', 'orderTriggered', 'trade', 'orderUpdated'])
    expect(venue.exchange.order(stop.order)!.filled).toBe(0.1 * btc)
  })

  const bad: [name: string, bids: number[], asks: number[], code: string][] = [
    ['more than its position limit', [2_000_000, 46 * btc], [], 'position_limit'],
    ['more coins than it has', [], [2_000_000, 21 * btc], 'insufficient_funds'],
    ['bids that are not best first', [1_000_000, btc, 1_100_000, btc], [], 'invalid_price'],
    ['asks that are not best first', [], [2_000_000, btc, 2_000_000, btc], 'invalid_price'],
    ['a bid at its own ask', [2_000_000, btc], [2_000_000, btc], 'invalid_price'],
    ['half a level', [2_000_000], [], 'invalid_request'],
    ['too many levels', Array.from({ length: 202 }, (_, at) => (at % 2 === 0 ? 2_000_000 - at : btc)), [], 'invalid_request'],
    ['no quantity', [2_000_000, 0], [], 'invalid_quantity'],
    ['no price', [Number.NaN, btc], [], 'invalid_price'],
    ['less than the least value', [2_000_000, 49], [], 'min_notional'],
  ]
  test.each(bad)('of %s is refused whole and takes the old quotes away', (_name, bids, asks, code) => {
    const venue = new House()
    venue.quote([1_000_000, btc], [3_000_000, btc])
    venue.quote(bids, asks)
    expect(venue.refusal()).toBe(code)
    expect(venue.ladder()).toEqual({ bids: [], asks: [] })
    expect(venue.held(venue.house) + venue.held(venue.house, 1)).toBe(0)
  })

  test('counts what its old quotes hold as free', () => {
    const venue = new House()
    venue.quote([2_000_000, 20 * btc], [2_100_000, 20 * btc])
    expect(venue.quote([2_000_100, 20 * btc], [2_100_100, 20 * btc])).toEqual([])
  })

  test('is refused in a market that is not open, and may be withdrawn by cancelling all', () => {
    const venue = new House()
    venue.quote([2_000_000, btc], [])
    venue.status(MarketStatus.cancelOnly)
    venue.quote([2_000_000, btc], [])
    expect(venue.refusal()).toBe('cancel_only')
    venue.status(MarketStatus.open)
    venue.quote([2_000_000, btc], [])
    venue.send({ kind: CommandKind.cancelAll, account: venue.house, symbol: 0 })
    expect(venue.ladder()).toEqual({ bids: [], asks: [] })
  })

  test('quotes cannot be cancelled as orders', () => {
    const venue = new House()
    venue.quote([2_000_000, btc], [])
    venue.send({ kind: CommandKind.cancelOrder, account: venue.house, order: 1 })
    expect(venue.refusal()).toBe('order_not_found')
  })
})
