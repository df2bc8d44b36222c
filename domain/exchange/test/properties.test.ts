import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AccountMode, CommandKind, MarketStatus, OrderType, Side, TimeInForce, type Command } from '@maru/contracts/commands'
import { Exchange, foresightMax } from '../index.ts'
import { Auditor } from './invariants.ts'
import { ReferenceBook, type ReferenceTrade } from './reference-book.ts'
import { btcTerms, one, Venue, type Unstamped } from './venue.ts'

/** Set MARU_TEST_SEED to repeat a run; fast-check prints the seed of one that fails. */
const seed = Number(process.env['MARU_TEST_SEED'] ?? 20_260_105)
const runs = { seed, numRuns: 150 }

const accounts = 6
const cheapTerms = { ...btcTerms, notionalMin: 0, quantityMinLots: 1 }

function openVenue(options: { window?: number } = {}): Venue {
  const venue = new Venue({ terms: cheapTerms, secondMarket: true, ...options })
  for (let account = 0; account < accounts; account++) venue.account(`user-${account}`, 2_000, 2)
  venue.margin(accounts - 1)
  return venue
}

const account = fc.nat(accounts - 1)
const symbol = fc.nat(1)
const side = fc.constantFrom(Side.buy, Side.sell)
/** Few prices, so that orders meet: 99.90 … 100.10. */
const price = fc.integer({ min: 9_990, max: 10_010 })
const lots = fc.integer({ min: 1, max: 300_000 })

const placement = fc.record({
  kind: fc.constant(CommandKind.placeOrder),
  account,
  symbol,
  side,
  orderType: fc.constantFrom(OrderType.limit, OrderType.limit, OrderType.limit, OrderType.market, OrderType.stop),
  timeInForce: fc.constantFrom(TimeInForce.gtc, TimeInForce.gtc, TimeInForce.gtc, TimeInForce.ioc, TimeInForce.fok),
  quantity: lots,
  price,
  stopPrice: price,
  clientOrderId: fc.constantFrom('', '', '', 'a', 'b', 'c', 'd', 'e'),
  extras: fc.constant(null),
})
const cancel = fc.record({ kind: fc.constant(CommandKind.cancelOrder), account, order: fc.nat(120) })
const levels = fc.uniqueArray(fc.nat(9), { maxLength: 4 })
const quote = fc
  .record({ account: fc.constant(0), symbol, bids: levels, asks: levels, middle: price, lots })
  .map(({ bids, asks, middle, lots: size, ...rest }) => ({
    kind: CommandKind.massQuote,
    ...rest,
    bids: bids.sort((a, b) => a - b).flatMap((away) => [middle - 1 - away, size]),
    asks: asks.sort((a, b) => a - b).flatMap((away) => [middle + 1 + away, size]),
  }))
const others: fc.Arbitrary<Unstamped> = fc.oneof(
  fc.record({ kind: fc.constant(CommandKind.cancelAll), account, symbol: fc.constantFrom(-1, 0, 1) }),
  fc.record({ kind: fc.constant(CommandKind.markPrice), symbol, price }),
  fc.record({
    kind: fc.constant(CommandKind.moveFunds),
    account,
    asset: fc.nat(2),
    amount: fc.integer({ min: -500, max: 500 }).map((whole) => whole * one),
    reference: fc.constantFrom('x', 'y', 'z', 'u', 'v'),
    actor: fc.constant('operator'),
  }),
  fc.record({
    kind: fc.constant(CommandKind.setMode),
    account,
    mode: fc.constantFrom(AccountMode.cash, AccountMode.margin),
    actor: fc.constant('operator'),
  }),
  fc.record({
    kind: fc.constant(CommandKind.bookFill),
    account,
    symbol,
    side,
    quantity: lots,
    price,
    reference: fc.constantFrom('p', 'q', 'r'),
    actor: fc.constant('operator'),
  }),
  fc.record({
    kind: fc.constant(CommandKind.setMarketStatus),
    symbol,
    status: fc.constantFrom(MarketStatus.open, MarketStatus.open, MarketStatus.open, MarketStatus.cancelOnly, MarketStatus.halted),
    auctionMs: fc.constant(0),
    actor: fc.constant('operator'),
  }),
  fc.record({
    kind: fc.constant(CommandKind.setLimits),
    account,
    symbol: fc.constantFrom(-1, 0),
    positionNotionalMax: fc.constantFrom(-1, 500 * one, 5_000 * one),
    leverageMaxHundredths: fc.constantFrom(-1, 50, 200, 1_000),
    dailyLossMax: fc.constantFrom(-1, 0, 10 * one, 1_000 * one),
    actor: fc.constant('operator'),
  }),
)
const command = fc.oneof(
  { weight: 12, arbitrary: placement },
  { weight: 4, arbitrary: cancel },
  { weight: 2, arbitrary: quote },
  { weight: 3, arbitrary: others },
) as fc.Arbitrary<Unstamped>
const commands = fc.array(command, { minLength: 1, maxLength: 120, size: 'max' })

