import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AccountMode, CommandKind, MarketStatus, OrderType, Side, TimeInForce, type Command, type TradingEvent } from '@maru/contracts'
import { Exchange, newestRules } from '@maru/domain/exchange'
import { genesisCommands } from '../genesis.ts'
import { canonicalJson } from '@maru/contracts/account-chain'
import { movesLedger, postingsOf } from '../history/postings.ts'
import type { Unstamped } from '../intake/intake.ts'
import { amountText } from '../wire/wire.ts'
import { orderDataOf, translated } from './translated.ts'

/** Whatever moves a balance is in the journal of its account: whoever adds the journal up has the balances. */

const scale = 8
const one = 10 ** scale

/** Minor units of a decimal text, signed. */
function unitsOf(text: string): bigint {
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.')
  const units = BigInt(whole) * BigInt(one) + BigInt(fraction.padEnd(scale, '0'))
  return text.startsWith('-') ? -units : units
}

const users = 5
const account = fc.nat(users - 1)
const actor = fc.constant('operator')
const symbol = fc.constantFrom(0, 1)
/** Around 100.00, sometimes far away, which brings down who owes. */
const price = fc.oneof(fc.integer({ min: 9_900, max: 10_100 }), fc.constantFrom(7_000, 8_500, 11_500, 13_000))
const reference = fc.string({ minLength: 1, maxLength: 2, unit: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f') })

const command = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant(CommandKind.placeOrder),
      account,
      symbol,
      side: fc.constantFrom(Side.buy, Side.sell),
      orderType: fc.constantFrom(OrderType.limit, OrderType.limit, OrderType.market),
      timeInForce: fc.constant(TimeInForce.gtc),
      quantity: fc.integer({ min: 10_000, max: 90_000 }),
      price,
      stopPrice: fc.constant(0),
      clientOrderId: fc.constant(''),
      extras: fc.constant(null),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant(CommandKind.markPrice), symbol, price }) },
  fc.record({
    kind: fc.constant(CommandKind.transferFunds),
    from: account,
    to: account,
    asset: fc.nat(2),
    amount: fc.integer({ min: 1, max: 300_000_000 }),
    reference,
    actor,
  }),
  fc.record({
    kind: fc.constant(CommandKind.moveFunds),
    account,
    asset: fc.nat(2),
    amount: fc.integer({ min: -one, max: one }),
    reference,
    actor,
  }),
  fc.record({
    kind: fc.constant(CommandKind.bookFill),
    account,
    symbol,
    side: fc.constantFrom(Side.buy, Side.sell),
    quantity: fc.integer({ min: 1, max: 9_000 }),
    price,
    reference,
    actor,
  }),
  fc.record({
    kind: fc.constant(CommandKind.moveInsurance),
    asset: fc.constant(0),
    amount: fc.integer({ min: 1, max: one }),
    reference,
    actor,
  }),
  fc.record({
    kind: fc.constant(CommandKind.setFees),
    tier: fc.constant(1),
    symbol: fc.constant(-1),
    makerFeePpm: fc.constant(10),
    takerFeePpm: fc.constant(70),
    actor,
  }),
  fc
    .record({
      kind: fc.constant(CommandKind.setMarketStatus),
      symbol,
      status: fc.constantFrom(MarketStatus.open, MarketStatus.auction),
      auctionMs: fc.constant(0),
      actor,
    })
    .map((change) => ({ ...change, auctionMs: change.status === MarketStatus.auction ? 5 : 0 })),
  fc.record({
    kind: fc.constant(CommandKind.setAccountControls),
    account,
    tradeGroup: fc.constant(-1),
    feeTier: fc.constantFrom(0, 1),
    reduceOnly: fc.constant(-1),
    messagesPerSecondMax: fc.constant(-1),
    openOrdersMax: fc.constant(-1),
    actor,
  }),
) as fc.Arbitrary<Unstamped>

test('the journals add up to the balances, and every event is canonical as it is written', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(fc.array(command, { minLength: 30, maxLength: 150, size: 'max' }), (commands) => {
      const exchange = new Exchange()
      const events: TradingEvent[] = []
      let time = Date.UTC(2026, 0, 1)
      const apply = (unstamped: Unstamped): void => {
        const stamped = { ...unstamped, time: (time += 1) } as Command
        exchange.apply(stamped)
        const happened = translated(exchange, stamped)
        for (const { event, data } of happened) expect(data).toBe(canonicalJson(event.data))
        const shown = happened.filter(({ event: { type } }) => type.startsWith('order.') || type === 'trade.executed')
        expect(shown.map(({ event }) => event.data)).toEqual(orderDataOf(exchange))
        events.push(...happened.map(({ event }) => event))
      }
      apply({ kind: CommandKind.setRules, rules: newestRules, actor: 'test' })
      for (const genesis of genesisCommands(exchange)) apply(genesis)
      for (let user = 0; user < users; user++) {
        const hasMargin = user >= users - 2
        const grants = hasMargin ? [{ asset: 0, amount: 10 * one }] : [0, 1, 2].map((asset) => ({ asset, amount: 1_000 * one }))
        apply({ kind: CommandKind.openAccount, userId: `user-${user}`, grants })
        if (hasMargin) apply({ kind: CommandKind.setMode, account: user, mode: AccountMode.margin, actor: 'test' })
      }
      for (const next of commands) apply(next)

      for (let user = 0; user < users; user++) {
        const own = events.filter(({ user_id: id }) => id === `user-${user}`)
        expect(own.map(({ sequence }) => sequence)).toEqual(own.map((_, at) => at + 1))
        const sums = new Map<string, bigint>()
        for (const event of own) {
          seen.add(event.type)
          const postings = postingsOf(event)
          expect(postings.length > 0).toBe(movesLedger(event.type))
          for (const { asset, amount, reason } of postings) {
            seen.add(reason)
            sums.set(asset, (sums.get(asset) ?? 0n) + unitsOf(amount))
          }
        }
        exchange.assets.forEach((asset, index) =>
          expect(amountText(asset, sums.get(asset.name) ?? 0n), `${asset.name} of user-${user}`).toBe(
            amountText(asset, exchange.balance(user, index).total),
          ),
        )
      }
    }),
    { numRuns: 60, seed: Number(process.env['MARU_TEST_SEED'] ?? 20_260_105) },
  )
  for (const kind of [
    'transfer',
    'liquidation_fee',
    'insurance',
    'fee',
    'off_venue_fill',
    'account.liquidated',
    'liquidation.fee_paid',
    'insurance.paid',
  ])
    expect(seen).toContain(kind)
})
