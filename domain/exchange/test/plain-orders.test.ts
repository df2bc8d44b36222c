import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AccountMode, CommandKind, MarketStatus, OrderType, Side, TimeInForce } from '@maru/contracts/commands'
import { newestRules, openOrdersMax, OrderStatus, refusals } from '../index.ts'
import { btcTerms, one, plainExtras, Venue, type Unstamped } from './venue.ts'

/** Set MARU_TEST_SEED to repeat a run; fast-check prints the seed of one that fails. */
const seed = Number(process.env['MARU_TEST_SEED'] ?? 20_260_105)
const accounts = 3

const account = fc.nat(accounts - 1)
const side = fc.constantFrom(Side.buy, Side.sell)
/** Figures at every bound of the market, among others. */
const price = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 9_990, max: 10_010 }) },
  { weight: 1, arbitrary: fc.constantFrom(-1, -0, 0, 0.5, 20_000, 20_001, 2 ** 53) },
)
const lots = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 1, max: 300_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 0, 1.5, 2, 900_000, 900_001, 2 ** 53) },
)

const placement = fc.record({
  kind: fc.constant(CommandKind.placeOrder),
  account: fc.oneof({ weight: 20, arbitrary: account }, { weight: 1, arbitrary: fc.constantFrom(-1, 0.5, accounts) }),
  symbol: fc.constantFrom(0, 0, 0, 1, 2),
  side,
  orderType: fc.constantFrom(OrderType.limit, OrderType.limit, OrderType.limit, OrderType.limit, OrderType.market),
  timeInForce: fc.constantFrom(TimeInForce.gtc, TimeInForce.gtc, TimeInForce.gtc, TimeInForce.gtc, TimeInForce.ioc),
  quantity: lots,
  price,
  stopPrice: fc.constant(0),
  clientOrderId: fc.constantFrom('', '', '', 'a', 'b', 'c', 'd'),
})
const cancel = fc.record({ kind: fc.constant(CommandKind.cancelOrder), account, order: fc.nat(60) })
const others = fc.oneof(
  fc.record({ kind: fc.constant(CommandKind.markPrice), symbol: fc.constantFrom(0, 1), price: fc.integer({ min: 9_990, max: 10_010 }) }),
  fc.record({
    kind: fc.constant(CommandKind.setMarketStatus),
    symbol: fc.constantFrom(0, 1),
    status: fc.constantFrom(MarketStatus.open, MarketStatus.open, MarketStatus.open, MarketStatus.cancelOnly, MarketStatus.auction),
    auctionMs: fc.constant(0),
    actor: fc.constant('operator'),
  }),
  fc.record({
    kind: fc.constant(CommandKind.setMarketRules),
    symbol: fc.constant(0),
    collarPpm: fc.constant(-1),
    limitBandPpm: fc.constantFrom(0, 300),
    maintenancePpm: fc.constant(-1),
    haltMovePpm: fc.constant(-1),
    haltWindowMs: fc.constant(-1),
    haltForMs: fc.constant(-1),
    auctionForMs: fc.constant(-1),
    actor: fc.constant('operator'),
  }),
  fc.record({
    kind: fc.constant(CommandKind.setKillSwitch),
    account: fc.constant(-1),
    symbol: fc.constant(0),
    isOn: fc.constantFrom(true, false, false),
    byOperator: fc.constant(true),
    actor: fc.constant('operator'),
  }),
  fc.record({
    kind: fc.constant(CommandKind.setAccountControls),
    account,
    tradeGroup: fc.constantFrom(-1, 0, 1),
    feeTier: fc.constant(-1),
    reduceOnly: fc.constantFrom(0, 0, 1),
    messagesPerSecondMax: fc.constantFrom(0, 0, 30),
    openOrdersMax: fc.constantFrom(0, 0, 4),
    actor: fc.constant('operator'),
  }),
  fc.record({
    kind: fc.constant(CommandKind.setLimits),
    account,
    symbol: fc.constantFrom(-1, 0),
    positionNotionalMax: fc.constantFrom(-1, 100 * one, 5_000 * one),
    leverageMaxHundredths: fc.constantFrom(-1, 50, 1_000),
    dailyLossMax: fc.constantFrom(-1, 0, 1_000 * one),
    actor: fc.constant('operator'),
  }),
  fc.record({
    kind: fc.constant(CommandKind.setMode),
    account,
    mode: fc.constantFrom(AccountMode.cash, AccountMode.cash, AccountMode.margin),
    actor: fc.constant('operator'),
  }),
)
const command = fc.oneof({ weight: 14, arbitrary: placement }, { weight: 5, arbitrary: cancel }, { weight: 2, arbitrary: others })

/** Two venues take the same orders, one as they are, the other with extras that ask for nothing: those go the general way. */
test('what is placed and cancelled the short way has the outcome of the general way', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(fc.array(command, { minLength: 40, maxLength: 120, size: 'max' }), (sequence) => {
      const terms = { ...btcTerms, notionalMin: one, priceMaxTicks: 20_000, quantityMaxLots: 900_000 }
      const [short, general] = [0, 1].map(() => new Venue({ terms, secondMarket: true, rules: newestRules })) as [Venue, Venue]
      for (const venue of [short, general]) for (let user = 0; user < accounts; user++) venue.account(`user-${user}`, 2_000, 20)
      for (const next of sequence) {
        const events = short.send((next.kind === CommandKind.placeOrder ? { ...next, extras: null } : next) as Unstamped)
        const expected = general.send((next.kind === CommandKind.placeOrder ? { ...next, extras: plainExtras } : next) as Unstamped)
        expect(events).toEqual(expected)
        for (const { kind } of events) seen.add(kind)
      }
      for (const symbol of [0, 1]) expect(short.exchange.book(symbol, 50)).toEqual(general.exchange.book(symbol, 50))
      for (let user = 0; user < accounts; user++) {
        for (const asset of [0, 1, 2]) expect(short.exchange.balance(user, asset)).toEqual(general.exchange.balance(user, asset))
        expect(short.exchange.positions(user)).toEqual(general.exchange.positions(user))
        expect(short.exchange.risk(user)).toEqual(general.exchange.risk(user))
        const plain = ({ order, status, filled }: ReturnType<Venue['exchange']['openOrders']>[number]) => [order, status, filled]
        expect(short.exchange.openOrders(user).map(plain)).toEqual(general.exchange.openOrders(user).map(plain))
      }
    }),
    { seed, numRuns: 100 },
  )
  for (const kind of ['orderAccepted', 'orderRejected', 'orderDuplicate', 'orderUpdated', 'trade', 'commandRefused'])
    expect(seen).toContain(kind)
})

test('an account has so many open orders in a market and no more, though it could pay for them', () => {
  const venue = new Venue({ terms: { notionalMin: 0 } })
  const account = venue.account('maker')
  const order = { side: 'BUY', price: 10_000, quantity: 100 } as const
  const first = venue.order(account, order)
  for (let count = 1; count < openOrdersMax; count++) venue.order(account, order)
  expect(refusals[venue.order(account, order).refusal]).toBe('open_order_limit')
  venue.send({ kind: CommandKind.cancelOrder, account, order: first.order })
  expect(venue.order(account, order).status).toBe(OrderStatus.pending)
  expect(refusals[venue.order(account, order).refusal]).toBe('open_order_limit')
})
