import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CommandKind } from '@maru/contracts/commands'
import { OrderStatus, refusals } from '../index.ts'
import { btcTerms, Venue, type OrderRequest } from './venue.ts'

const price = fc.integer({ min: 9_980, max: 10_020 })
const request = fc.record({
  account: fc.nat(3),
  symbol: fc.nat(1),
  side: fc.constantFrom('BUY' as const, 'SELL' as const),
  type: fc.constantFrom('LIMIT' as const, 'LIMIT' as const, 'MARKET' as const, 'STOP' as const),
  tif: fc.constantFrom('GTC' as const, 'GTC' as const, 'IOC' as const, 'FOK' as const),
  price,
  stopPrice: price,
  quantity: fc.integer({ min: 1, max: 300_000 }),
})
const asking = fc.tuple(request, fc.boolean()).map(([order, isReduceOnly]) => ({ order, isReduceOnly }))

function fitted(order: typeof request extends fc.Arbitrary<infer T> ? T : never): OrderRequest {
  return order.type === 'STOP' ? { ...order, tif: 'GTC' } : order
}

test('a preview tells what then happens, and changes nothing, whoever asks for whatever', () => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 40 }), asking, (before, { order: asked, isReduceOnly }) => {
      const venue = new Venue({ rules: 3, secondMarket: true, terms: { ...btcTerms, notionalMin: 0, quantityMinLots: 1 } })
      for (let user = 0; user < 4; user++) venue.account(`user-${user}`, 2_000, 2)
      venue.margin(3)
      venue.mark(10_000)
      venue.rules({ collarPpm: 1_000, limitBandPpm: 1_500 })
      for (const order of before) venue.place(order.account, fitted(order))
      const { exchange } = venue
      const wish = { ...fitted(asked), ...(isReduceOnly ? { extras: { isReduceOnly } } : {}) }
      const order = { ...venue.placement(asked.account, wish), time: venue.timeMs }
      const [hash, count] = [exchange.stateHash(), exchange.commandCount]
      const preview = exchange.preview(order)
      expect([exchange.stateHash(), exchange.commandCount]).toEqual([hash, count])

      const availableBefore = exchange.balance(asked.account, preview.asset).total - exchange.balance(asked.account, preview.asset).held
      const placed = venue.order(asked.account, wish)
      if (preview.refusal !== 0) {
        expect([placed.filled, refusals[placed.refusal]]).toEqual([0, refusals[preview.refusal]])
        return
      }
      expect(placed.status).not.toBe(OrderStatus.rejected)
      const met = venue.events().find(({ kind, fields }) => kind === 'orderUpdated' && fields[2] === placed.order)
      expect([placed.filled, placed.filledNotional, placed.fee]).toEqual([preview.lots, preview.notional, preview.fees])
      // What expired against an own order, or woke stops, is not spoken of beforehand.
      const isDisturbed =
        venue.events().some(({ kind }) => kind === 'orderTriggered') || refusals[met?.fields[7] ?? 0] === 'self_trade_prevented'
      if (isDisturbed) return
      const { total, held } = exchange.balance(asked.account, preview.asset)
      expect(total - held).toBe(preview.availableAfter)
      expect(availableBefore - preview.required).toBe(preview.availableAfter)
    }),
    { numRuns: 400, seed: Number(process.env['MARU_TEST_SEED'] ?? 20_260_105) },
  )
})

test('records of positions and balances that come later are as if nobody had asked', () => {
  const [asked, unasked] = [new Venue({ rules: 3, secondMarket: true }), new Venue({ rules: 3, secondMarket: true })]
  for (const venue of [asked, unasked]) for (let user = 0; user < 1_100; user++) venue.account(`user-${user}`, 1_000)
  for (let user = 0; user < 1_100; user++) {
    const order = { side: 'BUY', symbol: user % 2, price: 1_000_000, quantity: 1_000 } as const
    asked.exchange.preview({ ...asked.placement(user, order), time: 0 })
    for (const venue of [asked, unasked]) if (user % 3 === 0) venue.place(user, order)
  }
  expect(asked.exchange.stateHash()).toBe(unasked.exchange.stateHash())
  asked.send({ kind: CommandKind.tick })
  expect(asked.exchange.stateHash()).not.toBe(unasked.exchange.stateHash())
})
