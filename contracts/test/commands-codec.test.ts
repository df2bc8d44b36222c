import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommandKind, type Command } from '@maru/contracts'
import { decodeBatch, encodeBatch, UnreadableBatchError } from '@maru/contracts/commands-codec'

const integer = fc.maxSafeInteger()
const index = fc.integer({ min: -1, max: 2_000_000_000 })
const text = fc.string({ unit: 'grapheme', maxLength: 70 })
const time = fc.nat({ max: 4_000_000_000_000 })
const levels = fc.array(integer, { maxLength: 12 })
const side = fc.constantFrom(0 as const, 1 as const)

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: fc.constant(CommandKind.addAsset), time, name: text, scale: index }),
  fc.record({
    kind: fc.constant(CommandKind.addMarket),
    time,
    name: text,
    priceScale: index,
    quantityScale: index,
    tickUnits: integer,
    lotUnits: integer,
    quantityMinLots: integer,
    quantityMaxLots: integer,
    priceMaxTicks: integer,
    notionalMin: integer,
    makerFeePpm: index,
    takerFeePpm: index,
  }),
  fc.record({
    kind: fc.constant(CommandKind.openAccount),
    time,
    userId: text,
    grants: fc.array(fc.record({ asset: index, amount: integer }), { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant(CommandKind.placeOrder),
    time,
    account: index,
    symbol: index,
    side,
    orderType: fc.constantFrom(0 as const, 1 as const, 2 as const),
    timeInForce: fc.constantFrom(0 as const, 1 as const, 2 as const),
    quantity: integer,
    price: integer,
    stopPrice: integer,
    clientOrderId: text,
  }),
  fc.record({ kind: fc.constant(CommandKind.cancelOrder), time, account: index, order: integer }),
  fc.record({ kind: fc.constant(CommandKind.cancelAll), time, account: index, symbol: index }),
  fc.record({ kind: fc.constant(CommandKind.massQuote), time, account: index, symbol: index, bids: levels, asks: levels }),
  fc.record({ kind: fc.constant(CommandKind.markPrice), time, symbol: index, price: integer }),
  fc.record({
    kind: fc.constant(CommandKind.moveFunds),
    time,
    account: index,
    asset: index,
    amount: integer,
    reference: text,
    actor: text,
  }),
  fc.record({
    kind: fc.constant(CommandKind.setLimits),
    time,
    account: index,
    symbol: index,
    positionNotionalMax: integer,
    leverageMaxHundredths: integer,
    dailyLossMax: integer,
    actor: text,
  }),
  fc.record({ kind: fc.constant(CommandKind.setMode), time, account: index, mode: fc.constantFrom(0 as const, 1 as const), actor: text }),
  fc.record({
    kind: fc.constant(CommandKind.bookFill),
    time,
    account: index,
    symbol: index,
    side,
    quantity: integer,
    price: integer,
    reference: text,
    actor: text,
  }),
  fc.record({
    kind: fc.constant(CommandKind.setMarketStatus),
    time,
    symbol: index,
    status: fc.constantFrom(0 as const, 1 as const, 2 as const),
    actor: text,
  }),
)

describe('the binary form of commands', () => {
  test('gives back every command exactly', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 20 }), (batch) => {
        expect(decodeBatch(encodeBatch(batch))).toEqual(batch)
      }),
      { numRuns: 500 },
    )
  })

  test('a record that is cut, or has bytes left over, is unreadable', () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 4 }), fc.nat(), (batch, at) => {
        const bytes = encodeBatch(batch)
        expect(() => decodeBatch(bytes.subarray(0, at % bytes.length))).toThrow(UnreadableBatchError)
        expect(() => decodeBatch(Buffer.concat([bytes, Buffer.from([0])]))).toThrow(UnreadableBatchError)
      }),
    )
  })

  test('rubbish is unreadable or a batch, never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeBatch(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(UnreadableBatchError)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('the bytes of version 1 stand for ever', () => {
    const batch: Command[] = [
      {
        kind: CommandKind.placeOrder,
        time: 1_700_000_000_000,
        account: 7,
        symbol: 1,
        side: 1,
        orderType: 1,
        timeInForce: 2,
        quantity: 12_345,
        price: 6_789,
        stopPrice: 0,
        clientOrderId: 'a-1',
      },
      { kind: CommandKind.markPrice, time: 1_700_000_000_001, symbol: 0, price: 42 },
    ]
    const golden = [
      '0102000000',
      '0400008056febc7842070000000100000001010200000000801cc840000000000085ba4000000000000000000300612d31',
      '0800108056febc7842000000000000000000004540',
    ].join('')
    expect(Buffer.from(encodeBatch(batch)).toString('hex')).toBe(golden)
    expect(decodeBatch(Buffer.from(golden, 'hex'))).toEqual(batch)
  })
})
