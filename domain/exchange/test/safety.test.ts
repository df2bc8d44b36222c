import { describe, expect, test } from 'vitest'
import { CommandKind, MarketStatus, unamended } from '@maru/contracts/commands'
import { Exchange, OrderStatus, refusals } from '../index.ts'
import { one, Venue, type OrderRequest } from './venue.ts'

const buy: OrderRequest = { side: 'BUY', price: 1_900_000, quantity: 10_000 }
const sell: OrderRequest = { side: 'SELL', price: 2_100_000, quantity: 10_000 }

/** Rules 2, a mark of 20,000.00, and two users with 100,000 USDT and 10 BTC. */
function given() {
  const venue = new Venue({ rules: 3, secondMarket: true })
  const [ann, bob] = [venue.account('ann', 100_000, 10), venue.account('bob', 100_000, 10)]
  const [rich, poor] = [venue.account('rich', 900_000), venue.account('poor', 2_050)]
  venue.mark(2_000_000)
  venue.mark(100_000, 1)
  return { venue, ann, bob, rich, poor }
}

const codeOf = (refusal: number): string => refusals[refusal]!

describe('controls of an account', () => {
  test('are told in its stream, stay where they are not named, and go with 0', () => {
    const { venue, ann } = given()
    expect(venue.controls(ann, { feeTier: 3, openOrdersMax: 5 })).toEqual([{ kind: 'controlsChanged', fields: [ann, 4] }])
    venue.controls(ann, { reduceOnly: 1 })
    expect(venue.exchange.controls(ann)).toMatchObject({ feeTier: 3, openOrdersMax: 5, reduceOnly: 1, tradeGroup: 0 })
    venue.controls(ann, { feeTier: 0, reduceOnly: 0 })
    expect(venue.exchange.controls(ann)).toMatchObject({ feeTier: 0, openOrdersMax: 5, reduceOnly: 0 })
  })

  test.each([
    ['feeTier', 101],
    ['reduceOnly', 2],
    ['openOrdersMax', 10_001],
    ['messagesPerSecondMax', 0.5],
    ['tradeGroup', -2],
  ])('%s of %d is refused', (figure, value) => {
    const { venue, ann } = given()
    venue.controls(ann, { [figure]: value })
    expect(venue.refusal()).toBe('invalid_request')
    venue.controls(99, { feeTier: 1 })
    expect(venue.refusal()).toBe('account_not_found')
  })

  test('messages in a second: what is beyond is refused until the next, cancels never', () => {
    const { venue, ann } = given()
    venue.controls(ann, { messagesPerSecondMax: 2 })
    const first = venue.order(ann, buy)
    venue.order(ann, buy)
    expect(codeOf(venue.order(ann, buy).refusal)).toBe('rate_limited')
    venue.send({ kind: CommandKind.amendOrder, account: ann, order: first.order, ...unamended, quantity: 5_000 })
    expect(venue.refusal()).toBe('rate_limited')
    venue.send({ kind: CommandKind.cancelOrder, account: ann, order: first.order })
    expect(venue.refusal()).toBeUndefined()
    venue.timeMs += 1_000
    expect(venue.order(ann, buy).refusal).toBe(0)
  })

  test('a cap of its own on open orders holds instead of the usual one', () => {
    const { venue, ann } = given()
    venue.controls(ann, { openOrdersMax: 1 })
    venue.order(ann, buy)
    expect(codeOf(venue.order(ann, buy).refusal)).toBe('open_order_limit')
    venue.controls(ann, { openOrdersMax: 300 })
    for (let count = 1; count < 300; count++) expect(venue.order(ann, { ...buy, price: 100_000, quantity: 1_000 }).refusal).toBe(0)
    expect(codeOf(venue.order(ann, buy).refusal)).toBe('open_order_limit')
  })

  test('in reduce-only mode only what reduces is taken', () => {
    const { venue, ann } = given()
    venue.controls(ann, { reduceOnly: 1 })
    expect(codeOf(venue.order(ann, buy).refusal)).toBe('reduce_only_mode')
    expect(venue.order(ann, sell).refusal).toBe(0)
    venue.send({ kind: CommandKind.massQuote, account: ann, symbol: 0, bids: [1_000_000, 10_000], asks: [] })
    expect(venue.refusal()).toBe('reduce_only_mode')
  })
})

