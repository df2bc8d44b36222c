import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  AccountMode,
  CommandKind,
  ListKind,
  MarketStatus,
  OrderType,
  SelfTrade,
  Side,
  TimeInForce,
  TrailingUnit,
  TriggerPrice,
  unamended,
  type Command,
  type PlaceOrder,
} from '@maru/contracts/commands'
import { Exchange } from '../index.ts'
import { Auditor } from './invariants.ts'
import { btcTerms, one, Venue, type Unstamped } from './venue.ts'

/** Set MARU_TEST_SEED to repeat a run; fast-check prints the seed of one that fails. */
const seed = Number(process.env['MARU_TEST_SEED'] ?? 20_260_105)
const runs = { seed, numRuns: 150 }

const accounts = 6
const cheapTerms = { ...btcTerms, notionalMin: 0, quantityMinLots: 1 }

/**
 * Six users, the last two with margin and little of their own, in two markets: one with collars and halts that small moves reach, one where prices may jump and so
 * bring down who owes.
 */
function openVenue(options: { window?: number } = {}): Venue {
  const venue = new Venue({ terms: cheapTerms, secondMarket: true, rules: 3, ...options })
  for (let account = 0; account < accounts - 2; account++) venue.account(`user-${account}`, 4_000, 20)
  for (let account = accounts - 2; account < accounts; account++) {
    venue.account(`user-${account}`, 100)
    venue.margin(account)
  }
  venue.rules({ symbol: 0, collarPpm: 800, limitBandPpm: 5_000, haltMovePpm: 1_500, haltWindowMs: 60, haltForMs: 20, auctionForMs: 20 })
  venue.rules({ symbol: 1, collarPpm: 200_000, limitBandPpm: 300_000, maintenancePpm: 100_000 })
  for (let account = 0; account < accounts - 2; account++)
    venue.send({ kind: CommandKind.moveFunds, account, asset: 2, amount: 20 * one, reference: 'eth', actor: 'operator' })
  for (const symbol of [0, 1]) venue.mark(10_000, symbol)
  return venue
}

const account = fc.nat(accounts - 1)
const symbol = fc.nat(1)
const side = fc.constantFrom(Side.buy, Side.sell)
/** Few prices, so that orders meet: 99.90 … 100.10. */
const price = fc.integer({ min: 9_990, max: 10_010 })
const lots = fc.integer({ min: 1, max: 300_000 })
const actor = fc.constant('operator')
/** The time of a command, as milliseconds since the last. */
const pause = fc.constantFrom(0, 0, 0, 1, 5, 30)

const extras = fc.record({
  isPostOnly: fc.boolean(),
  isReduceOnly: fc.constantFrom(false, false, false, true),
  selfTrade: fc.constantFrom(SelfTrade.expireTaker, SelfTrade.expireMaker, SelfTrade.expireBoth, SelfTrade.decrement),
  trigger: fc.constantFrom(TriggerPrice.lastOrMark, TriggerPrice.last, TriggerPrice.mark),
  displayQuantity: fc.constantFrom(0, 0, 10_000),
  expiresAtMs: fc.constantFrom(0, 0, Date.UTC(2026, 0, 5, 12) + 600),
  trailingOffset: fc.constant(0),
  trailingUnit: fc.constant(TrailingUnit.ticks),
  quoteQuantity: fc.constantFrom(0, 0, 0, 50 * one),
})
const placement = fc
  .record({
    kind: fc.constant(CommandKind.placeOrder),
    account,
    symbol,
    side,
    orderType: fc.constantFrom(OrderType.limit, OrderType.limit, OrderType.limit, OrderType.market, OrderType.stop, OrderType.stopLimit),
    timeInForce: fc.constantFrom(TimeInForce.gtc, TimeInForce.gtc, TimeInForce.gtc, TimeInForce.gtd, TimeInForce.ioc, TimeInForce.fok),
    quantity: lots,
    price,
    stopPrice: price,
    clientOrderId: fc.constantFrom('', '', '', 'a', 'b', 'c', 'd', 'e'),
    extras: fc.option(extras),
  })
  .map((order) => fitted(order))

