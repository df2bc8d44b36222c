import { describe, expect, test } from 'vitest'
import { CommandKind } from '@maru/contracts/commands'
import { Exchange } from '../index.ts'
import { one, Venue, type SeenEvent } from './venue.ts'

/** Rules 2, two users with 100,000 USDT and 5 BTC, a mark of 20,000.00. */
function given() {
  const venue = new Venue({ rules: 3, secondMarket: true })
  const [ann, bob] = [venue.account('ann', 100_000, 5), venue.account('bob', 100_000, 5)]
  venue.mark(2_000_000)
  const fees = (tier: number, symbol: number, makerFeePpm: number, takerFeePpm: number): SeenEvent[] =>
    venue.send({ kind: CommandKind.setFees, tier, symbol, makerFeePpm, takerFeePpm, actor: 'operator' })
  const transfer = (from: number, to: number, amount: number, asset = 0, reference = 'r'): SeenEvent[] =>
    venue.send({ kind: CommandKind.transferFunds, from, to, asset, amount, reference, actor: 'operator' })
  const insure = (amount: number, reference = 'i'): SeenEvent[] =>
    venue.send({ kind: CommandKind.moveInsurance, asset: 0, amount, reference, actor: 'operator' })
  return { venue, ann, bob, fees, transfer, insure }
}

describe('fees of tiers', () => {
  test('of the account that trades hold for its side of a fill, in a market or in all', () => {
    const { venue, ann, bob, fees } = given()
    expect(fees(1, -1, 100, 400)).toEqual([{ kind: 'feesChanged', fields: [1, -1, 100, 400] }])
    fees(1, 0, 0, 300)
    venue.controls(ann, { feeTier: 1 })
    venue.controls(bob, { feeTier: 2 })
    expect([venue.exchange.fees(ann, 0), venue.exchange.fees(ann, 1), venue.exchange.fees(bob, 0)]).toEqual([
      { makerFeePpm: 0, takerFeePpm: 300 },
      { makerFeePpm: 100, takerFeePpm: 400 },
      { makerFeePpm: 500, takerFeePpm: 1_000 },
    ])
    venue.order(bob, { side: 'SELL', price: 2_000_000, quantity: 100_000 })
    const taken = venue.order(ann, { side: 'BUY', price: 2_000_000, quantity: 100_000 })
    expect(taken.fee).toBe(20_000 * one * 0.0003)
    venue.order(ann, { side: 'BUY', price: 2_000_000, quantity: 100_000 })
    const trade = venue.place(bob, { side: 'SELL', price: 2_000_000, quantity: 100_000 }).find(({ kind }) => kind === 'trade')!
    expect([trade.fields[9], trade.fields[14]]).toEqual([20_000 * one * 0.001, 0])
    expect(venue.held(ann)).toBe(0)
  })

  test('of a market order are what its funds are asked for', () => {
    const { venue, bob, fees } = given()
    fees(1, 0, 0, 0)
    venue.order(bob, { side: 'SELL', price: 2_000_000, quantity: 100_000 })
    const exact = venue.account('exact', 20_000)
    venue.controls(exact, { feeTier: 1 })
    expect(venue.order(exact, { side: 'BUY', type: 'MARKET', quantity: 100_000 })).toMatchObject({ filled: 100_000, fee: 0 })
    expect(venue.total(exact)).toBe(0)
  })

  test.each<[string, [number, number, number, number]]>([
    ['invalid_amount', [1, 0, 501, 1_000]],
    ['invalid_amount', [1, -1, 0, 100_001]],
    ['invalid_amount', [1, 0, 0.5, 1_000]],
    ['symbol_not_found', [1, 9, 0, 0]],
    ['invalid_request', [0, 0, 0, 0]],
    ['invalid_request', [101, 0, 0, 0]],
  ])('%s: %j', (code, terms) => {
    const { venue, fees } = given()
    fees(...terms)
    expect(venue.refusal()).toBe(code)
  })

  test('in all markets are never above the own of one; they are in a snapshot', () => {
    const { venue, ann, fees } = given()
    fees(7, -1, 100_000, 100_000)
    venue.controls(ann, { feeTier: 7 })
    expect(venue.exchange.fees(ann, 0)).toEqual({ makerFeePpm: 500, takerFeePpm: 1_000 })
    const restored = Exchange.restore(venue.exchange.snapshot())
    expect(restored.feeTiers()).toEqual([{ tier: 7, symbol: -1, rates: { makerFeePpm: 100_000, takerFeePpm: 100_000 } }])
  })
})

