import { describe, expect, test } from 'vitest'
import { AccountMode, CommandKind, Side } from '@maru/contracts/commands'
import { OrderStatus } from '../index.ts'
import { day, one, Venue } from './venue.ts'

const btc = 100_000

function move(venue: Venue, account: number, asset: number, amount: number, reference = `r${venue.commands.length}`) {
  return venue.send({ kind: CommandKind.moveFunds, account, asset, amount, reference, actor: 'operator' })
}

function limits(venue: Venue, account: number, given: { symbol?: number; position?: number; leverage?: number; loss?: number }) {
  const { symbol = -1, position = -1, leverage = -1, loss = -1 } = given
  return venue.send({
    kind: CommandKind.setLimits,
    account,
    symbol,
    positionNotionalMax: position,
    leverageMaxHundredths: leverage,
    dailyLossMax: loss,
    actor: 'operator',
  })
}

function bookFill(venue: Venue, account: number, side: Side, quantity: number, price: number, reference = `f${venue.commands.length}`) {
  return venue.send({ kind: CommandKind.bookFill, account, symbol: 0, side, quantity, price, reference, actor: 'operator' })
}

describe('opening an account', () => {
  test('deposits the grants, numbers its stream, and changes nothing the second time', () => {
    const venue = new Venue()
    expect(venue.send({ kind: CommandKind.openAccount, userId: 'ann', grants: [{ asset: 0, amount: 5 * one }] })).toEqual([
      { kind: 'accountOpened', fields: [0, 1] },
      { kind: 'fundsMoved', fields: [0, 2, 0, 5 * one, 1] },
    ])
    expect(venue.send({ kind: CommandKind.openAccount, userId: 'ann', grants: [{ asset: 0, amount: 5 * one }] })).toEqual([
      { kind: 'commandRepeated', fields: [] },
    ])
    expect(venue.total(0)).toBe(5 * one)
    expect(venue.exchange.accountSequence(0)).toBe(2)
  })

  test.each([
    [
      'an unknown asset',
      [
        { asset: 0, amount: 1 },
        { asset: 9, amount: 1 },
      ],
      'asset_not_found',
    ],
    ['half a unit', [{ asset: 0, amount: 0.5 }], 'invalid_amount'],
    [
      'more than can be counted',
      [
        { asset: 0, amount: 2 ** 53 - 1 },
        { asset: 0, amount: 1 },
      ],
      'amount_too_large',
    ],
  ])('with a grant of %s is refused whole', (_name, grants, code) => {
    const venue = new Venue()
    venue.send({ kind: CommandKind.openAccount, userId: 'ann', grants })
    expect(venue.refusal()).toBe(code)
    expect(venue.exchange.accountOf('ann')).toBe(-1)
    expect(venue.exchange.reconciliation()[0]!.deposits).toBe(0n)
  })
})

