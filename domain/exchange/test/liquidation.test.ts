import { describe, expect, test } from 'vitest'
import { CommandKind, ListKind, MarketStatus } from '@maru/contracts/commands'
import { Exchange } from '../index.ts'
import { Auditor } from './invariants.ts'
import { one, Venue, type SeenEvent } from './venue.ts'

/** A maker with means on both sides of 20,000.00, and `ann` with 1,000 USDT and margin. */
function given(options: { collarPpm?: number } = {}) {
  const venue = new Venue({ rules: 3, secondMarket: true })
  const maker = venue.account('maker', 900_000, 20)
  const ann = venue.account('ann', 1_000)
  venue.margin(ann)
  const { collarPpm = 50_000 } = options
  venue.rules({ collarPpm })
  venue.mark(2_000_000)
  const auditor = new Auditor(venue.exchange)
  auditor.hasQuotes.add(maker)
  const act = (events: SeenEvent[]): SeenEvent[] => {
    auditor.check(events)
    return events
  }
  /** The maker quotes one level on each side. */
  const quote = (bid: number, ask: number, lots = 1_000_000): SeenEvent[] =>
    act(venue.send({ kind: CommandKind.massQuote, account: maker, symbol: 0, bids: [bid, lots], asks: [ask, lots] }))
  const take = (side: 'BUY' | 'SELL', quantity: number): void => {
    act(venue.place(ann, { side, type: 'MARKET', quantity }))
    expect(venue.exchange.position(ann, 0)?.quantity).toBe(side === 'BUY' ? quantity : -quantity)
  }
  const mark = (price: number): SeenEvent[] => act(venue.mark(price))
  const usdt = () => venue.exchange.reconciliation()[0]!
  return { venue, maker, ann, quote, take, mark, act, usdt }
}

const kindsOf = (events: SeenEvent[]): string[] => events.map(({ kind }) => kind)

