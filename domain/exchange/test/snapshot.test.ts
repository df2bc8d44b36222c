import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommandKind } from '@maru/contracts/commands'
import { Exchange, hashInSnapshot, SnapshotError } from '../index.ts'
import { Venue } from './venue.ts'

/** A venue with a little of everything in it. */
function busyVenue(): Venue {
  const venue = new Venue({ secondMarket: true })
  const [ann, bob] = [venue.account('ann', 100_000, 5), venue.account('Бob-名', 100_000, 5)]
  venue.mark(2_000_000)
  venue.order(ann, { side: 'SELL', price: 2_001_000, quantity: 100_000, clientOrderId: 'ask-1' })
  venue.order(bob, { side: 'BUY', type: 'MARKET', quantity: 30_000 })
  venue.order(bob, { side: 'BUY', type: 'STOP', stopPrice: 2_100_000, quantity: 10_000 })
  venue.send({
    kind: CommandKind.massQuote,
    account: ann,
    symbol: 0,
    bids: [1_990_000, 50_000, 1_980_000, 70_000],
    asks: [2_010_000, 50_000],
  })
  venue.send({ kind: CommandKind.moveFunds, account: bob, asset: 2, amount: 123_456_789, reference: 'deposit', actor: 'operator' })
  venue.margin(bob)
  return venue
}

describe('a snapshot', () => {
  test('restores accounts, orders, quotes, stops, remembered ids and prices', () => {
    const { exchange } = busyVenue()
    const restored = Exchange.restore(exchange.snapshot())
    for (const account of [0, 1]) {
      expect(restored.userIdOf(account)).toBe(exchange.userIdOf(account))
      expect(restored.openOrders(account)).toEqual(exchange.openOrders(account))
      expect(restored.positions(account)).toEqual(exchange.positions(account))
      expect(restored.risk(account)).toEqual(exchange.risk(account))
      expect(restored.limits(account)).toEqual(exchange.limits(account))
      for (const asset of [0, 1, 2]) expect(restored.balance(account, asset)).toEqual(exchange.balance(account, asset))
    }
    expect(restored.book(0, 9)).toEqual(exchange.book(0, 9))
    expect(restored.markets).toEqual(exchange.markets)
    expect(restored.orderOfClientId(0, 'ask-1')).toEqual(exchange.orderOfClientId(0, 'ask-1'))
    expect(restored.reconciliation()).toEqual(exchange.reconciliation())
    expect([restored.commandCount, restored.timeMs, restored.stateHash()]).toEqual([
      exchange.commandCount,
      exchange.timeMs,
      exchange.stateHash(),
    ])
  })

  test('tells the hash of the state in it', () => {
    const { exchange } = busyVenue()
    expect(hashInSnapshot(exchange.snapshot())).toBe(exchange.stateHash())
  })

  test('of an empty exchange is one', () => {
    const empty = new Exchange()
    expect(Exchange.restore(empty.snapshot()).stateHash()).toBe(empty.stateHash())
  })

  test('is read from the middle of a larger buffer, as databases hand them out', () => {
    const bytes = busyVenue().exchange.snapshot()
    const within = new Uint8Array(bytes.length + 24)
    within.set(bytes, 13)
    expect(Exchange.restore(within.subarray(13, 13 + bytes.length)).snapshot()).toEqual(bytes)
  })

  test('with any bit changed, or cut short, or longer, is refused', () => {
    const bytes = busyVenue().exchange.snapshot()
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), fc.nat(bytes.length - 1), (at, bit, length) => {
        const damaged = bytes.slice()
        damaged[at]! ^= 1 << bit
        // The last eight bytes of the header mean nothing.
        if (at < 24 || at >= 32) expect(() => Exchange.restore(damaged)).toThrow(SnapshotError)
        expect(() => Exchange.restore(bytes.subarray(0, length))).toThrow(SnapshotError)
      }),
    )
    expect(() => Exchange.restore(new Uint8Array([...bytes, ...new Uint8Array(16)]))).toThrow(SnapshotError)
    expect(() => Exchange.restore(new Uint8Array(0))).toThrow(SnapshotError)
  })

  test('of another version says so', () => {
    const bytes = busyVenue().exchange.snapshot()
    bytes[4] = 99
    expect(() => Exchange.restore(bytes)).toThrow(/version 99/)
  })
})

test('fees beyond 2^53 are counted exactly', () => {
  const venue = new Venue({
    terms: {
      priceScale: 0,
      quantityScale: 0,
      quantityMinLots: 1,
      priceMaxTicks: 80_000_000,
      quantityMaxLots: 80_000_000,
      takerFeePpm: 100_000,
      makerFeePpm: 100_000,
    },
  })
  let fees = 0n
  const buyer = venue.account('buyer', 80_000_000)
  const seller = venue.account('seller', 1, 80)
  for (const account of [buyer, seller]) {
    const limits = {
      symbol: -1,
      positionNotionalMax: Number.MAX_SAFE_INTEGER,
      leverageMaxHundredths: -1,
      dailyLossMax: Number.MAX_SAFE_INTEGER,
    }
    venue.send({ kind: CommandKind.setLimits, account, ...limits, actor: 'operator' })
  }
  const top = (account: number, asset: number, whole: number): void => {
    const amount = whole * 100_000_000 - venue.total(account, asset)
    const reference = `top-${venue.commands.length}`
    if (amount !== 0) venue.send({ kind: CommandKind.moveFunds, account, asset, amount, reference, actor: 'operator' })
  }
  for (let round = 0; round < 12; round++) {
    top(buyer, 0, 80_000_000)
    top(buyer, 1, 0)
    top(seller, 0, 1)
    venue.order(seller, { side: 'SELL', price: 70_000_000, quantity: 1 })
    fees += 2n * BigInt(venue.order(buyer, { side: 'BUY', price: 70_000_000, quantity: 1 }).fee)
  }
  expect(fees).toBeGreaterThan(2n ** 53n)
  const [usdt] = venue.exchange.reconciliation()
  expect(usdt).toMatchObject({ fees, difference: 0n })
})
