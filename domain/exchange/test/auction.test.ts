import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommandKind, MarketStatus, unamended } from '@maru/contracts/commands'
import { Exchange, OrderStatus, refusals } from '../index.ts'
import { Auditor } from './invariants.ts'
import { Venue, type OrderRequest } from './venue.ts'

/** A market in auction, with six users of means. */
function given(markPrice = 2_000_000) {
  const venue = new Venue({ rules: 3, terms: { notionalMin: 0, quantityMinLots: 1 } })
  const users = Array.from({ length: 6 }, (_, index) => venue.account(`user-${index}`, 500_000, 10))
  const auditor = new Auditor(venue.exchange)
  if (markPrice > 0) venue.mark(markPrice)
  venue.auction(10_000)
  const take = (account: number, request: OrderRequest) => {
    const order = venue.order(account, request)
    auditor.check(venue.events())
    return order
  }
  const open = () => {
    const events = venue.wait(10_000)
    auditor.check(events)
    return events
  }
  return { venue, users, take, open }
}

const bid = (price: number, quantity: number): OrderRequest => ({ side: 'BUY', price, quantity })
const ask = (price: number, quantity: number): OrderRequest => ({ side: 'SELL', price, quantity })

describe('an auction', () => {
  test('collects without matching, trades at one price, and leaves the rest in the book', () => {
    const { venue, users, take, open } = given()
    take(users[0]!, bid(2_010_000, 100))
    take(users[1]!, bid(2_000_000, 100))
    take(users[2]!, ask(1_990_000, 50))
    take(users[3]!, ask(2_000_000, 100))
    expect(venue.exchange.auctionPrice(0)).toEqual({ price: 2_000_000, volume: 150, imbalance: 50 })
    const trades = open().filter(({ kind }) => kind === 'auctionTrade')
    expect(trades.map(({ fields }) => fields.slice(2, 4))).toEqual([
      [2_000_000, 50],
      [2_000_000, 50],
      [2_000_000, 50],
    ])
    expect(venue.exchange.markets[0]!.status).toBe(MarketStatus.open)
    expect(venue.exchange.book(0, 9)).toEqual({ bids: [{ price: 2_000_000, quantity: 50, orders: 1 }], asks: [] })
    expect(venue.exchange.auctionPrice(0)).toBeUndefined()
  })

  test('charges both sides as makers, and what a buyer held beyond the price is free again', () => {
    const { venue, users, take, open } = given()
    const { order } = take(users[0]!, bid(2_100_000, 100_000))
    take(users[1]!, ask(2_000_000, 100_000))
    const [trade] = open()
    const notional = 2_000_000 * 100_000 * 10
    expect([trade!.fields[9], trade!.fields[14]]).toEqual([notional * 0.0005, notional * 0.0005])
    expect([venue.held(users[0]!), venue.exchange.order(order)?.status]).toEqual([0, OrderStatus.filled])
  })

  test.each<[string, OrderRequest]>([
    ['market orders', { type: 'MARKET' }],
    ['stops', { type: 'STOP', stopPrice: 2_500_000 }],
    ['IOC', { price: 2_000_000, tif: 'IOC' }],
    ['FOK', { price: 2_000_000, tif: 'FOK' }],
  ])('refuses %s', (_name, request) => {
    const { users, take } = given()
    expect(refusals[take(users[0]!, { quantity: 1_000, ...request }).refusal]).toBe('market_auction')
  })

  test('refuses mass quotes; takes post-only, which does not take; cancels and amendments work', () => {
    const { venue, users, take } = given()
    venue.send({ kind: CommandKind.massQuote, account: users[0]!, symbol: 0, bids: [1_000_000, 100], asks: [] })
    expect(venue.refusal()).toBe('market_auction')
    take(users[1]!, ask(1_990_000, 50))
    const { order, refusal } = take(users[0]!, { ...bid(2_000_000, 100), extras: { isPostOnly: true } })
    expect(refusal).toBe(0)
    venue.send({ kind: CommandKind.amendOrder, account: users[0]!, order, ...unamended, quantity: 200, price: 2_010_000 })
    expect(venue.exchange.auctionPrice(0)).toMatchObject({ volume: 50, imbalance: 150 })
    venue.send({ kind: CommandKind.cancelOrder, account: users[0]!, order })
    expect(venue.exchange.auctionPrice(0)).toBeUndefined()
  })

  test('lets the newer of two orders of one owner go, and groups are one owner', () => {
    const { venue, users } = given()
    for (const account of users.slice(0, 2)) venue.controls(account, { tradeGroup: 7 })
    const first = venue.order(users[0]!, bid(2_000_000, 100))
    const newer = venue.order(users[1]!, ask(2_000_000, 100))
    const fair = venue.order(users[2]!, ask(2_000_000, 100))
    venue.wait(10_000)
    expect(venue.exchange.order(newer.order)).toMatchObject({ filled: 0, refusal: refusals.indexOf('self_trade_prevented') })
    expect([first, fair].map(({ order }) => venue.exchange.order(order)?.status)).toEqual([OrderStatus.filled, OrderStatus.filled])
  })

  test('an iceberg trades all it has, its hidden parts too', () => {
    const { venue, users, take, open } = given()
    take(users[0]!, { ...ask(2_000_000, 100), extras: { displayQuantity: 10 } })
    take(users[1]!, ask(2_000_000, 20))
    take(users[2]!, bid(2_000_000, 110))
    expect(venue.exchange.auctionPrice(0)).toMatchObject({ volume: 110 })
    open()
    expect(venue.exchange.book(0, 9)).toMatchObject({ bids: [], asks: [{ quantity: 10 }] })
  })

  test('then wakes the stops that its price has reached', () => {
    const { venue, users } = given()
    venue.status(MarketStatus.open)
    const { order } = venue.order(users[4]!, { side: 'BUY', type: 'STOP', stopPrice: 2_050_000, quantity: 10 })
    venue.auction(10_000)
    venue.order(users[0]!, bid(2_060_000, 100))
    venue.order(users[1]!, ask(2_060_000, 150))
    venue.wait(10_000)
    expect(venue.exchange.order(order)).toMatchObject({ status: OrderStatus.filled })
  })

  test('ended by hand trades then; halted instead, it keeps its orders until it opens', () => {
    const { venue, users, take } = given()
    take(users[0]!, bid(2_000_000, 100))
    take(users[1]!, ask(2_000_000, 100))
    venue.status(MarketStatus.halted)
    expect(venue.wait(60_000)).toEqual([])
    expect(venue.status(MarketStatus.open).map(({ kind }) => kind)).toContain('auctionTrade')
  })

  test.each([0, -1, 0.5, 86_400_001, Number.NaN])('of %d ms is refused', (auctionMs) => {
    const { venue } = given()
    venue.auction(auctionMs)
    expect(venue.refusal()).toBe('invalid_request')
  })
})