describe('a margin account below its maintenance margin', () => {
  test('that is long on borrowed money is sold out, pays the fee, and may trade again', () => {
    const { venue, ann, quote, take, mark, act, usdt } = given()
    quote(1_999_000, 2_000_000)
    take('BUY', 40_000)
    act(venue.place(ann, { side: 'BUY', price: 1_500_000, quantity: 1_000 }))
    // 8,000 bought with 1,000: at 18,500 what is left, 392, is more than 5 % of 7,400.
    quote(1_849_000, 1_851_000)
    expect(kindsOf(mark(1_850_000))).toEqual(['markUpdated'])
    quote(1_830_000, 1_840_000)
    const events = mark(1_835_000)
    expect(kindsOf(events)).toEqual([
      'markUpdated',
      'accountLiquidated',
      'orderUpdated',
      'orderAccepted',
      'trade',
      'orderUpdated',
      'liquidationFeePaid',
    ])
    const equity = 1_000 * one - 8 * one - 0.4 * 1_650 * one
    expect(events[1]!.fields.slice(2)).toEqual([equity, 0.4 * 18_350 * one * 0.05])
    const notional = 0.4 * 18_300 * one
    expect(events[6]!.fields.slice(2, 4)).toEqual([0, notional * 0.005])
    expect(venue.exchange.position(ann, 0)?.quantity).toBe(0)
    expect(venue.total(ann)).toBe(1_000 * one - 8 * one - 0.4 * 1_700 * one - notional * 0.001 - notional * 0.005)
    expect([usdt().insurance, venue.exchange.openOrders(ann)]).toEqual([BigInt(notional * 0.005), []])
    expect(venue.exchange.controls(ann).liquidating).toBe(0)
    expect(venue.order(ann, { side: 'BUY', price: 1_500_000, quantity: 1_000 }).refusal).toBe(0)
  })

  test('that is short buys back', () => {
    const { venue, ann, quote, take, mark } = given()
    quote(2_000_000, 2_001_000)
    take('SELL', 40_000)
    expect(venue.exchange.risk(ann)).toMatchObject({ maintenanceMargin: 0.4 * 20_000 * one * 0.05, borrowed: 8_000 * one })
    quote(2_190_000, 2_200_000)
    expect(kindsOf(mark(2_195_000))).toContain('accountLiquidated')
    expect(venue.exchange.position(ann, 0)?.quantity).toBe(0)
    expect(venue.total(ann, 1)).toBe(0)
  })

  test('waits for the next mark where nothing can be traded within the collar, and may only reduce meanwhile', () => {
    const { venue, ann, quote, take, mark, act } = given()
    quote(1_999_000, 2_000_000)
    take('BUY', 40_000)
    quote(1_600_000, 1_900_000, 10_000)
    expect(kindsOf(mark(1_800_000))).toEqual(['markUpdated', 'accountLiquidated'])
    act(venue.place(ann, { side: 'BUY', price: 1_500_000, quantity: 1_000 }))
    expect(venue.refusal()).toBe('liquidation')
    const [accepted] = act(venue.place(ann, { side: 'SELL', price: 2_100_000, quantity: 1_000 }))
    expect(accepted!.kind).toBe('orderAccepted')
    act(venue.send({ kind: CommandKind.cancelOrder, account: ann, order: accepted!.fields[2]! }))
    const copy = Exchange.restore(venue.exchange.snapshot())
    expect(kindsOf(mark(1_799_000))).toEqual(['markUpdated'])
    copy.apply(venue.commands.at(-1)!)
    expect(copy.stateHash()).toBe(venue.exchange.stateHash())
    // Some can be traded now, the rest later.
    quote(1_795_000, 1_900_000, 10_000)
    mark(1_799_000)
    expect(venue.exchange.position(ann, 0)?.quantity).toBe(30_000)
    quote(1_795_000, 1_900_000)
    mark(1_799_000)
    expect(venue.exchange.position(ann, 0)?.quantity).toBe(0)
    expect(venue.exchange.controls(ann).liquidating).toBe(0)
  })

  test('that recovers is let be', () => {
    const { venue, ann, quote, take, mark } = given()
    quote(1_999_000, 2_000_000)
    take('BUY', 40_000)
    quote(1_600_000, 1_900_000, 10_000)
    mark(1_800_000)
    expect(venue.exchange.controls(ann).liquidating).toBe(1)
    mark(2_000_000)
    expect(venue.exchange.controls(ann).liquidating).toBe(0)
    expect(venue.exchange.position(ann, 0)?.quantity).toBe(40_000)
  })

  test('with less than nothing left is covered by the insurance fund, which may come to owe', () => {
    const { venue, ann, quote, take, mark, usdt } = given()
    quote(1_999_000, 2_000_000)
    take('BUY', 45_000)
    quote(1_500_000, 1_510_000)
    const events = mark(1_500_000)
    expect(kindsOf(events).slice(-2)).toEqual(['orderUpdated', 'insurancePaid'])
    const owed = events.at(-1)!.fields[3]!
    expect(owed).toBe(0.45 * 5_000 * one + 9 * one + 0.45 * 15_000 * one * 0.001 - 1_000 * one)
    expect([venue.total(ann), usdt().insurance, usdt().difference]).toEqual([0, BigInt(-owed), 0n])
    expect(venue.exchange.controls(ann).liquidating).toBe(0)
    venue.send({ kind: CommandKind.moveInsurance, asset: 0, amount: owed, reference: 'repaid', actor: 'operator' })
    expect(usdt().insurance).toBe(0n)
  })

  test('closes its largest position first, and no more than it must', () => {
    const { venue, maker, ann, quote, take, mark, act } = given()
    venue.send({ kind: CommandKind.moveFunds, account: maker, asset: 2, amount: 500 * one, reference: 'eth', actor: 'operator' })
    act([{ kind: 'fundsMoved', fields: [maker, venue.exchange.accountSequence(maker)] }])
    act(venue.mark(100_000, 1))
    quote(1_999_000, 2_000_000)
    act(venue.send({ kind: CommandKind.massQuote, account: maker, symbol: 1, bids: [99_900, 100_000], asks: [100_000, 100_000] }))
    take('BUY', 30_000)
    act(venue.place(ann, { side: 'BUY', type: 'MARKET', symbol: 1, quantity: 100_000 }))
    quote(1_765_000, 1_775_000)
    mark(1_770_000)
    expect(venue.exchange.positions(ann).map(({ quantity }) => quantity)).toEqual([0, 100_000])
    expect(venue.exchange.controls(ann).liquidating).toBe(0)
  })

  test('loses what follows its orders too', () => {
    const { venue, ann, quote, take, mark, act } = given()
    quote(1_999_000, 2_000_000)
    take('BUY', 40_000)
    const leg = (side: 'BUY' | 'SELL', price: number) => ({ ...venue.placement(ann, { side, price, quantity: 2_000 }), time: 0 })
    const legs = [leg('BUY', 1_950_000), leg('SELL', 2_100_000)]
    act(venue.send({ kind: CommandKind.placeList, listKind: ListKind.oto, account: ann, clientListId: '', legs }))
    quote(1_900_000, 1_950_000, 1_000)
    expect(venue.exchange.position(ann, 0)?.quantity).toBe(41_000)
    quote(1_830_000, 1_840_000)
    mark(1_835_000)
    expect([venue.exchange.position(ann, 0)?.quantity, venue.exchange.openOrders(ann), venue.held(ann, 1)]).toEqual([0, [], 0])
  })

  test('cannot be closed where its market is not open: it is tried when it opens', () => {
    const { venue, ann, quote, take, mark } = given()
    quote(1_999_000, 2_000_000)
    take('BUY', 40_000)
    quote(1_795_000, 1_805_000)
    venue.status(MarketStatus.halted)
    expect(kindsOf(mark(1_800_000))).toEqual(['markUpdated', 'accountLiquidated'])
    venue.status(MarketStatus.open)
    mark(1_800_000)
    expect(venue.exchange.position(ann, 0)?.quantity).toBe(0)
  })
})

