import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { amountMax, formatRatio, formatUnits, mulDiv, parseDecimal, type Rounding } from '../index.ts'

/** The same by BigInt alone. */
function exact(a: number, b: number, c: number, rounding: Rounding): number {
  const product = BigInt(a) * BigInt(b)
  const divisor = BigInt(c)
  const floor = product / divisor
  const twice = (product % divisor) * 2n
  let result = floor
  if (rounding === 'up' && twice > 0n) result = floor + 1n
  if (rounding === 'half_even' && (twice > divisor || (twice === divisor && floor % 2n === 1n))) result = floor + 1n
  return result > BigInt(amountMax) ? Number.POSITIVE_INFINITY : Number(result)
}

const roundings: Rounding[] = ['down', 'up', 'half_even']
const amount = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(),
  fc.nat(1_000),
  fc.nat(1_000).map((under) => amountMax - under),
)
const divisor = fc.oneof(amount, fc.constantFrom(2, 3, 7, 1_000_000, 100_000_000)).filter((value) => value > 0)

describe('mulDiv', () => {
  test.each(roundings)('equals BigInt arithmetic, rounding %s', (rounding) => {
    fc.assert(
      fc.property(amount, amount, divisor, (a, b, c) => {
        expect(mulDiv(a, b, c, rounding)).toBe(exact(a, b, c, rounding))
      }),
      { numRuns: 20_000 },
    )
  })

  test.each([
    [5, 1, 2, 'down', 2],
    [5, 1, 2, 'up', 3],
    [5, 1, 2, 'half_even', 2],
    [7, 1, 2, 'half_even', 4],
    [amountMax, amountMax, amountMax, 'half_even', amountMax],
    [amountMax, 2, 1, 'down', Number.POSITIVE_INFINITY],
    [amountMax, 1_000, 1_000_000, 'down', 9_007_199_254_740],
    [0, amountMax, 3, 'up', 0],
  ] as const)('%d × %d ÷ %d %s is %d', (a, b, c, rounding, expected) => {
    expect(mulDiv(a, b, c, rounding)).toBe(expected)
  })
})

describe('parseDecimal', () => {
  test.each([
    ['1', 2, 100],
    ['0.01', 2, 1],
    ['0.010000', 2, 1],
    ['64250.10', 2, 6_425_010],
    ['90071992.54740991', 8, amountMax],
    [1e-7, 8, 10],
    [1.5e-7, 8, 15],
    [1e-7, 7, 1],
    [0.1, 1, 1],
    [0, 8, 0],
    [-0, 8, 0],
    ['000123.4', 1, 1_234],
    ['90071992.54740992', 8, 'too_large'],
    ['99999999999999999999', 0, 'too_large'],
    [Number.POSITIVE_INFINITY, 8, 'too_large'],
    [1e21, 0, 'too_large'],
    [9_007_199_254_740_991, 1, 'too_large'],
    ['0.001', 2, 'too_precise'],
    [1e-9, 8, 'too_precise'],
    ['0.1234567890123456789012345678901234567890', 8, 'too_precise'],
    ['', 8, 'malformed'],
    ['.5', 8, 'malformed'],
    ['5.', 8, 'malformed'],
    ['-1', 8, 'malformed'],
    ['+1', 8, 'malformed'],
    ['1e5', 8, 'malformed'],
    ['0x10', 8, 'malformed'],
    ['1 ', 8, 'malformed'],
    ['1,000', 8, 'malformed'],
    ['NaN', 8, 'malformed'],
    ['١', 8, 'malformed'],
    [Number.NaN, 8, 'malformed'],
    [-1, 8, 'malformed'],
    ['1'.repeat(1_000_000), 0, 'malformed'],
  ] as const)('%s at scale %d is %s', (value, scale, expected) => {
    expect(parseDecimal(value, scale)).toBe(expected)
  })

  test('reads back whatever formatUnits writes', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 18 }), (units, scale) => {
        expect(parseDecimal(formatUnits(units, scale), scale)).toBe(units)
      }),
    )
  })

  test('reads any JSON number as its shortest text says', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (value) => {
        const units = parseDecimal(value, 18)
        if (typeof units === 'number') expect(units / 1e18).toBeCloseTo(value, 12)
        else expect(['too_precise', 'too_large']).toContain(units)
      }),
    )
  })
})

describe('formatting', () => {
  test.each([
    [0, 8, '0'],
    [1, 8, '0.00000001'],
    [-1, 8, '-0.00000001'],
    [-0, 8, '0'],
    [12_500, 3, '12.5'],
    [100, 2, '1'],
    [100, 0, '100'],
    [-9_007_199_254_740_991n * 10n, 8, '-900719925.4740991'],
  ] as const)('formatUnits(%s, %d) is %s', (units, scale, expected) => {
    expect(formatUnits(units, scale)).toBe(expected)
  })

  test('a number is written as the same bigint is, beside whole units most of all', () => {
    const near = fc.tuple(fc.integer({ min: 0, max: 18 }), fc.maxSafeNat(), fc.integer({ min: -2, max: 2 })).map(([scale, seed, away]) => {
      const one = 10 ** scale
      const units = Math.floor(seed / one) * one + away
      return [Math.min(Math.max(units, 0), amountMax), scale] as const
    })
    fc.assert(
      fc.property(fc.oneof(near, fc.tuple(fc.maxSafeNat(), fc.integer({ min: 0, max: 18 }))), ([units, scale]) => {
        expect(formatUnits(units, scale)).toBe(formatUnits(BigInt(units), scale))
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    [2_883n, 29n, 14, '99.41379310344828'],
    [1, 3, 8, '0.33333333'],
    [2, 3, 8, '0.66666667'],
    [-2, 3, 8, '-0.66666667'],
    [2, -3, 8, '-0.66666667'],
    [1, 2, 0, '0'],
    [3, 2, 0, '2'],
    [10, 2, 4, '5'],
  ] as const)('formatRatio(%s, %s, %d) is %s', (numerator, denominator, decimals, expected) => {
    expect(formatRatio(numerator, denominator, decimals)).toBe(expected)
  })
})
