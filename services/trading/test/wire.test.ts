import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatRatio } from '@maru/domain/money'
import { averagePriceText } from '../wire/wire.ts'

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