describe('a transfer', () => {
  test('takes here and gives there, once for each reference', () => {
    const { venue, ann, bob, transfer } = given()
    expect(transfer(ann, bob, 40_000 * one)).toEqual([
      { kind: 'fundsTransferred', fields: [ann, 4, 0, -40_000 * one, bob] },
      { kind: 'fundsTransferred', fields: [bob, 4, 0, 40_000 * one, ann] },
    ])
    expect(transfer(ann, bob, 40_000 * one)).toEqual([{ kind: 'commandRepeated', fields: [] }])
    expect([venue.total(ann), venue.total(bob)]).toEqual([60_000 * one, 140_000 * one])
    transfer(ann, bob, 1)
    expect(venue.refusal()).toBe('reference_reused')
    for (const { difference } of venue.exchange.reconciliation()) expect(difference).toBe(0n)
  })

  test('of a base asset leaves one position at its average and enters the other at the mark', () => {
    const { venue, ann, bob, transfer } = given()
    venue.mark(3_000_000)
    transfer(ann, bob, one, 1)
    expect(venue.exchange.position(ann, 0)).toMatchObject({ quantity: 400_000, realized: 0 })
    expect(venue.exchange.position(bob, 0)).toMatchObject({ quantity: 600_000, entryCost: 30_000 * one, realized: 0 })
  })

  test.each<[string, (venue: Venue, ann: number, bob: number) => [number, number, number, number?]]>([
    ['account_not_found', (_venue, ann) => [ann, 99, 1]],
    ['account_not_found', (_venue, ann) => [99, ann, 1]],
    ['invalid_request', (_venue, ann) => [ann, ann, 1]],
    ['asset_not_found', (_venue, ann, bob) => [ann, bob, 1, 9]],
    ['invalid_amount', (_venue, ann, bob) => [ann, bob, -1]],
    ['invalid_amount', (_venue, ann, bob) => [ann, bob, 0.5]],
    ['insufficient_funds', (_venue, ann, bob) => [ann, bob, 100_001 * one]],
    [
      'insufficient_funds',
      (venue, ann, bob) => {
        venue.order(ann, { side: 'BUY', price: 1_000_000, quantity: 500_000 })
        return [ann, bob, 60_000 * one]
      },
    ],
  ])('%s', (code, prepare) => {
    const { venue, ann, bob, transfer } = given()
    transfer(...prepare(venue, ann, bob))
    expect(venue.refusal()).toBe(code)
  })
})

describe('the insurance fund', () => {
  test('takes and gives money of the venue, and not what it has not', () => {
    const { venue, insure } = given()
    expect(insure(10 * one)).toEqual([{ kind: 'insuranceMoved', fields: [0, 10 * one] }])
    expect(insure(10 * one)).toEqual([{ kind: 'commandRepeated', fields: [] }])
    insure(-11 * one, 'out')
    expect(venue.refusal()).toBe('insufficient_funds')
    insure(-4 * one, 'out')
    expect(venue.exchange.reconciliation()[0]).toMatchObject({ insurance: BigInt(6 * one), difference: 0n })
    insure(1, 'out')
    expect(venue.refusal()).toBe('reference_reused')
    expect(Exchange.restore(venue.exchange.snapshot()).reconciliation()).toEqual(venue.exchange.reconciliation())
  })
})
