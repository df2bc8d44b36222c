import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { curveLength, curveTimes, equityCurve, formatFixed, parseFixed, timeWeightedReturns, toFloat, multiply } from '../index.ts'

const of = parseFixed

describe('given balances and marks that change, then equity is what they were at each time', () => {
  const balances = new Map([
    [
      'USDT',
      [
        { at: 10, value: of('100000') },
        { at: 20, value: of('35000') },
      ],
    ],
    ['BTC', [{ at: 20, value: of('1') }]],
  ])
  const marks = new Map([
    [
      'BTC',
      [
        { at: 15, value: of('64000') },
        { at: 30, value: of('66000') },
      ],
    ],
  ])
  const curve = equityCurve({ times: [5, 10, 20, 29, 30, 40], quoteAsset: 'USDT', balances, marks })

  test.each([
    [0, 5, '0', '0', '0'],
    [1, 10, '100000', '100000', '0'],
    [2, 20, '99000', '35000', '64000'],
    [3, 29, '99000', '35000', '64000'],
    [4, 30, '101000', '35000', '66000'],
    [5, 40, '101000', '35000', '66000'],
  ])('point %i at %i: equity %s', (index, at, equity, cash, positions) => {
    const point = curve[index]
    expect(point && [point.at, formatFixed(point.equity), formatFixed(point.cash), formatFixed(point.positionsValue)]).toEqual([
      at,
      equity,
      cash,
      positions,
    ])
  })

  test('an asset before its first mark counts at that mark, one without any at nothing', () => {
    const early = equityCurve({
      times: [1],
      quoteAsset: 'USDT',
      balances: new Map([
        ['BTC', [{ at: 0, value: of('2') }]],
        ['XYZ', [{ at: 0, value: of('9') }]],
      ]),
      marks,
    })
    expect(early.map((point) => formatFixed(point.equity))).toEqual(['128000'])
  })
})

test('deposits are no return', () => {
  const samples = [
    { at: 0, equity: of('100') },
    { at: 1, equity: of('110') },
    { at: 2, equity: of('1110') },
    { at: 3, equity: of('1221') },
  ]
  const returns = timeWeightedReturns(samples, [
    { at: 0, value: of('100') },
    { at: 2, value: of('1000') },
  ])
  expect(returns.map((value) => Math.round(value * 1e9) / 1e9)).toEqual([0.1, 0, 0.1])
})

test('a step that starts with nothing returns nothing', () => {
  expect(
    timeWeightedReturns(
      [
        { at: 0, equity: 0n },
        { at: 1, equity: of('50') },
      ],
      [{ at: 1, value: of('50') }],
    ),
  ).toEqual([0])
})

test('property: times start at from, end at to, grow, lie on the interval between, and their number is foretold', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 10_000 }),
      fc.integer({ min: -5, max: 3_000 }),
      fc.integer({ min: 1, max: 500 }),
      (from, length, interval) => {
        const times = curveTimes(from, from + length, interval)
        expect(times.length).toBe(curveLength(from, from + length, interval))
        if (length < 0) return
        expect(times[0]).toBe(from)
        expect(times.at(-1)).toBe(from + length)
        for (const [index, time] of times.entries()) {
          if (index > 0) expect(time).toBeGreaterThan(times[index - 1] ?? 0)
          if (index > 0 && index < times.length - 1) expect(time % interval).toBe(0)
        }
      },
    ),
  )
})

describe('decimals', () => {
  test.each([
    ['0', '0'],
    ['-0', '0'],
    ['64250.10', '64250.1'],
    ['-12.5', '-12.5'],
    ['0.000000004', '0'],
    ['0.000000005', '0.00000001'],
    ['-0.000000005', '-0.00000001'],
    ['123456789012345678901234.5', '123456789012345678901234.5'],
  ])('%s is shown as %s', (text, shown) => {
    expect(formatFixed(parseFixed(text))).toBe(shown)
  })

  test.each(['', '1e5', 'NaN', '1.', '.5', '--1', '1,000', '9'.repeat(70)])('%s is refused', (text) => {
    expect(() => parseFixed(text)).toThrow(RangeError)
  })

  test('products are exact within their twelve decimals', () => {
    expect(formatFixed(multiply(of('0.00000001'), of('64250.1')), 12)).toBe('0.000642501')
    expect(toFloat(of('-1.25'))).toBe(-1.25)
  })
})
