import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatRatio, formatUnits, parseDecimal } from '../../money/index.ts'
import { AccountStore } from '../accounts.ts'
import { BalanceStore } from '../balances.ts'
import { PositionStore } from '../positions.ts'

/** Positions by average cost as other systems compute them: NautilusTrader's and Lean's own test cases, collected in vectors/position-accounting.json. */
interface Fill {
  side: 'BUY' | 'SELL'
  qty: string
  price: string
  fee: string
  expect: Partial<Record<'qty' | 'realized' | 'avg_open' | 'last_trade_profit', string>> | null
}
interface Vector {
  id: string
  method: string
  fills: Fill[]
  final: Partial<Record<'side' | 'qty' | 'avg_open' | 'realized' | 'mark' | 'unrealized' | 'total' | 'fees', string>> | null
}

const folder = process.env['MARU_TEST_DATA']
const file = folder
  ? (JSON.parse(readFileSync(join(folder, 'vectors/position-accounting.json'), 'utf8')) as { vectors: Vector[] })
  : undefined

const priceScale = 5
const quantityScale = 2
const quoteScale = 8
const factor = 10 ** (quoteScale - priceScale - quantityScale)

function units(text: string, scale: number): number {
  const value = parseDecimal(text.replace('-', ''), scale)
  if (typeof value !== 'number') throw new Error(`${text}: ${value}`)
  return text.startsWith('-') ? -value : value
}

function positions(): { store: PositionStore; position: number } {
  const accounts = new AccountStore()
  const account = accounts.open('user')
  const store = new PositionStore(accounts, new BalanceStore(accounts))
  return { store, position: store.of(account, 0, 1, 0) }
}

/** The vectors cut averages at 14 decimals; ours may be off by half a minor unit of the cost of the position. */
const averageTolerance = 1e-9

function average(store: PositionStore, position: number): number {
  const lotsPerUnit = 10n ** BigInt(quantityScale)
  return Number(
    formatRatio(BigInt(store.entryCost(position)) * lotsPerUnit, BigInt(store.entryQuantity(position)) * 10n ** BigInt(quoteScale), 14),
  )
}

function expectAverage(store: PositionStore, position: number, expected: string): void {
  expect(Math.abs(average(store, position) - Number(expected))).toBeLessThan(averageTolerance)
}

const trimmed = (text: string): string => formatUnits(units(text, quoteScale), quoteScale)
/** Vectors give money to at most 8 decimals; some were cut there while the exact figure goes on. */
const money = (value: number): string => formatUnits(value, quoteScale)

if (!file) test.skip('position vectors (MARU_TEST_DATA is not set)', () => undefined)
else {
  const vectors = file.vectors.filter(({ method }) => method === 'average_cost')
  test('there are 13 of average cost', () => expect(vectors).toHaveLength(13))

  test.each(vectors.map((vector) => [vector.id, vector] as const))('%s', (_id, vector) => {
    const { store, position } = positions()
    for (const fill of vector.fills) {
      const lots = units(fill.qty, quantityScale) * (fill.side === 'BUY' ? 1 : -1)
      const gross = store.fill(position, lots, units(fill.price, priceScale) * factor, 1)
      store.addFees(position, units(fill.fee, quoteScale))
      const expected = fill.expect
      if (!expected) continue
      if (expected.qty) expect(formatUnits(store.quantity(position), quantityScale)).toBe(trimmed(expected.qty))
      if (expected.avg_open) expectAverage(store, position, expected.avg_open)
      if (expected.realized)
        expect(Math.abs(store.realized(position) - store.fees(position) - units(expected.realized, quoteScale))).toBeLessThanOrEqual(1)
      if (expected.last_trade_profit) expect(money(gross)).toBe(trimmed(expected.last_trade_profit))
    }
    const { final } = vector
    if (!final) return
    const lots = store.quantity(position)
    expect(lots === 0 ? 'FLAT' : lots > 0 ? 'LONG' : 'SHORT').toBe(final.side ?? 'LONG')
    if (final.qty) expect(formatUnits(Math.abs(lots), quantityScale)).toBe(trimmed(final.qty))
    if (final.avg_open) expectAverage(store, position, final.avg_open)
    if (final.fees) expect(money(store.fees(position))).toBe(trimmed(final.fees))
    if (final.realized) expect(money(store.realized(position) - store.fees(position))).toBe(trimmed(final.realized))
    if (final.mark && final.unrealized) {
      const value = Math.abs(lots) * units(final.mark, priceScale) * factor
      const unrealized = (value - store.openCost(position)) * Math.sign(lots)
      expect(money(unrealized)).toBe(trimmed(final.unrealized))
      if (final.total) expect(money(store.realized(position) - store.fees(position) + unrealized)).toBe(trimmed(final.total))
    }
  })
}

describe('positions in general', () => {
  const fills = fc.array(
    fc.tuple(
      fc.integer({ min: -5_000, max: 5_000 }).filter((lots) => lots !== 0),
      fc.integer({ min: 1, max: 10_000_000 }),
    ),
    { minLength: 1, maxLength: 60, size: 'max' },
  )

  test('realised and unrealised P&L are cash received less cash paid plus the value of what is left, to the unit', () => {
    fc.assert(
      fc.property(fills, fc.integer({ min: 1, max: 10_000_000 }), (sequence, mark) => {
        const { store, position } = positions()
        let cash = 0
        for (const [lots, price] of sequence) {
          store.fill(position, lots, price, 1)
          cash -= lots * price
        }
        const quantity = store.quantity(position)
        const unrealized = quantity === 0 ? 0 : (Math.abs(quantity) * mark - store.openCost(position)) * Math.sign(quantity)
        expect(store.realized(position) + unrealized).toBe(cash + quantity * mark)
      }),
      { numRuns: 500 },
    )
  })

  test('reducing never moves the average, in however many steps', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 1_000_000 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 20 }),
        (size, price, parts) => {
          const { store, position } = positions()
          store.fill(position, size, price, 1)
          const entry = [store.entryCost(position), store.entryQuantity(position)]
          for (const part of parts) if (part < store.quantity(position)) store.fill(position, -part, price + 7, 1)
          expect([store.entryCost(position), store.entryQuantity(position)]).toEqual(entry)
        },
      ),
    )
  })

  test.each([
    // what lies there, what moves, at what price, what is left, at what cost for how many
    ['a deposit to nothing enters at the mark', 0, 0, 10, 50, 10, 500, 10],
    ['a deposit without a mark enters at no cost', 0, 0, 10, 0, 10, 0, 10],
    ['a deposit to a long adds at the mark', 10, 100, 10, 50, 20, 1_500, 20],
    ['a withdrawal leaves at the average', 10, 100, -4, 50, 6, 1_000, 10],
    ['a deposit to a short covers at the average', -10, 100, 4, 50, -6, 1_000, 10],
    ['a deposit over a short enters the rest at the mark', -10, 100, 14, 50, 4, 200, 4],
    ['a withdrawal of everything leaves a flat position', 10, 100, -10, 50, 0, 1_000, 10],
  ] as const)('transfer: %s', (_name, held, heldPrice, lots, mark, quantity, entryCost, entryQuantity) => {
    const { store, position } = positions()
    if (held !== 0) store.fill(position, held, heldPrice, 1)
    store.transfer(position, lots, mark, 2)
    expect([store.quantity(position), store.entryCost(position), store.entryQuantity(position)]).toEqual([
      quantity,
      entryCost,
      entryQuantity,
    ])
    expect(store.realized(position)).toBe(0)
  })
})