describe('moving funds', () => {
  const rows: [name: string, amount: number, asset: number, code: string | undefined][] = [
    ['a deposit', 5 * one, 0, undefined],
    ['a withdrawal of all that is free', -99_899.9 * one, 0, undefined],
    ['a withdrawal of one unit more than is free', -99_899.9 * one - 1, 0, 'insufficient_funds'],
    ['nothing', 0, 0, 'invalid_amount'],
    ['half a unit', 0.5, 0, 'invalid_amount'],
    ['a deposit over 2^53', 2 ** 53 - 1, 0, 'amount_too_large'],
    ['an unknown asset', 1, 9, 'asset_not_found'],
  ]
  test.each(rows)('%s', (_name, amount, asset, code) => {
    const venue = new Venue()
    const ann = venue.account('ann')
    venue.order(ann, { price: 10_000, quantity: btc })
    expect(venue.held(ann)).toBe(100.1 * one)
    const before = venue.total(ann)
    move(venue, ann, asset, amount)
    expect(venue.refusal()).toBe(code)
    expect(venue.total(ann)).toBe(code ? before : before + amount)
  })

  test('a reference is good once; a repeat changes nothing, other terms are refused', () => {
    const venue = new Venue()
    const ann = venue.account('ann')
    move(venue, ann, 0, one, 'tx')
    expect(move(venue, ann, 0, one, 'tx')).toEqual([{ kind: 'commandRepeated', fields: [] }])
    move(venue, ann, 0, 2 * one, 'tx')
    expect(venue.refusal()).toBe('reference_reused')
    expect(bookFill(venue, ann, Side.buy, btc, 100, 'tx')[0]!.kind).toBe('commandRefused')
    expect(venue.total(ann)).toBe(100_001 * one)
  })

  test('a withdrawal refused for want of funds may be sent again with its reference', () => {
    const venue = new Venue()
    const ann = venue.account('ann', 1)
    move(venue, ann, 0, -2 * one, 'out')
    expect(venue.refusal()).toBe('insufficient_funds')
    move(venue, ann, 0, one)
    expect(move(venue, ann, 0, -2 * one, 'out')[0]!.kind).toBe('fundsMoved')
  })

  test('coins enter the position at the mark, by whole lots of the balance, and leave it without P&L', () => {
    const venue = new Venue()
    const ann = venue.account('ann')
    venue.mark(2_000_000)
    move(venue, ann, 1, one + 600)
    expect(venue.exchange.position(ann, 0)).toMatchObject({ quantity: btc, entryCost: 20_000 * one, entryQuantity: btc })
    move(venue, ann, 1, 400)
    expect(venue.exchange.position(ann, 0)).toMatchObject({ quantity: btc + 1 })
    venue.mark(3_000_000)
    move(venue, ann, 1, -one)
    expect(venue.exchange.position(ann, 0)).toMatchObject({ quantity: 1, realized: 0 })
    expect(venue.total(ann, 1)).toBe(1_000)
  })
})

describe('limits', () => {
  test('are what the founding document says, until an operator sets others', () => {
    const venue = new Venue({ secondMarket: true })
    const ann = venue.account('ann')
    expect(venue.exchange.limits(ann)).toEqual({
      positionNotionalMax: 1_000_000 * one,
      leverageMaxHundredths: 1_000,
      dailyLossMax: 100_000 * one,
      bySymbol: new Map(),
    })
    limits(venue, ann, { position: 5 * one, leverage: 300 })
    expect(venue.events()).toEqual([{ kind: 'limitsChanged', fields: [ann, 3, -1, 5 * one, 300, 100_000 * one] }])
    limits(venue, ann, { symbol: 1, position: 7 * one })
    expect(venue.exchange.limits(ann)).toEqual({
      positionNotionalMax: 5 * one,
      leverageMaxHundredths: 300,
      dailyLossMax: 100_000 * one,
      bySymbol: new Map([[1, 7 * one]]),
    })
    limits(venue, ann, { position: -2 })
    expect(venue.refusal()).toBe('invalid_amount')
  })

  test('open orders count: two orders cannot pass the position limit together', () => {
    const venue = new Venue()
    const ann = venue.account('ann', 900_000)
    limits(venue, ann, { position: 20_000 * one })
    expect(venue.order(ann, { price: 2_000_000, quantity: 0.6 * btc }).status).toBe(OrderStatus.pending)
    venue.place(ann, { price: 2_000_000, quantity: 0.5 * btc })
    expect(venue.refusal()).toBe('position_limit')
    expect(venue.order(ann, { price: 2_000_000, quantity: 0.4 * btc }).status).toBe(OrderStatus.pending)
  })

  test('of a market goes before that of the account', () => {
    const venue = new Venue()
    const ann = venue.account('ann', 900_000)
    limits(venue, ann, { position: one })
    limits(venue, ann, { symbol: 0, position: 20_000 * one })
    expect(venue.order(ann, { price: 2_000_000, quantity: btc }).status).toBe(OrderStatus.pending)
  })

  test('the loss of the day stops all but reducing orders, until midnight UTC', () => {
    const venue = new Venue()
    const [ann, maker] = [venue.account('ann', 50_000), venue.account('maker', 500_000, 9)]
    limits(venue, ann, { loss: 1_000 * one })
    venue.order(maker, { side: 'SELL', price: 2_000_000, quantity: 2 * btc })
    venue.order(ann, { side: 'BUY', price: 2_000_000, quantity: 2 * btc })
    venue.order(maker, { side: 'BUY', price: 1_900_000, quantity: 9 * btc })
    venue.order(ann, { side: 'SELL', price: 1_900_000, quantity: btc })
    expect(venue.exchange.risk(ann).dailyRealized).toBe(-(1_000 + 40 + 19) * one)
    venue.place(ann, { side: 'BUY', price: 1_000_000, quantity: btc })
    expect(venue.refusal()).toBe('daily_loss_limit')
    expect(venue.order(ann, { side: 'SELL', price: 1_900_000, quantity: 0.5 * btc }).status).toBe(OrderStatus.filled)
    venue.timeMs += day / 2
    expect(venue.order(ann, { side: 'BUY', price: 1_000_000, quantity: btc }).status).toBe(OrderStatus.pending)
    expect(venue.exchange.risk(ann).dailyRealized).toBe(0)
  })
})