test('what an account that owes has sold short it cannot take out', () => {
  const { venue, ann, quote, take } = given()
  quote(2_000_000, 2_001_000)
  take('SELL', 40_000)
  const withdraw = (whole: number): string | undefined => {
    venue.send({ kind: CommandKind.moveFunds, account: ann, asset: 0, amount: -whole * one, reference: `out-${whole}`, actor: 'operator' })
    return venue.refusal()
  }
  // 8,000 of exposure at 10 × asks for 800 of its 992.
  expect(withdraw(8_000)).toBe('insufficient_funds')
  expect(withdraw(193)).toBe('insufficient_funds')
  expect(withdraw(192)).toBeUndefined()
})

test('many borrowers are looked at in turn, some with each mark', () => {
  const venue = new Venue({ rules: 3 })
  const maker = venue.account('maker', 40_000_000)
  venue.send({ kind: CommandKind.moveFunds, account: maker, asset: 1, amount: 400 * one, reference: 'btc', actor: 'operator' })
  venue.send({
    kind: CommandKind.setLimits,
    account: maker,
    symbol: -1,
    positionNotionalMax: 2 ** 53 - 1,
    leverageMaxHundredths: -1,
    dailyLossMax: 2 ** 53 - 1,
    actor: 'operator',
  })
  venue.mark(2_000_000)
  const many = 450
  venue.order(maker, { side: 'SELL', price: 2_000_000, quantity: many * 40_000 })
  for (let user = 0; user < many; user++) {
    const account = venue.account(`user-${user}`, 1_000)
    venue.margin(account)
    expect(venue.order(account, { side: 'BUY', type: 'MARKET', quantity: 40_000 }).filled).toBe(40_000)
  }
  venue.order(maker, { side: 'BUY', price: 1_830_000, quantity: many * 40_000 })
  const copy = Exchange.restore(venue.exchange.snapshot())
  let liquidated = 0
  for (let mark = 0; mark < many / 10; mark++) {
    const events = venue.mark(1_835_000)
    copy.apply(venue.commands.at(-1)!)
    const count = events.filter(({ kind }) => kind === 'accountLiquidated').length
    expect(count).toBe(10)
    liquidated += count
  }
  expect(liquidated).toBe(many)
  expect(copy.stateHash()).toBe(venue.exchange.stateHash())
  for (const { difference } of venue.exchange.reconciliation()) expect(difference).toBe(0n)
})
