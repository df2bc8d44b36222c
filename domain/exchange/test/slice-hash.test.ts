import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommandKind, ListKind, OrderType, Side, TimeInForce } from '@maru/contracts/commands'
import { Core } from '../core.ts'
import { Exchange, isSliceDue } from '../index.ts'
import { btcTerms, one, Venue, type Unstamped } from './venue.ts'

const runs = { seed: Number(process.env['MARU_TEST_SEED'] ?? 20_260_105), numRuns: 100 }
const accounts = 4

function openVenue(window?: number): Venue {
  const terms = { ...btcTerms, notionalMin: 0, quantityMinLots: 1 }
  const venue = new Venue({ terms, secondMarket: true, ...(window === undefined ? {} : { window }) })
  for (let account = 0; account < accounts; account++) venue.account(`user-${account}`, 2_000, 2)
  return venue
}

const account = fc.nat(accounts - 1)
const symbol = fc.nat(1)
const price = fc.integer({ min: 9_995, max: 10_005 })
const lots = fc.integer({ min: 1, max: 50_000 })
const levels = fc.array(lots, { maxLength: 3 })
const command: fc.Arbitrary<Unstamped> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant(CommandKind.placeOrder),
      account,
      symbol,
      side: fc.constantFrom(Side.buy, Side.sell),
      orderType: fc.constantFrom(OrderType.limit, OrderType.limit, OrderType.stop),
      timeInForce: fc.constant(TimeInForce.gtc),
      quantity: lots,
      price,
      stopPrice: price,
      clientOrderId: fc.constantFrom('', '', 'a', 'b', 'c', 'd'),
      extras: fc.constant(null),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant(CommandKind.cancelOrder), account, order: fc.nat(60) }) },
  {
    weight: 2,
    arbitrary: fc.record({ account: fc.constant(0), symbol, bids: levels, asks: levels }).map((quote) => ({
      kind: CommandKind.massQuote,
      ...quote,
      bids: quote.bids.flatMap((size, at) => [9_999 - at, size]),
      asks: quote.asks.flatMap((size, at) => [10_001 + at, size]),
    })),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant(CommandKind.markPrice), symbol, price }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant(CommandKind.moveFunds),
      account,
      asset: fc.nat(2),
      amount: fc.integer({ min: -5, max: 5 }).map((whole) => whole * one),
      reference: fc.constantFrom('x', 'y', 'z'),
      actor: fc.constant('operator'),
    }),
  },
)
const commands = fc.array(command, { minLength: 1, maxLength: 60, size: 'max' })

describe('a hash of a slice', () => {
  test('is the same where the state was restored from a snapshot and its records lie elsewhere', () => {
    fc.assert(
      fc.property(commands, commands, fc.constantFrom(3, 1_000_000), (first, second, window) => {
        const venue = openVenue(window)
        for (const next of first) venue.send(next)
        const restored = Exchange.restore(venue.exchange.snapshot())
        expect(restored.sliceHash()).toEqual(venue.exchange.sliceHash())
        for (const next of second) {
          venue.timeMs += 700
          venue.send(next)
          restored.apply(venue.commands.at(-1)!)
          expect(restored.sliceHash()).toEqual(venue.exchange.sliceHash())
        }
      }),
      runs,
    )
  })

  test.each<[string, (core: Core) => void]>([
    ['a balance', (core) => core.balances.add(1, 1)],
    ['what is held of it', (core) => core.balances.addHeld(1, 1)],
    ['a position', (core) => core.positions.addFees(0, 1)],
    ['the number of events of an account', (core) => core.accounts.setSequence(2, 99)],
    ['a limit', (core) => core.accounts.setDailyLossMax(2, 7)],
    ['the size of an order', (core) => core.orders.setQuantity(core.orders.find(1), 1_001)],
    ['the total of a level', (core) => core.levels.addQuantity(core.orders.level(core.orders.find(1)), 1)],
    ['the order of two in the queue of their price', swapFirstTwo],
    ['a quote', (core) => core.orders.setQuantity(core.positions.firstQuote(core.positions.find(0, 0), 0), 5)],
    ['the terms of a remembered id', (core) => core.clientOrders.addMissing(3, findMissing(core, 3, 'b'), 9, 0, 0, 0, 0, 0)],
    ['fees of the venue', (core) => core.assets[0]!.fees.add(1)],
    ['a mark', (core) => void (core.markets[1]!.mark += 1)],
    ['a fee of a market', (core) => void (core.markets[1]!.terms.makerFeePpm += 1)],
  ])('tells %s', (_, tamper) => {
    const core = new Core(100)
    const exchange = new Exchange(core)
    const venue = openVenue()
    for (const owner of [1, 2, 3]) venue.order(owner, { side: 'SELL', price: 10_100, quantity: 1_000, clientOrderId: 'a' })
    venue.send({ kind: CommandKind.massQuote, account: 0, symbol: 0, bids: [9_000, 10], asks: [] })
    venue.mark(10_000, 1)
    venue.timeMs += 1_000
    // By now it is the turn of the second market.
    venue.mark(10_000, 1)
    for (const past of venue.commands) exchange.apply(past)
    const before = exchange.sliceHash().hash
    expect(Exchange.restore(exchange.snapshot()).sliceHash().hash).toBe(before)
    tamper(core)
    expect(exchange.sliceHash().hash).not.toBe(before)
  })
})