describe('whatever the commands are', () => {
  test('assets add up, cash accounts owe nothing, holds are what open orders need, streams have no gap', () => {
    fc.assert(
      fc.property(commands, (sequence) => {
        const venue = new Venue({ terms: cheapTerms, secondMarket: true })
        const auditor = new Auditor(venue.exchange)
        auditor.hasQuotes.add(0)
        for (let user = 0; user < accounts; user++) {
          auditor.check(
            venue.send({
              kind: CommandKind.openAccount,
              userId: `user-${user}`,
              grants: [0, 1, 2].map((asset) => ({ asset, amount: (asset === 0 ? 2_000 : 2) * one })),
            }),
          )
        }
        for (const next of sequence) auditor.check(venue.send(next))
        // With its quotes withdrawn, what the quoting account holds can be told as well.
        for (const market of [0, 1]) venue.send({ kind: CommandKind.massQuote, account: 0, symbol: market, bids: [], asks: [] })
        auditor.hasQuotes.clear()
        auditor.check(venue.mark(10_000).filter(({ kind }) => kind !== 'markUpdated'))
      }),
      runs,
    )
  })

  test('with all orders cancelled nothing is held', () => {
    fc.assert(
      fc.property(commands, (sequence) => {
        const venue = openVenue()
        for (const next of sequence) venue.send(next)
        for (let user = 0; user < accounts; user++) {
          venue.send({ kind: CommandKind.cancelAll, account: user, symbol: -1 })
          for (const asset of [0, 1, 2]) expect(venue.held(user, asset)).toBe(0)
          for (const position of venue.exchange.positions(user)) expect([position.openBuy, position.openSell]).toEqual([0, 0])
        }
        for (const market of [0, 1]) expect(venue.exchange.book(market, 9)).toEqual({ bids: [], asks: [] })
      }),
      runs,
    )
  })

  test('the same commands give the same hash, and the hash differs while the states do', () => {
    fc.assert(
      fc.property(commands, (sequence) => {
        const venue = openVenue()
        for (const next of sequence) venue.send(next)
        const replayed = new Exchange()
        for (const past of venue.commands) replayed.apply(past)
        expect(replayed.stateHash()).toBe(venue.exchange.stateHash())
        replayed.apply({ kind: CommandKind.cancelOrder, time: 0, account: 0, order: 10 ** 9 })
        expect(replayed.stateHash()).not.toBe(venue.exchange.stateHash())
      }),
      runs,
    )
  })

  test('a state restored from a snapshot at any point goes on just the same', () => {
    fc.assert(
      fc.property(commands, commands, fc.constantFrom(3, 1_000_000), (first, second, window) => {
        const venue = openVenue({ window })
        for (const next of first) venue.send(next)
        const restored = Exchange.restore(venue.exchange.snapshot())
        expect(restored.stateHash()).toBe(venue.exchange.stateHash())
        for (const next of second) {
          venue.send(next)
          restored.apply(venue.commands.at(-1)!)
          expect(outcomeOf(restored)).toEqual(outcomeOf(venue.exchange))
        }
        expect(restored.stateHash()).toBe(venue.exchange.stateHash())
        expect(restored.snapshot()).toEqual(venue.exchange.snapshot())
      }),
      runs,
    )
  })
})

function outcomeOf(exchange: Exchange): number[] {
  const { data, length } = exchange.outcome
  return Array.from(data.subarray(0, length))
}

test('the book equals a slow and plain one, trade for trade', () => {
  const order = fc.record({
    account: fc.nat(3),
    isBuy: fc.boolean(),
    price,
    lots: fc.integer({ min: 1, max: 50 }),
    type: fc.constantFrom('GTC', 'GTC', 'GTC', 'IOC', 'MARKET'),
  })
  const step = fc.oneof({ weight: 4, arbitrary: order }, { weight: 1, arbitrary: fc.record({ cancel: fc.nat(60) }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
      const venue = new Venue({ terms: cheapTerms })
      for (let user = 0; user < 4; user++) venue.account(`user-${user}`, 100_000, 100)
      const reference = new ReferenceBook()
      const owners: number[] = []
      for (const one of steps) {
        if ('cancel' in one) {
          const owner = owners[one.cancel]
          if (owner !== undefined) venue.send({ kind: CommandKind.cancelOrder, account: owner, order: one.cancel })
          reference.cancel(one.cancel)
          continue
        }
        const isMarket = one.type === 'MARKET'
        const events = venue.place(one.account, {
          side: one.isBuy ? 'BUY' : 'SELL',
          type: isMarket ? 'MARKET' : 'LIMIT',
          tif: one.type === 'GTC' ? 'GTC' : 'IOC',
          price: isMarket ? 0 : one.price,
          quantity: one.lots,
        })
        const id = events[0]!.fields[2]!
        owners[id] = one.account
        const expected = reference.add(
          { id, account: one.account, isBuy: one.isBuy, price: isMarket ? 0 : one.price, lots: one.lots },
          one.type === 'GTC',
        )
        const trades = events
          .filter(({ kind }) => kind === 'trade')
          .map(({ fields }): ReferenceTrade => ({ taker: fields[6]!, maker: fields[11]!, price: fields[2]!, lots: fields[3]! }))
        expect(trades).toEqual(expected)
        const { bids, asks } = venue.exchange.book(0, 100)
        expect(bids).toEqual(reference.levels(true))
        expect(asks).toEqual(reference.levels(false))
      }
    }),
    runs,
  )
})

