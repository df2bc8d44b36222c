import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatFixed,
  isClosing,
  parseFixed,
  profitOf,
  totalProfit,
  unrealizedProfit,
  winRate,
  type FillSums,
  type PositionAt,
} from '../index.ts'

const flat: PositionAt = { quantity: 0n, averagePrice: 0n, markPrice: 0n, movedQuantity: 0n, movedValue: 0n }
const noFills: FillSums = { trades: 0, closing: 0, winning: 0, volume: 0n, fees: 0n, grossRealized: 0n }
const of = parseFixed

describe('given a position, then its unrealised profit', () => {
  test.each([
    ['long above its average', { quantity: '2', averagePrice: '100', markPrice: '110' }, '20'],
    ['long below its average', { quantity: '2', averagePrice: '100', markPrice: '90.5' }, '-19'],
    ['short below its average', { quantity: '-3', averagePrice: '100', markPrice: '90' }, '30'],
    ['none', { quantity: '0', averagePrice: '0', markPrice: '90' }, '0'],
    [
      'deposited at the mark that still stands',
      { quantity: '0', averagePrice: '0', markPrice: '90', movedQuantity: '2', movedValue: '180' },
      '0',
    ],
    [
      'deposited at a mark that has risen since',
      { quantity: '0', averagePrice: '0', markPrice: '95', movedQuantity: '2', movedValue: '180' },
      '10',
    ],
  ])('%s', (_title, figures, expected) => {
    const position = { ...flat, ...Object.fromEntries(Object.entries(figures).map(([name, text]) => [name, of(text)])) }
    expect(formatFixed(unrealizedProfit(position))).toBe(expected)
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

test('no closing fill gives no win rate, and half of two gives 0.5', () => {
  expect(winRate({ closing: 0, winning: 0 })).toBeUndefined()
  expect(winRate({ closing: 2, winning: 1 })).toBe(0.5)
})

test('profit of a period counts only what changed in it', () => {
  const start = { ...flat, quantity: of('1'), averagePrice: of('100'), markPrice: of('150') }
  const end = { ...flat, quantity: of('0.5'), averagePrice: of('100'), markPrice: of('160') }
  const fills = { ...noFills, trades: 1, closing: 1, winning: 1, volume: of('80'), fees: of('0.08'), grossRealized: of('30') }
  const profit = profitOf(fills, start, end)
  expect(formatFixed(profit.realized)).toBe('29.92')
  expect(formatFixed(profit.unrealized)).toBe('30')
  // 50 of the gain lay before the period.
  expect(formatFixed(profit.total)).toBe('9.92')
})

interface Book {
  cash: bigint
  quantity: bigint
  /** What the position was bought for, less what has been realised: its average times its quantity. */
  cost: bigint
  fills: FillSums
}

const step = fc.oneof(
  fc.record({
    kind: fc.constant('fill' as const),
    buys: fc.boolean(),
    quantity: fc.integer({ min: 1, max: 50 }),
    price: fc.integer({ min: 1, max: 200 }),
  }),
  fc.record({ kind: fc.constant('deposit' as const), amount: fc.integer({ min: 1, max: 1_000 }) }),
)

test('property: equity changes by the total profit and the deposits, and by nothing else', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 200 }), (steps, mark) => {
      const book: Book = { cash: 0n, quantity: 0n, cost: 0n, fills: { ...noFills } }
      let deposits = 0n
      for (const taken of steps) {
        if (taken.kind === 'deposit') {
          book.cash += of(String(taken.amount))
          deposits += of(String(taken.amount))
        } else trade(book, taken)
      }
      const end: PositionAt =
        book.quantity === 0n
          ? { ...flat, markPrice: of(String(mark)) }
          : {
              ...flat,
              quantity: of(book.quantity.toString()),
              averagePrice: book.cost / book.quantity,
              markPrice: of(String(mark)),
            }
      const equity = book.cash + of((book.quantity * BigInt(mark)).toString())
      const { total } = totalProfit([profitOf(book.fills, flat, end)])
      const difference = equity - deposits - total
      // The average price of a position is cut at its twelfth decimal: at most one unit for each whole base unit.
      expect(difference < 0n ? -difference : difference).toBeLessThanOrEqual(2_000n)
    }),
    { numRuns: 300 },
  )
})

/** A fill with a fee of a thousandth, booked the plain way: whole base units at whole prices. */
function trade(book: Book, { buys, quantity, price }: { buys: boolean; quantity: number; price: number }): void {
  const signed = BigInt(buys ? quantity : -quantity)
  const notional = of(String(quantity * price))
  const fee = notional / 1_000n
  book.cash += (buys ? -notional : notional) - fee
  const opposes = book.quantity !== 0n && book.quantity > 0n !== signed > 0n
  const closed = opposes ? smaller(signed, -book.quantity) : 0n
  if (closed !== 0n) {
    const costOut = (book.cost * -closed) / book.quantity
    book.fills.grossRealized += of(String(price)) * -closed - costOut
    book.cost -= costOut
    book.quantity += closed
  }
  book.cost += of(String(price)) * (signed - closed)
  book.quantity += signed - closed
  book.fills.fees += fee
  book.fills.volume += notional
  book.fills.trades += 1
}

function smaller(signed: bigint, limit: bigint): bigint {
  return (signed > 0n ? signed > limit : signed < limit) ? limit : signed
}