describe('a hash of a slice tells of an order of a list', () => {
  const [limitLeg, stopLeg] = [1, 2]
  test.each<[string, (core: Core) => void]>([
    ['that another holds for it', (core) => (core.orders.details(core.orders.find(limitLeg)).isShared = false)],
    ['where it is triggered', (core) => (core.orders.details(core.orders.find(stopLeg)).stopPrice -= 1)],
    ['whether its list waits', (core) => (core.lists.get(1)!.isWaiting = true)],
    ['what its list goes on with', (core) => (core.lists.get(1)!.filled = 1)],
  ])('%s', (_, tamper) => {
    const core = new Core(100)
    const exchange = new Exchange(core)
    const venue = new Venue({ terms: { notionalMin: 0, quantityMinLots: 1 }, rules: 3 })
    const owner = venue.account('ann', 0, 10)
    venue.mark(10_000)
    const legs = [
      { ...venue.placement(owner, { side: 'SELL', price: 10_100, quantity: 1_000 }), time: 0 },
      { ...venue.placement(owner, { side: 'SELL', type: 'STOP', stopPrice: 9_900, quantity: 1_000 }), time: 0 },
    ]
    venue.send({ kind: CommandKind.placeList, listKind: ListKind.oco, account: owner, clientListId: 'pair', legs })
    for (const past of venue.commands) exchange.apply(past)
    const before = exchange.sliceHash().hash
    expect(Exchange.restore(exchange.snapshot()).sliceHash().hash).toBe(before)
    tamper(core)
    expect(exchange.sliceHash().hash).not.toBe(before)
  })
})

/** Moves the first order of a price behind the second, as if they had come in the other order. */
function swapFirstTwo({ orders }: Core): void {
  const [first, second, third] = [1, 2, 3].map((id) => orders.find(id)) as [number, number, number]
  const level = orders.level(first)
  orders.enqueue(second, level, -1)
  orders.enqueue(first, level, second)
  orders.enqueue(third, level, first)
}

/** Prepares the window for `addMissing`, which goes on from a search in vain. */
function findMissing(core: Core, owner: number, text: string): string {
  expect(core.clientOrders.find(owner, text)).toBe(-1)
  return text
}

test('slice after slice goes round a larger state: one unit too much, in one account of many, is found in its slice', () => {
  const venue = openVenue()
  for (let user = 0; user < 2_000; user++) venue.account(`more-${user}`, 10)
  const core = new Core(1_048_576)
  const wrong = new Exchange(core)
  for (const past of venue.commands) wrong.apply(past)
  core.balances.add(core.balances.find(700, 0), 1)
  const differing = new Map<number, boolean>()
  for (let second = 0; second < 8; second++) {
    venue.timeMs += 1_000
    venue.mark(10_000)
    wrong.apply(venue.commands.at(-1)!)
    const [own, other] = [venue.exchange.sliceHash(), wrong.sliceHash()]
    expect(own.slice).toBe(other.slice)
    differing.set(own.slice, own.hash !== other.hash)
  }
  expect([...differing].filter(([, differs]) => differs)).toEqual([[2, true]])
  expect(differing.size).toBe(8)
})

test('one is due every 4,096 commands, and with the first command of a second', () => {
  expect([
    isSliceDue(4_096, 5_000, 5_000),
    isSliceDue(4_097, 5_999, 5_000),
    isSliceDue(4_098, 6_000, 5_999),
    isSliceDue(1, 9_000, 2_000),
  ]).toEqual([true, false, true, true])
})