/** Most made-up extras do not go together: what would be refused for its form alone is put right. */
function fitted(order: Omit<PlaceOrder, 'time'>): Omit<PlaceOrder, 'time'> {
  const { orderType, extras: terms } = order
  const isLimit = orderType === OrderType.limit || orderType === OrderType.stopLimit
  const isGtd = terms !== null && terms.expiresAtMs > 0 && orderType !== OrderType.market
  const timeInForce = isGtd
    ? TimeInForce.gtd
    : order.timeInForce === TimeInForce.gtd || orderType === OrderType.stop
      ? TimeInForce.gtc
      : order.timeInForce
  const mayRest = timeInForce === TimeInForce.gtc || timeInForce === TimeInForce.gtd
  if (terms === null) return { ...order, timeInForce }
  const quoteQuantity = orderType === OrderType.market && timeInForce !== TimeInForce.fok ? terms.quoteQuantity : 0
  return {
    ...order,
    timeInForce,
    quantity: quoteQuantity > 0 ? 0 : order.quantity,
    extras: {
      ...terms,
      quoteQuantity,
      expiresAtMs: isGtd ? terms.expiresAtMs : 0,
      isPostOnly: terms.isPostOnly && isLimit && mayRest,
      displayQuantity: isLimit && mayRest ? terms.displayQuantity : 0,
    },
  }
}

const order = fc.nat(60)
const levels = fc.uniqueArray(fc.nat(9), { maxLength: 4 })
const quote = fc
  .record({ account: fc.constant(0), symbol, bids: levels, asks: levels, middle: price, lots })
  .map(({ bids, asks, middle, lots: size, ...rest }) => ({
    kind: CommandKind.massQuote,
    ...rest,
    bids: bids.sort((a, b) => a - b).flatMap((away) => [middle - 1 - away, size]),
    asks: asks.sort((a, b) => a - b).flatMap((away) => [middle + 1 + away, size]),
  }))

/** An order and what follows once it has ended: the list that tells by itself what it holds. */
const list = fc.tuple(placement, placement).map(([first, second]) => ({
  kind: CommandKind.placeList,
  listKind: ListKind.oto,
  account: first.account,
  clientListId: '',
  legs: [
    { ...first, time: 0, clientOrderId: '' },
    { ...second, time: 0, account: first.account, symbol: first.symbol, clientOrderId: '' },
  ],
}))

const marketStatus = fc
  .record({
    of: symbol,
    status: fc.constantFrom(
      MarketStatus.open,
      MarketStatus.open,
      MarketStatus.cancelOnly,
      MarketStatus.halted,
      MarketStatus.auction,
      MarketStatus.auction,
    ),
    auctionMs: fc.constantFrom(25, 100),
  })
  .map(({ of, status, auctionMs }) => ({
    kind: CommandKind.setMarketStatus,
    symbol: of,
    status,
    auctionMs: status === MarketStatus.auction ? auctionMs : 0,
    actor: 'operator',
  }))
const maybe = (...values: number[]) => fc.constantFrom(-1, -1, ...values)