test('the price is the one a search over all prices finds', () => {
  const order = fc.record({ isBid: fc.boolean(), price: fc.integer({ min: 90, max: 110 }), lots: fc.integer({ min: 1, max: 5 }) })
  fc.assert(
    fc.property(fc.array(order, { minLength: 2, maxLength: 12 }), fc.integer({ min: 85, max: 115 }), (orders, mark) => {
      const { venue, users } = given(mark)
      orders.forEach(({ isBid, price, lots }, at) => venue.order(users[at % 6]!, isBid ? bid(price, lots) : ask(price, lots)))
      const sum = (isBid: boolean, price: number): number =>
        orders
          .filter((each) => each.isBid === isBid && (isBid ? each.price >= price : each.price <= price))
          .reduce((total, { lots }) => total + lots, 0)
      const { bids, asks } = venue.exchange.book(0, 1)
      const isCrossed = bids[0] && asks[0] && bids[0].price >= asks[0].price
      const candidates = Array.from({ length: 21 }, (_, at) => 90 + at)
        .map((price) => ({
          price,
          volume: Math.min(sum(true, price), sum(false, price)),
          imbalance: Math.abs(sum(true, price) - sum(false, price)),
        }))
        .filter(({ volume }) => volume > 0)
        .sort(
          (a, b) =>
            b.volume - a.volume || a.imbalance - b.imbalance || Math.abs(a.price - mark) - Math.abs(b.price - mark) || a.price - b.price,
        )
      expect(venue.exchange.auctionPrice(0)).toEqual(isCrossed ? candidates[0] : undefined)
      const copy = Exchange.restore(venue.exchange.snapshot())
      const auditor = venue.wait(10_000)
      copy.apply(venue.commands.at(-1)!)
      expect(copy.stateHash()).toBe(venue.exchange.stateHash())
      for (const { kind, fields } of auditor) if (kind === 'auctionTrade') expect(fields[0]).toBeGreaterThan(0)
      const after = venue.exchange.book(0, 1)
      if (after.bids[0] && after.asks[0]) expect(after.bids[0].price).toBeLessThan(after.asks[0].price)
    }),
    { numRuns: 300 },
  )
})
