import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatRatio } from '@maru/domain/money'
import { Problem } from '@maru/service-host'
import { parsePrice, parseQuantity } from '../wire/parse.ts'
import { averagePriceText } from '../wire/wire.ts'

test.each([
  [parsePrice, '1.25', 'tick_size'],
  [parsePrice, '1.3', 'tick_size'],
  [parseQuantity, '0.015', 'lot_size'],
  [parseQuantity, 0.01, 'lot_size'],
] as const)('what is no multiple of the step is refused with its field', (parse, value, code) => {
  const market = { priceScale: 1, tickUnits: 5, quantityScale: 2, lotUnits: 2 } as never
  let thrown: unknown
  try {
    parse(market, value, 'orders.1.field')
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(Problem)
  expect(thrown).toMatchObject({ code, extras: { errors: [{ path: 'orders.1.field' }] } })
  expect([parsePrice(market, '1.5', 'price'), parseQuantity(market, '0.1', 'quantity')]).toEqual([3, 5])
})

test('an average price is the ratio of cost and lots, however it is reached', () => {
  const figures = fc.record({
    lots: fc.integer({ min: 1, max: 1_000_000 }),
    unit: fc.integer({ min: 0, max: 5_000_000_000 }),
    rest: fc.constantFrom(0, 0, 1, 7),
    quoteScale: fc.integer({ min: 0, max: 12 }),
    quantityScale: fc.integer({ min: 0, max: 8 }),
    lotUnits: fc.constantFrom(1, 1, 10),
  })
  fc.assert(
    fc.property(figures, ({ lots, unit, rest, quoteScale, quantityScale, lotUnits }) => {
      const cost = unit * lots + rest
      const exchange = { assets: [{ scale: quoteScale }] }
      const market = { quote: 0, quantityScale, lotUnits }
      const text = averagePriceText(exchange as never, market as never, cost, lots)
      const exact = formatRatio(BigInt(cost) * 10n ** BigInt(quantityScale), BigInt(lots) * BigInt(lotUnits) * 10n ** BigInt(quoteScale), 8)
      expect(text).toBe(exact)
    }),
    { numRuns: 2_000 },
  )
})