const seldom = fc.oneof(
  fc.record({ kind: fc.constant(CommandKind.cancelAll), account, symbol: fc.constantFrom(-1, 0, 1) }),
  fc.record({
    kind: fc.constant(CommandKind.moveFunds),
    account,
    asset: fc.nat(2),
    amount: fc.integer({ min: -500, max: 500 }).map((whole) => whole * one),
    reference: fc.constantFrom('x', 'y', 'z', 'u', 'v'),
    actor,
  }),
  fc.record({ kind: fc.constant(CommandKind.setMode), account, mode: fc.constantFrom(AccountMode.cash, AccountMode.margin), actor }),
  fc.record({
    kind: fc.constant(CommandKind.bookFill),
    account,
    symbol,
    side,
    quantity: lots,
    price,
    reference: fc.constantFrom('p', 'q', 'r'),
    actor,
  }),
  fc.record({
    kind: fc.constant(CommandKind.setLimits),
    account,
    symbol: fc.constantFrom(-1, 0),
    positionNotionalMax: fc.constantFrom(-1, 500 * one, 5_000 * one),
    leverageMaxHundredths: fc.constantFrom(-1, 50, 200, 1_000),
    dailyLossMax: fc.constantFrom(-1, 0, 10 * one, 1_000 * one),
    actor,
  }),
)
const controls = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(...[0, 1, 2, 3, 4, 5, 1, 2, 3].map((of) => [of, -1] as const), [-1, 0] as const, [-1, 1] as const, [-1, -1] as const),
      fc.boolean(),
      fc.boolean(),
    )
    .map(([[of, market], isOn, byOperator]) => ({
      kind: CommandKind.setKillSwitch,
      account: of,
      symbol: market,
      isOn,
      byOperator,
      actor: 'operator',
    })),
  fc.record({ kind: fc.constant(CommandKind.cancelAllAfter), account, timeoutMs: fc.constantFrom(0, 3, 20, 40) }),
  fc.record({
    kind: fc.constant(CommandKind.setMarketRules),
    symbol,
    collarPpm: maybe(0, 300, 200_000),
    limitBandPpm: maybe(0, 1_000, 300_000),
    maintenancePpm: maybe(50_000, 400_000),
    haltMovePpm: maybe(0, 1_000),
    haltWindowMs: maybe(60),
    haltForMs: maybe(10),
    auctionForMs: maybe(0, 10),
    actor,
  }),
  fc.record({
    kind: fc.constant(CommandKind.setAccountControls),
    account,
    tradeGroup: maybe(0, 1),
    feeTier: maybe(0, 1, 2),
    reduceOnly: maybe(0, 0, 1),
    messagesPerSecondMax: maybe(0, 3),
    openOrdersMax: maybe(0, 2, 500),
    actor,
  }),
)
const money = fc.oneof(
  fc.record({
    kind: fc.constant(CommandKind.setFees),
    tier: fc.constantFrom(1, 2),
    symbol: fc.constantFrom(-1, 0, 1),
    makerFeePpm: fc.constantFrom(0, 100, 500),
    takerFeePpm: fc.constantFrom(0, 300, 1_000),
    actor,
  }),
  fc.record({
    kind: fc.constant(CommandKind.transferFunds),
    from: account,
    to: account,
    asset: fc.nat(1),
    amount: fc.integer({ min: 1, max: 200_000_000 }),
    reference: fc.string({ minLength: 1, maxLength: 2 }),
    actor,
  }),
  fc.record({
    kind: fc.constant(CommandKind.moveInsurance),
    asset: fc.nat(1),
    amount: fc.integer({ min: -3, max: 5 }).map((whole) => whole * one),
    reference: fc.constantFrom('i', 'j', 'k'),
    actor,
  }),
)
const command = fc.oneof(
  { weight: 24, arbitrary: placement },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant(CommandKind.cancelOrder), account, order }) },
  {
    weight: 3,
    arbitrary: fc
      .record({ account, order, quantity: fc.oneof(fc.constant(-1), lots), price: fc.oneof(fc.constant(-1), price) })
      .map((changes) => ({ kind: CommandKind.amendOrder, ...unamended, ...changes })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(order, placement)
      .map(([old, placed]) => ({ kind: CommandKind.replaceOrder, order: old, placement: { ...placed, time: 0 } })),
  },
  { weight: 2, arbitrary: list },
  { weight: 3, arbitrary: quote },
  // Now and then one that no collar of the venue has seen: margin accounts cannot stand it.
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant(CommandKind.markPrice),
      symbol,
      price: fc.oneof(price, fc.constantFrom(8_000, 8_800, 11_300, 12_500)),
    }),
  },
  { weight: 3, arbitrary: seldom },
  { weight: 3, arbitrary: marketStatus },
  { weight: 4, arbitrary: controls },
  { weight: 3, arbitrary: money },
  { weight: 2, arbitrary: fc.constant({ kind: CommandKind.tick }) },
) as fc.Arbitrary<Unstamped>
const commands = fc.array(fc.tuple(pause, command), { minLength: 1, maxLength: 120, size: 'max' })

