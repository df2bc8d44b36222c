import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CommandKind,
  ListKind,
  OrderType,
  SelfTrade,
  TimeInForce,
  TrailingUnit,
  TriggerPrice,
  type Command,
  unamended,
} from '@maru/contracts/commands'
import { decodeBatch, encodeBatch, UnreadableBatchError } from '@maru/contracts/commands-codec'

const integer = fc.maxSafeInteger()
const index = fc.integer({ min: -1, max: 2_000_000_000 })
const text = fc.string({ unit: 'grapheme', maxLength: 70 })
const time = fc.nat({ max: 4_000_000_000_000 })
const levels = fc.array(integer, { maxLength: 12 })
const side = fc.constantFrom(0 as const, 1 as const)

const extras = fc.option(
  fc.record({
    isPostOnly: fc.boolean(),
    isReduceOnly: fc.boolean(),
    selfTrade: fc.constantFrom(...Object.values(SelfTrade)),
    trigger: fc.constantFrom(...Object.values(TriggerPrice)),
    displayQuantity: integer,
    expiresAtMs: integer,
    trailingOffset: integer,
    trailingUnit: fc.constantFrom(...Object.values(TrailingUnit)),
    quoteQuantity: integer,
  }),
)
const order = fc.record({
  kind: fc.constant(CommandKind.placeOrder),
  time,
  account: index,
  symbol: index,
  side,
  orderType: fc.constantFrom(...Object.values(OrderType)),
  timeInForce: fc.constantFrom(...Object.values(TimeInForce)),
  quantity: integer,
  price: integer,
  stopPrice: integer,
  clientOrderId: text,
  extras,
})

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
  order,
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
    auctionMs: fc.constantFrom(0, 5_000),
    actor: text,
  }),
  fc.record({ kind: fc.constant(CommandKind.setRules), time, rules: index, actor: text }),
  fc.record({ kind: fc.constant(CommandKind.tick), time }),
  fc.record({
    kind: fc.constant(CommandKind.amendOrder),
    time,
    account: index,
    order: integer,
    quantity: integer,
    price: integer,
    stopPrice: integer,
    trailingOffset: integer,
    trailingUnit: fc.constantFrom(...Object.values(TrailingUnit)),
    expiresAtMs: integer,
    displayQuantity: integer,
  }),
  // What is placed is placed at the time of the whole.
  fc
    .record({ kind: fc.constant(CommandKind.replaceOrder), time, order: integer, placement: order })
    .map((replacing) => ({ ...replacing, placement: { ...replacing.placement, time: replacing.time } })),
  fc
    .record({
      kind: fc.constant(CommandKind.placeList),
      time,
      listKind: fc.constantFrom(...Object.values(ListKind)),
      account: index,
      clientListId: text,
      legs: fc.array(order, { maxLength: 3 }),
    })
    .map((list) => ({ ...list, legs: list.legs.map((leg) => ({ ...leg, time: list.time })) })),
  fc.record({
    kind: fc.constant(CommandKind.setKillSwitch),
    time,
    account: index,
    symbol: index,
    isOn: fc.boolean(),
    byOperator: fc.boolean(),
    actor: text,
  }),
  fc.record({ kind: fc.constant(CommandKind.cancelAllAfter), time, account: index, timeoutMs: integer }),
  fc.record({
    kind: fc.constant(CommandKind.setMarketRules),
    time,
    symbol: index,
    collarPpm: integer,
    limitBandPpm: integer,
    maintenancePpm: integer,
    haltMovePpm: integer,
    haltWindowMs: integer,
    haltForMs: integer,
    auctionForMs: integer,
    actor: text,
  }),
  fc.record({
    kind: fc.constant(CommandKind.setAccountControls),
    time,
    account: index,
    tradeGroup: integer,
    feeTier: integer,
    reduceOnly: integer,
    messagesPerSecondMax: integer,
    openOrdersMax: integer,
    actor: text,
  }),
  fc.record({
    kind: fc.constant(CommandKind.setFees),
    time,
    tier: index,
    symbol: index,
    makerFeePpm: integer,
    takerFeePpm: integer,
    actor: text,
  }),
  fc.record({
    kind: fc.constant(CommandKind.transferFunds),
    time,
    from: index,
    to: index,
    asset: index,
    amount: integer,
    reference: text,
    actor: text,
  }),
  fc.record({ kind: fc.constant(CommandKind.moveInsurance), time, asset: index, amount: integer, reference: text, actor: text }),
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

  test('an amendment of what version 2 knows is written in it, one of more in version 3', () => {
    const amendment = { kind: CommandKind.amendOrder, time: 1, account: 2, order: 3, ...unamended, quantity: 4 } as const
    for (const [command, version] of [
      [amendment, 2],
      [{ ...amendment, expiresAtMs: 5 }, 3],
      [{ ...amendment, displayQuantity: 5 }, 3],
      [{ ...amendment, trailingOffset: 5, trailingUnit: 1 }, 3],
    ] as const) {
      const bytes = encodeBatch([command])
      expect(bytes[0]).toBe(version)
      expect(decodeBatch(bytes)).toEqual([command])
    }
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
        extras: null,
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