describe('a margin account', () => {
  function scene() {
    const venue = new Venue()
    const maker = venue.account('maker', 900_000, 20)
    const ann = venue.account('ann', 10_000)
    venue.margin(ann)
    venue.mark(2_000_000)
    venue.order(maker, { side: 'BUY', price: 1_999_900, quantity: 10 * btc })
    venue.order(maker, { side: 'SELL', price: 2_000_000, quantity: 10 * btc })
    return { venue, maker, ann }
  }

  test('borrows within its leverage, with open orders counted, and sells short', () => {
    const { venue, ann } = scene()
    expect(venue.order(ann, { price: 1_500_000, quantity: 3 * btc }).status).toBe(OrderStatus.pending)
    venue.place(ann, { price: 1_500_000, quantity: 2.1 * btc })
    expect(venue.refusal()).toBe('leverage_limit')
    venue.send({ kind: CommandKind.cancelAll, account: ann, symbol: -1 })
    expect(venue.order(ann, { side: 'SELL', type: 'MARKET', quantity: 4 * btc }).status).toBe(OrderStatus.filled)
    expect(venue.total(ann, 1)).toBe(-4 * one)
    expect(venue.exchange.position(ann, 0)).toMatchObject({ quantity: -4 * btc })
    expect(venue.exchange.risk(ann)).toMatchObject({ exposure: 80_000 * one, borrowed: 80_000 * one, leverageHundredths: 807 })
    venue.place(ann, { side: 'SELL', type: 'MARKET', quantity: 2 * btc })
    expect(venue.refusal()).toBe('leverage_limit')
  })

  test('without equity may only reduce', () => {
    const { venue, ann } = scene()
    venue.order(ann, { side: 'SELL', type: 'MARKET', quantity: 4 * btc })
    venue.mark(2_300_000)
    expect(venue.exchange.risk(ann).equity).toBeLessThan(0)
    venue.place(ann, { side: 'SELL', type: 'MARKET', quantity: 0.01 * btc })
    expect(venue.refusal()).toBe('leverage_limit')
    venue.place(ann, { side: 'BUY', type: 'MARKET', quantity: 4.01 * btc })
    expect(venue.refusal()).toBe('leverage_limit')
    expect(venue.order(ann, { side: 'BUY', type: 'MARKET', quantity: 4 * btc }).status).toBe(OrderStatus.filled)
  })

  test('cannot withdraw what it borrowed', () => {
    const { venue, ann } = scene()
    venue.order(ann, { side: 'BUY', type: 'MARKET', quantity: 4 * btc })
    move(venue, ann, 0, -1)
    expect(venue.refusal()).toBe('insufficient_funds')
  })

  test('becomes a cash account only when it owes nothing and its open orders could not make it owe', () => {
    const { venue, ann } = scene()
    const toCash = () => venue.send({ kind: CommandKind.setMode, account: ann, mode: AccountMode.cash, actor: 'operator' })
    venue.order(ann, { price: 1_500_000, quantity: 2 * btc })
    toCash()
    expect(venue.refusal()).toBe('borrowing_outstanding')
    venue.send({ kind: CommandKind.cancelAll, account: ann, symbol: -1 })
    expect(toCash()).toEqual([{ kind: 'modeChanged', fields: [ann, venue.exchange.accountSequence(ann), AccountMode.cash] }])
    expect(toCash()).toEqual([{ kind: 'commandRepeated', fields: [] }])
    venue.margin(ann)
    venue.order(ann, { side: 'SELL', type: 'MARKET', quantity: btc })
    toCash()
    expect(venue.refusal()).toBe('borrowing_outstanding')
  })
})