function send(venue: Venue, [after, next]: [number, Unstamped]) {
  venue.timeMs += after
  return venue.send(next)
}

describe('whatever the commands of rules 2 are', () => {
  test('assets add up, cash accounts owe nothing, holds are what open orders need, streams have no gap', () => {
    fc.assert(
      fc.property(commands, (sequence) => {
        const venue = openVenue()
        const auditor = new Auditor(venue.exchange)
        auditor.hasQuotes.add(0)
        for (const next of sequence) auditor.check(send(venue, next))
        for (const market of [0, 1])
          auditor.check(venue.send({ kind: CommandKind.massQuote, account: 0, symbol: market, bids: [], asks: [] }))
        // What is still to be cancelled of a kill switch goes now.
        auditor.hasQuotes.clear()
        auditor.check(venue.wait(1))
      }),
      runs,
    )
  })

  test('with all orders cancelled nothing is held', () => {
    fc.assert(
      fc.property(commands, (sequence) => {
        const venue = openVenue()
        for (const next of sequence) send(venue, next)
        for (let user = 0; user < accounts; user++) venue.send({ kind: CommandKind.cancelAll, account: user, symbol: -1 })
        for (let user = 0; user < accounts; user++) {
          expect(venue.exchange.openOrders(user)).toEqual([])
          for (const asset of [0, 1, 2]) expect(venue.held(user, asset)).toBe(0)
          for (const position of venue.exchange.positions(user)) expect([position.openBuy, position.openSell]).toEqual([0, 0])
        }
        for (const market of [0, 1]) expect(venue.exchange.book(market, 9)).toEqual({ bids: [], asks: [] })
      }),
      runs,
    )
  })

  test('the same commands give the same hash', () => {
    fc.assert(
      fc.property(commands, (sequence) => {
        const venue = openVenue()
        for (const next of sequence) send(venue, next)
        const replayed = new Exchange()
        for (const past of venue.commands) replayed.apply(past)
        expect(replayed.stateHash()).toBe(venue.exchange.stateHash())
      }),
      runs,
    )
  })

  test('a state restored from a snapshot at any point goes on just the same', () => {
    fc.assert(
      fc.property(commands, commands, fc.constantFrom(3, 1_000_000), (first, second, window) => {
        const venue = openVenue({ window })
        for (const next of first) send(venue, next)
        const restored = Exchange.restore(venue.exchange.snapshot())
        expect(restored.stateHash()).toBe(venue.exchange.stateHash())
        for (const next of second) {
          send(venue, next)
          restored.apply(venue.commands.at(-1)!)
          expect(outcomeOf(restored)).toEqual(outcomeOf(venue.exchange))
        }
        expect(restored.stateHash()).toBe(venue.exchange.stateHash())
        expect(restored.snapshot()).toEqual(venue.exchange.snapshot())
      }),
      { ...runs, numRuns: 300 },
    )
  })
})

function outcomeOf(exchange: Exchange): number[] {
  const { data, length } = exchange.outcome
  return Array.from(data.subarray(0, length))
}