describe('the kill switch', () => {
  test('of an account cancels its orders and quotes and refuses new ones; cancels work', () => {
    const { venue, ann, bob } = given()
    venue.order(ann, buy)
    venue.order(ann, { ...buy, symbol: 1, price: 90_000 })
    venue.send({ kind: CommandKind.massQuote, account: ann, symbol: 0, bids: [1_500_000, 10_000], asks: [] })
    const other = venue.order(bob, buy)
    venue.kill(true, { account: ann })
    expect(venue.exchange.openOrders(ann)).toEqual([])
    expect([venue.held(ann), venue.exchange.book(0, 9).bids.length]).toEqual([0, 1])
    expect(codeOf(venue.order(ann, buy).refusal)).toBe('kill_switch')
    venue.send({ kind: CommandKind.massQuote, account: ann, symbol: 0, bids: [1_500_000, 10_000], asks: [] })
    expect(venue.refusal()).toBe('kill_switch')
    expect(venue.exchange.order(other.order)).toBeDefined()
    venue.kill(false, { account: ann })
    expect(venue.order(ann, buy).refusal).toBe(0)
  })

  test('that its owner switched on its owner switches off; what an operator switched on only an operator', () => {
    const { venue, ann } = given()
    venue.kill(true, { account: ann, byOperator: false })
    venue.kill(false, { account: ann, byOperator: false })
    expect(venue.exchange.controls(ann).killed).toBe(0)
    venue.kill(true, { account: ann, byOperator: false })
    venue.kill(true, { account: ann })
    expect(venue.kill(true, { account: ann, byOperator: false })).toEqual([{ kind: 'commandRepeated', fields: [] }])
    venue.kill(false, { account: ann, byOperator: false })
    expect(venue.refusal()).toBe('kill_switch')
    venue.kill(false, { account: ann })
    expect(venue.exchange.controls(ann).killed).toBe(0)
  })

  test('of a market cancels what is open there, stops too, and amendments are refused; the other market goes on', () => {
    const { venue, ann, bob } = given()
    const resting = venue.order(ann, buy)
    venue.order(bob, { side: 'BUY', type: 'STOP', stopPrice: 2_200_000, quantity: 10_000 })
    const elsewhere = venue.order(ann, { ...buy, symbol: 1, price: 90_000 })
    expect(venue.kill(true, { symbol: 0 })[0]).toEqual({ kind: 'killSwitched', fields: [0, 1] })
    expect(venue.exchange.order(resting.order)).toMatchObject({ status: OrderStatus.cancelled })
    expect(venue.exchange.openOrders(bob)).toEqual([])
    expect(codeOf(venue.order(bob, buy).refusal)).toBe('kill_switch')
    venue.send({ kind: CommandKind.amendOrder, account: ann, order: elsewhere.order, ...unamended, quantity: 5_000 })
    expect(venue.refusal()).toBeUndefined()
    venue.kill(true)
    expect(venue.exchange.openOrders(ann)).toEqual([])
    expect(codeOf(venue.order(bob, { ...buy, symbol: 1, price: 90_000 }).refusal)).toBe('kill_switch')
    venue.kill(false)
    expect(venue.order(bob, { ...buy, symbol: 1, price: 90_000 }).refusal).toBe(0)
    expect(codeOf(venue.order(bob, buy).refusal)).toBe('kill_switch')
  })

  test('of a wide book cancels some with each moment that passes; nothing trades meanwhile, and a restored state goes on alike', () => {
    const { venue, rich, bob: stopper } = given()
    venue.controls(rich, { openOrdersMax: 10_000 })
    for (let count = 0; count < 2_500; count++) venue.order(rich, { ...buy, price: 1_000_000 + count, quantity: 1_000 })
    venue.order(stopper, { side: 'SELL', type: 'STOP', stopPrice: 1_800_000, quantity: 10_000 })
    venue.kill(true)
    expect(venue.exchange.openOrders(rich).length).toBe(1_500)
    expect(venue.exchange.nextDueMs).toBe(venue.timeMs + 1)
    // A mark would wake the stop.
    expect(venue.mark(1_700_000).map(({ kind }) => kind)).toEqual(['markUpdated'])
    const restored = Exchange.restore(venue.exchange.snapshot())
    expect(restored.nextDueMs).toBe(venue.exchange.nextDueMs)
    for (let tick = 0; tick < 3; tick++) {
      venue.wait(1)
      restored.apply(venue.commands.at(-1)!)
      expect(restored.stateHash()).toBe(venue.exchange.stateHash())
    }
    expect(venue.exchange.openOrders(rich)).toEqual([])
    expect(venue.exchange.openOrders(stopper)).toEqual([])
    expect(venue.exchange.nextDueMs).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('the dead-man timer', () => {
  const after = (venue: Venue, account: number, timeoutMs: number): void => {
    venue.send({ kind: CommandKind.cancelAllAfter, account, timeoutMs })
  }

  test('cancels everything once, unless it is set anew or off in time', () => {
    const { venue, ann } = given()
    const restored = (): Exchange => Exchange.restore(venue.exchange.snapshot())
    venue.order(ann, buy)
    after(venue, ann, 5_000)
    venue.wait(4_000)
    after(venue, ann, 5_000)
    expect(restored().nextDueMs).toBe(venue.timeMs + 5_000)
    venue.wait(4_999)
    expect(venue.exchange.openOrders(ann).length).toBe(1)
    const copy = restored()
    venue.wait(1)
    copy.apply(venue.commands.at(-1)!)
    expect(copy.stateHash()).toBe(venue.exchange.stateHash())
    expect(venue.events().map(({ kind }) => kind)).toEqual(['orderUpdated'])
    venue.order(ann, buy)
    venue.wait(60_000)
    expect(venue.exchange.openOrders(ann).length).toBe(1)
    after(venue, ann, 1_000)
    after(venue, ann, 0)
    venue.wait(60_000)
    expect(venue.exchange.openOrders(ann).length).toBe(1)
  })

  test('set to an earlier time it holds at that', () => {
    const { venue, ann } = given()
    venue.order(ann, buy)
    after(venue, ann, 50_000)
    after(venue, ann, 1_000)
    venue.wait(1_000)
    expect(venue.exchange.openOrders(ann)).toEqual([])
  })

  test.each([-1, 0.5, 86_400_001, Number.NaN])('of %d ms is refused', (timeoutMs) => {
    const { venue, ann } = given()
    after(venue, ann, timeoutMs)
    expect(venue.refusal()).toBe('invalid_request')
  })
})

describe('price collars', () => {
  /** Asks at 20,100 and 21,500 of a tenth each. */
  function withBook() {
    const scene = given()
    scene.venue.rules({ collarPpm: 50_000, limitBandPpm: 500_000 })
    scene.venue.order(scene.bob, { side: 'SELL', price: 2_010_000, quantity: 10_000 })
    scene.venue.order(scene.bob, { side: 'SELL', price: 2_150_000, quantity: 10_000 })
    scene.venue.order(scene.bob, { side: 'BUY', price: 1_890_000, quantity: 10_000 })
    return scene
  }

  test('a market order trades within the collar, the rest expires', () => {
    const { venue, ann } = withBook()
    const order = venue.order(ann, { side: 'BUY', type: 'MARKET', quantity: 20_000 })
    expect([order.filled, order.status, codeOf(order.refusal)]).toEqual([10_000, OrderStatus.expired, 'price_collar'])
    const sold = venue.order(ann, { side: 'SELL', type: 'MARKET', quantity: 10_000 })
    expect([sold.filled, codeOf(sold.refusal)]).toEqual([0, 'price_collar'])
  })

  test('what can be paid for is asked of the collar alone, and all-or-none looks no further', () => {
    const { venue, ann, poor } = withBook()
    expect(venue.order(poor, { side: 'BUY', type: 'MARKET', quantity: 20_000 }).filled).toBe(10_000)
    const whole = venue.order(ann, { side: 'BUY', type: 'MARKET', tif: 'FOK', quantity: 20_000 })
    expect([whole.filled, codeOf(whole.refusal)]).toEqual([0, 'fok_not_filled'])
    const byValue = venue.order(ann, { side: 'BUY', type: 'MARKET', quantity: 0, extras: { quoteQuantity: 3_000 * one } })
    expect(byValue.filled).toBe(0)
    expect(venue.refusal()).toBeDefined()
  })

  test('a stop that wakes is held by the collar as well', () => {
    const { venue, ann } = withBook()
    const { order } = venue.order(ann, { side: 'BUY', type: 'STOP', stopPrice: 2_005_000, quantity: 20_000 })
    venue.mark(2_006_000)
    expect(venue.exchange.order(order)).toMatchObject({ filled: 10_000, refusal: refusals.indexOf('price_collar') })
  })

  test('a limit order may not be priced beyond its band on the side that gives away', () => {
    const { venue, ann } = withBook()
    expect(codeOf(venue.order(ann, { ...buy, price: 3_000_001 }).refusal)).toBe('price_collar')
    expect(venue.order(ann, { ...buy, price: 3_000_000, quantity: 5_000 }).refusal).toBe(0)
    expect(codeOf(venue.order(ann, { ...sell, price: 999_999 }).refusal)).toBe('price_collar')
    expect(venue.order(ann, { ...sell, price: 9_000_000 }).refusal).toBe(0)
    expect(codeOf(venue.order(ann, { ...buy, type: 'STOP_LIMIT', stopPrice: 2_500_000, price: 3_750_001 }).refusal)).toBe('price_collar')
    venue.send({ kind: CommandKind.massQuote, account: ann, symbol: 0, bids: [3_000_001, 1_000], asks: [] })
    expect(venue.refusal()).toBe('price_collar')
  })

  test('without a reference price nothing is held against it', () => {
    const venue = new Venue({ rules: 3 })
    const ann = venue.account('ann', 100_000, 10)
    venue.rules({ limitBandPpm: 10, collarPpm: 10 })
    expect(venue.order(ann, { ...buy, price: 5_000, quantity: 1_000_000 }).refusal).toBe(0)
  })

  test.each([
    [{ collarPpm: 1_000_001 }],
    [{ maintenancePpm: -2 }],
    [{ haltMovePpm: 5 }],
    [{ haltMovePpm: 5, haltWindowMs: 5, haltForMs: 0.5 }],
  ])('rules that cannot be, %o, are refused', (rules) => {
    const { venue } = given()
    venue.rules(rules)
    expect(venue.refusal()).toBe('invalid_request')
  })
})

describe('the volatility halt', () => {
  function watched() {
    const scene = given()
    const { venue, ann, bob } = scene
    venue.rules({ haltMovePpm: 100_000, haltWindowMs: 60_000, haltForMs: 10_000, auctionForMs: 5_000 })
    const trade = (price: number): void => {
      venue.order(bob, { side: 'SELL', price, quantity: 1_000 })
      venue.order(ann, { side: 'BUY', price, quantity: 1_000 })
    }
    return { ...scene, trade, status: () => venue.exchange.markets[0]!.status }
  }

  test('halts a market that moved too far within the window, then an auction, then it is open', () => {
    const { venue, trade, status, ann, bob } = watched()
    trade(2_000_000)
    trade(2_200_000)
    expect(status()).toBe(MarketStatus.open)
    trade(2_200_001)
    expect(status()).toBe(MarketStatus.halted)
    expect(codeOf(venue.order(ann, buy).refusal)).toBe('market_halted')
    const copy = Exchange.restore(venue.exchange.snapshot())
    venue.wait(10_000)
    copy.apply(venue.commands.at(-1)!)
    expect([status(), copy.stateHash()]).toEqual([MarketStatus.auction, venue.exchange.stateHash()])
    venue.order(bob, { side: 'SELL', price: 2_100_000, quantity: 1_000 })
    venue.order(ann, { side: 'BUY', price: 2_100_000, quantity: 1_000 })
    expect(venue.wait(5_000).map(({ kind }) => kind)).toEqual(['auctionTrade', 'orderUpdated', 'orderUpdated', 'marketStatusChanged'])
    expect([status(), venue.exchange.lastPrice(0)]).toEqual([MarketStatus.open, 2_100_000])
    // From the price of the auction on.
    trade(2_300_000)
    expect(status()).toBe(MarketStatus.open)
  })

  test('a move that took longer than the window does not halt', () => {
    const { venue, trade, status } = watched()
    for (let price = 2_000_000; price < 2_600_000; price += 100_000) {
      trade(price)
      venue.wait(60_000)
    }
    expect(status()).toBe(MarketStatus.open)
  })

  test('a stop that wakes into a halt waits', () => {
    const { venue, trade, status, ann, bob } = watched()
    trade(2_000_000)
    venue.order(bob, { side: 'SELL', price: 2_150_000, quantity: 1_000 })
    venue.order(bob, { side: 'SELL', price: 2_300_000, quantity: 1_000 })
    const stop = (stopPrice: number) => venue.order(ann, { side: 'BUY', type: 'STOP', stopPrice, quantity: 1_000 }).order
    const [, second] = [stop(2_100_000), stop(2_250_000), stop(2_310_000)]
    trade(2_120_000)
    trade(2_199_000)
    venue.order(ann, { side: 'BUY', price: 2_300_000, quantity: 500 })
    expect(status()).toBe(MarketStatus.halted)
    expect(venue.exchange.order(second)).toMatchObject({ status: OrderStatus.pending })
  })

  test('an operator takes over', () => {
    const { venue, trade, status } = watched()
    trade(2_000_000)
    trade(2_500_000)
    venue.status(MarketStatus.halted)
    venue.wait(100_000)
    expect(status()).toBe(MarketStatus.halted)
    venue.status(MarketStatus.open)
    expect(status()).toBe(MarketStatus.open)
  })
})

test('under rules 1 none of it is known, and nothing changes', () => {
  const venue = new Venue()
  const ann = venue.account('ann')
  for (const send of [
    () => venue.controls(ann, { feeTier: 1 }),
    () => venue.kill(true),
    () => venue.rules({ collarPpm: 1 }),
    () => venue.auction(1_000),
    () => venue.send({ kind: CommandKind.cancelAllAfter, account: ann, timeoutMs: 1 }),
  ]) {
    send()
    expect(venue.refusal()).toBe('invalid_request')
  }
})