describe('an off-venue fill', () => {
  test('moves position and both assets against the world outside, without a fee', () => {
    const venue = new Venue()
    const ann = venue.account('ann')
    expect(bookFill(venue, ann, Side.buy, btc, 2_000_000)).toEqual([
      { kind: 'fillBooked', fields: [ann, 3, 0, Side.buy, 2_000_000, btc, 20_000 * one, 0] },
    ])
    expect(bookFill(venue, ann, Side.sell, btc, 2_100_000)[0]!.fields.at(-1)).toBe(1_000 * one)
    expect(venue.total(ann)).toBe(101_000 * one)
    const [usdt, coins] = venue.exchange.reconciliation()
    expect(usdt).toMatchObject({ deposits: BigInt(121_000 * one), withdrawals: BigInt(20_000 * one), difference: 0n })
    expect(coins).toMatchObject({ deposits: BigInt(one), withdrawals: BigInt(one), difference: 0n })
  })

  test.each([
    ['more than it can pay', Side.buy, 10 * btc, 2_000_000, 'insufficient_funds'],
    ['coins it does not have', Side.sell, 1, 2_000_000, 'insufficient_funds'],
    ['beyond the position limit', Side.buy, 100 * btc, 2_000_000, 'position_limit'],
    ['no quantity', Side.buy, 0, 2_000_000, 'invalid_quantity'],
    ['no price', Side.buy, 1, 0, 'invalid_price'],
    ['more than can be counted', Side.buy, 9_000 * btc, 1_000_000_000, 'amount_too_large'],
  ])('of %s is refused', (_name, side, quantity, price, code) => {
    const venue = new Venue()
    const ann = venue.account('ann')
    const hash = venue.exchange.balance(ann, 0)
    bookFill(venue, ann, side, quantity, price)
    expect(venue.refusal()).toBe(code)
    expect(venue.exchange.balance(ann, 0)).toEqual(hash)
  })
})

describe('assets and markets', () => {
  test('the same again changes nothing, other terms are refused', () => {
    const venue = new Venue()
    expect(venue.send({ kind: CommandKind.addAsset, name: 'BTC', scale: 8 })[0]!.kind).toBe('commandRepeated')
    venue.send({ kind: CommandKind.addAsset, name: 'BTC', scale: 6 })
    expect(venue.refusal()).toBe('already_exists')
    const terms = venue.exchange.markets[0]!
    const command = { ...terms, kind: CommandKind.addMarket }
    expect(venue.send(command)[0]!.kind).toBe('commandRepeated')
    venue.send({ ...command, takerFeePpm: 1 })
    expect(venue.refusal()).toBe('already_exists')
    venue.send({ ...command, name: 'ETH/EUR' })
    expect(venue.refusal()).toBe('asset_not_found')
    venue.send({ ...command, name: 'ETH/BTC', priceScale: 8 })
    expect(venue.refusal()).toBe('invalid_request')
  })
})