describe('poison', () => {
  const figure = fc.oneof(
    fc.constantFrom(
      0,
      -1,
      1,
      0.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      2 ** 53,
      2 ** 53 - 1,
      -(2 ** 53),
      2 ** 31,
      2 ** 32,
      1e300,
      -0,
    ),
    fc.integer(),
    fc.nat(10),
    price,
    fc.double(),
  )
  const text = fc.oneof(fc.constantFrom('', 'a', 'user-0', '__proto__', 'x'.repeat(1_000)), fc.string())
  const fields = [
    'account',
    'symbol',
    'asset',
    'side',
    'orderType',
    'timeInForce',
    'quantity',
    'price',
    'stopPrice',
    'order',
    'amount',
    'scale',
    'status',
    'mode',
    'positionNotionalMax',
    'leverageMaxHundredths',
    'dailyLossMax',
    'priceScale',
    'quantityScale',
    'tickUnits',
    'lotUnits',
    'quantityMinLots',
    'quantityMaxLots',
    'priceMaxTicks',
    'notionalMin',
    'makerFeePpm',
    'takerFeePpm',
    'time',
  ] as const
  const garbage = fc
    .record({
      kind: fc.nat(15),
      figures: fc.array(figure, { minLength: fields.length, maxLength: fields.length }),
      texts: fc.array(text, { minLength: 5, maxLength: 5 }),
      pairs: fc.array(figure, { maxLength: 8 }),
      grants: fc.array(fc.record({ asset: figure, amount: figure }), { maxLength: 3 }),
    })
    .map(({ kind, figures, texts, pairs, grants }) => {
      const [name, userId, clientOrderId, reference, actor] = texts
      return {
        kind,
        name,
        userId,
        clientOrderId,
        reference,
        actor,
        bids: pairs,
        asks: pairs.toReversed(),
        grants,
        ...Object.fromEntries(fields.map((field, at) => [field, figures[at]])),
      } as unknown as Command
    })
  /** Right commands with one field made wrong come further than wholly random ones. */
  const spoilt = fc
    .tuple(command, fc.constantFrom(...fields), figure)
    .map(([good, field, value]) => ({ time: 0, ...good, [field]: value }) as Command)

  test('never throws, never half applies: all that must be so stays so, and a snapshot is still the same state', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            garbage,
            spoilt,
            spoilt,
            command.map((good) => ({ ...good, time: 0 }) as Command),
          ),
          { maxLength: 60, size: 'max' },
        ),
        (sequence) => {
          const venue = openVenue()
          const unseen = openVenue()
          for (const [index, poison] of sequence.entries()) {
            // Looking ahead, at whatever comes, changes nothing.
            if (index % foresightMax === 0) venue.exchange.foresee(sequence, index, index + foresightMax)
            venue.exchange.apply(poison)
            unseen.exchange.apply(poison)
            for (const { difference } of venue.exchange.reconciliation()) expect(difference).toBe(0n)
            for (const { kind, fields: values } of venue.events()) {
              expect(kind).toBeDefined()
              for (const value of values) expect(Number.isSafeInteger(value), `${kind} ${values.join()}`).toBe(true)
            }
          }
          expect(Exchange.restore(venue.exchange.snapshot()).stateHash()).toBe(venue.exchange.stateHash())
          expect(unseen.exchange.stateHash()).toBe(venue.exchange.stateHash())
          expect(venue.exchange.commandCount).toBeGreaterThanOrEqual(sequence.length)
        },
      ),
      { ...runs, numRuns: 400 },
    )
  })

  test('an unknown kind is refused', () => {
    const venue = openVenue()
    venue.exchange.apply({ kind: 99, time: 0 } as unknown as Command)
    expect(venue.refusal()).toBe('invalid_request')
  })
})