describe('margin accounts among prices that jump', () => {
  const wide = fc.constantFrom(7_500, 8_500, 9_500, 10_000, 10_500, 11_500, 12_500)
  const traded = {
    symbol: fc.constant(1),
    side,
    timeInForce: fc.constant(TimeInForce.gtc),
    stopPrice: fc.constant(0),
    clientOrderId: fc.constant(''),
  }
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        ...traded,
        kind: fc.constant(CommandKind.placeOrder),
        account: fc.nat(3),
        orderType: fc.constant(OrderType.limit),
        quantity: fc.integer({ min: 100_000, max: 900_000 }),
        price: wide,
        extras: fc.constant(null),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        ...traded,
        kind: fc.constant(CommandKind.placeOrder),
        account: fc.constantFrom(4, 5),
        orderType: fc.constantFrom(OrderType.market, OrderType.limit),
        quantity: fc.integer({ min: 300_000, max: 900_000 }),
        price: wide,
        extras: fc.constant(null),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant(CommandKind.markPrice), symbol: fc.constant(1), price: wide }) },
    { weight: 1, arbitrary: money },
    { weight: 1, arbitrary: marketStatus },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant(CommandKind.moveFunds),
        account: fc.constantFrom(4, 5),
        asset: fc.constantFrom(0, 2),
        amount: fc.integer({ min: -900, max: 100 }).map((whole) => whole * one),
        reference: fc.string({ minLength: 1, maxLength: 2 }),
        actor,
      }),
    },
  ) as fc.Arbitrary<Unstamped>
  const steps = fc.array(fc.tuple(pause, step), { minLength: 20, maxLength: 120, size: 'max' })

  test('what is liquidated, covered and paid adds up, and a state restored at any point goes on just the same', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(steps, steps, (first, second) => {
        const venue = openVenue()
        const auditor = new Auditor(venue.exchange)
        const audit = ([after, next]: [number, Unstamped]): void => {
          const events = send(venue, [after, next])
          auditor.check(events)
          for (const { kind } of events) seen.add(kind)
          // One may have traded with another that was looked at before: the next mark sees it.
          if (next.kind !== CommandKind.markPrice || events.some(({ kind }) => kind === 'trade')) return
          // So few borrowers are all looked at with every mark: who is below still waits for somebody to trade with.
          for (const margin of [4, 5]) {
            const { equity, maintenanceMargin } = venue.exchange.risk(margin)
            const isBelow = maintenanceMargin > 0 && equity < maintenanceMargin
            if (isBelow) expect(venue.exchange.controls(margin).liquidating).toBe(1)
          }
        }
        for (const next of first) audit(next)
        const restored = Exchange.restore(venue.exchange.snapshot())
        for (const next of second) {
          audit(next)
          restored.apply(venue.commands.at(-1)!)
          expect(outcomeOf(restored)).toEqual(outcomeOf(venue.exchange))
        }
        expect(restored.stateHash()).toBe(venue.exchange.stateHash())
      }),
      // The audit looks at everything after every command.
      { ...runs, numRuns: 40 },
    )
    for (const kind of ['accountLiquidated', 'liquidationFeePaid', 'insurancePaid']) expect(seen).toContain(kind)
  })
})

test('poison: a command with any field made wrong never throws and never half applies', () => {
  const poison = fc.oneof(
    fc.constantFrom<unknown>(
      0,
      -1,
      0.5,
      Number.NaN,
      Infinity,
      -Infinity,
      2 ** 53,
      2 ** 53 - 1,
      -(2 ** 53),
      2 ** 31,
      1e300,
      -0,
      '',
      'x',
      true,
      null,
      undefined,
    ),
    fc.integer(),
  )
  const spoilt = fc.tuple(pause, command, fc.nat(20), poison).map(([after, good, at, value]) => {
    const names = Object.keys(good).filter((name) => !['kind', 'placement', 'legs', 'bids', 'asks', 'extras'].includes(name))
    const name = names[at % Math.max(names.length, 1)]
    return [after, name === undefined ? good : ({ ...good, [name]: value } as Unstamped)] as [number, Unstamped]
  })
  fc.assert(
    fc.property(fc.array(fc.oneof(spoilt, fc.tuple(pause, command)), { maxLength: 80, size: 'max' }), (sequence) => {
      const venue = openVenue()
      for (const [after, next] of sequence) {
        send(venue, [after, next as Command])
        for (const { difference } of venue.exchange.reconciliation()) expect(difference).toBe(0n)
        for (const { kind, fields } of venue.events()) {
          expect(kind).toBeDefined()
          for (const value of fields) expect(Number.isSafeInteger(value), `${kind} ${fields.join()}`).toBe(true)
        }
      }
      expect(Exchange.restore(venue.exchange.snapshot()).stateHash()).toBe(venue.exchange.stateHash())
    }),
    { ...runs, numRuns: 300 },
  )
})
