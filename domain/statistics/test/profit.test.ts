import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatFixed,
  isClosing,
  moveIntoPosition,
  multiply,
  parseFixed,
  profitOf,
  unrealizedProfit,
  winRate,
  type Entry,
  type FillSums,
  type Fixed,
} from '../index.ts'

const noFills: FillSums = { trades: 0, closing: 0, winning: 0, volume: 0n, cash: 0n, fees: 0n, grossRealized: 0n }
const of = parseFixed
const whole = (value: number): Fixed => of(String(value))

describe('given a position and a mark, then its unrealised profit', () => {
  test.each([
    ['long above its average', '2', '100', '110', '20'],
    ['long below its average', '2', '100', '90.5', '-19'],
    ['short below its average', '-3', '100', '90', '30'],
    ['none', '0', '0', '90', '0'],
  ])('%s', (_title, quantity, averagePrice, mark, expected) => {
    expect(formatFixed(unrealizedProfit({ quantity: of(quantity), averagePrice: of(averagePrice) }, of(mark)))).toBe(expected)
  })
})

describe('given base asset that comes or goes without a trade, then the position after it', () => {
  test.each([
    ['a deposit into none enters at the mark', '0', '0', '2', '90', '2', '90'],
    ['a deposit into a long one is averaged in', '0.5', '64000', '0.1', '66000', '0.6', '64333.33333333'],
    ['a withdrawal leaves at the average', '2', '100', '-1', '150', '1', '100'],
    ['all of it leaves nothing', '2', '100', '-2', '150', '0', '0'],
    ['a deposit reduces a short one at its average', '-3', '100', '1', '80', '-2', '100'],
    ['what crosses zero enters at the mark', '-1', '100', '3', '80', '2', '80'],
    ['a withdrawal of what is not there is short at the mark', '0', '0', '-1', '80', '-1', '80'],
  ])('%s', (_title, quantity, averagePrice, moved, mark, left, average) => {
    const after = moveIntoPosition({ quantity: of(quantity), averagePrice: of(averagePrice) }, of(moved), of(mark))
    expect([formatFixed(after.quantity), formatFixed(after.averagePrice)]).toEqual([left, average])
  })
})

describe('given a fill and the position after it, then it reduced one or not', () => {
  test.each([
    ['BUY', '1', '1', false],
    ['BUY', '1', '0', true],
    ['BUY', '2', '1', true],
    ['SELL', '1', '0', true],
    ['SELL', '1', '-1', false],
    ['SELL', '2', '-1', true],
    ['SELL', '1', '3', true],
  ] as const)('%s %s leaves %s: %s', (side, quantity, after, expected) => {
    expect(isClosing(side, of(quantity), of(after))).toBe(expected)
  })
})

test('no closing fill gives no win rate, and one of two gives 0.5', () => {
  expect(winRate({ closing: 0, winning: 0 })).toBeUndefined()
  expect(winRate({ closing: 2, winning: 1 })).toBe(0.5)
})

test('profit of a period counts only what changed in it', () => {
  const profit = profitOf({
    fills: { ...noFills, trades: 1, closing: 1, winning: 1, volume: of('80'), cash: of('80'), fees: of('0.08'), grossRealized: of('30') },
    start: { quantity: of('1'), markPrice: of('150') },
    end: { quantity: of('0.5'), markPrice: of('160') },
    moved: 0n,
    entry: { quantity: of('0.5'), averagePrice: of('100') },
  })
  expect(formatFixed(profit.realized)).toBe('29.92')
  expect(formatFixed(profit.unrealized)).toBe('30')
  // 50 of the gain lay before the period.
  expect(formatFixed(profit.total)).toBe('9.92')
})

/** An account kept the plain way: whole base units at whole prices, one position. */
interface Book {
  cash: Fixed
  entry: Entry
  fills: FillSums
  /** Value of what came in from outside, at the marks of the moment, and of the base asset in it. */
  flows: Fixed
  moved: Fixed
  /** Unrealised gain that went out with withdrawals. */
  carriedOut: Fixed
}

const price = fc.integer({ min: 1, max: 200 })
const step = fc.oneof(
  fc.record({ kind: fc.constant('fill' as const), buys: fc.boolean(), quantity: fc.integer({ min: 1, max: 50 }), price }),
  fc.record({ kind: fc.constant('cash' as const), amount: fc.integer({ min: -500, max: 1_000 }) }),
  fc.record({ kind: fc.constant('base' as const), amount: fc.integer({ min: -20, max: 20 }), price }),
)

test('property: equity changes by the total profit and the deposits, and by nothing else', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), price, (steps, mark) => {
      const book: Book = {
        cash: 0n,
        entry: { quantity: 0n, averagePrice: 0n },
        fills: { ...noFills },
        flows: 0n,
        moved: 0n,
        carriedOut: 0n,
      }
      for (const taken of steps) {
        if (taken.kind === 'fill') trade(book, taken)
        else if (taken.kind === 'cash') {
          book.cash += whole(taken.amount)
          book.flows += whole(taken.amount)
        } else move(book, whole(taken.amount), whole(taken.price))
      }
      const end = { quantity: book.entry.quantity, markPrice: whole(mark) }
      const profit = profitOf({ fills: book.fills, start: { quantity: 0n, markPrice: 0n }, end, moved: book.moved, entry: book.entry })
      expect(book.cash + multiply(end.quantity, end.markPrice) - book.flows).toBe(profit.total)
      // An average price is cut at its twelfth decimal, which each fill and deposit may carry on.
      const parts = profit.realized + profit.unrealized + book.carriedOut
      const difference = profit.total - parts
      expect(difference < 0n ? -difference : difference).toBeLessThan(1_000_000n)
    }),
    { numRuns: 500 },
  )
})

/** A fill with a fee of a thousandth. */
function trade(book: Book, fill: { buys: boolean; quantity: number; price: number }): void {
  const { entry, fills } = book
  const signed = whole(fill.buys ? fill.quantity : -fill.quantity)
  const paid = whole(fill.price)
  const notional = multiply(whole(fill.quantity), paid)
  const fee = notional / 1_000n
  fills.grossRealized += multiply(closedPart(entry.quantity, signed), paid - entry.averagePrice)
  fills.cash += fill.buys ? -notional : notional
  fills.fees += fee
  fills.volume += notional
  fills.trades += 1
  book.cash += (fill.buys ? -notional : notional) - fee
  book.entry = moveIntoPosition(entry, signed, paid)
}

function move(book: Book, amount: Fixed, mark: Fixed): void {
  book.carriedOut += multiply(closedPart(book.entry.quantity, amount), mark - book.entry.averagePrice)
  book.entry = moveIntoPosition(book.entry, amount, mark)
  book.flows += multiply(amount, mark)
  book.moved += multiply(amount, mark)
}

/** The part of a position that goes when `signed` is added to it, with the sign of the position. */
function closedPart(quantity: Fixed, signed: Fixed): Fixed {
  if (quantity === 0n || signed > 0n === quantity > 0n) return 0n
  const isWhole = quantity > 0n ? -signed >= quantity : -signed <= quantity
  return isWhole ? quantity : -signed
}
