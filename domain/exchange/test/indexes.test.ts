import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AccountOrders } from '../account-orders.ts'
import { AccountStore } from '../accounts.ts'
import { ByteReader, ByteWriter, SnapshotError } from '../bytes.ts'
import { IdWindow } from '../id-window.ts'
import { OrderIndex } from '../order-index.ts'
import { PairIndex } from '../pair-index.ts'
import { hashOf, Texts } from '../texts.ts'
import { UserIds } from '../user-ids.ts'

/** The hand-made tables beside JavaScript's own. */
describe('tables', () => {
  test.each([0, 5_000, 2 ** 24])('pairs are found, plain or hashed (plain up to %d)', (plainMax) => {
    const pair = fc.tuple(fc.oneof(fc.nat(40), fc.nat(3_000)), fc.oneof(fc.nat(5), fc.nat(1_023)))
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 800, size: 'max' }), fc.array(pair, { maxLength: 50 }), (added, others) => {
        const index = new PairIndex(plainMax)
        const expected = new Map<string, number>()
        for (const [a, b] of added) {
          if (expected.has(`${a} ${b}`)) continue
          index.add(a, b, expected.size)
          expected.set(`${a} ${b}`, expected.size)
        }
        for (const [a, b] of [...added, ...others]) expect(index.find(a, b)).toBe(expected.get(`${a} ${b}`) ?? -1)
      }),
      { numRuns: 40 },
    )
  })

  test('orders are found by whole ids, also where low halves are alike, and forgotten', () => {
    const id = fc.oneof(
      fc.integer({ min: 1, max: 2_000 }),
      fc.integer({ min: 1, max: 50 }).map((low) => low + 2 ** 32),
      fc.integer({ min: 1, max: 50 }).map((low) => low + 2 ** 51),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(id, fc.nat(2)), { maxLength: 3_000, size: 'max' }), (steps) => {
        const index = new OrderIndex()
        const expected = new Map<number, number>()
        const records = new Float64Array(steps.length * 8)
        steps.forEach(([order, dice], step) => {
          const slot = expected.get(order)
          if (slot === undefined && dice > 0) {
            expected.set(order, step)
            records[step * 8] = order
            index.add(order, step, records)
          } else if (slot !== undefined && dice === 0) {
            expected.delete(order)
            index.remove(order, slot)
          }
        })
        for (const [order] of steps) expect(index.find(order, records)).toBe(expected.get(order) ?? -1)
      }),
      { numRuns: 40 },
    )
  })

  test('open orders are listed by account, however they come and go, and runs that were outgrown are used again', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(9)), { maxLength: 2_000, size: 'max' }), (steps) => {
        const accounts = new AccountStore()
        for (let account = 0; account < 4; account++) accounts.open(`user-${account}`)
        const lists = new AccountOrders(accounts)
        const expected = Array.from({ length: 4 }, () => new Map<number, number>())
        steps.forEach(([account, dice], slot) => {
          const cells = expected[account]!
          if (dice < 6) cells.set(slot, lists.add(account, slot))
          else {
            const [gone, cell] = [...cells][(dice * 7) % Math.max(1, cells.size)] ?? []
            if (gone === undefined || cell === undefined) return
            lists.remove(account, cell)
            cells.delete(gone)
          }
        })
        expected.forEach((cells, account) =>
          expect(lists.slots(account).sort((a, b) => a - b)).toEqual([...cells.keys()].sort((a, b) => a - b)),
        )
      }),
      { numRuns: 40 },
    )
  })

  test.each([1, 7, 1_024, 3_000])('ids are remembered until %d newer ones have come', (capacity) => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(2_500)), { maxLength: 6_000, size: 'max' }), (steps) => {
        const window = new IdWindow(capacity)
        const expected = new Map<string, number>()
        steps.forEach(([account, id], step) => {
          const key = `${account} ${id}`
          const place = window.find(account, `id-${id}`)
          expect(place < 0 ? undefined : window.figure(place, 0)).toBe(expected.get(key))
          if (place >= 0) return
          window.addMissing(account, `id-${id}`, step, 0, 1, 2, 3, 4)
          expected.set(key, step)
          if (expected.size > capacity) expected.delete(expected.keys().next().value!)
        })
        const kept: number[] = []
        window.forEach((_account, _text, figures) => kept.push(figures[0]!))
        expect(kept).toEqual([...expected.values()])
      }),
      { numRuns: 20 },
    )
  })
})

/** What columns and texts are after they were written and read. */
function again<Read>(write: (out: ByteWriter) => void, read: (from: ByteReader) => Read): Read {
  const out = new ByteWriter()
  write(out)
  return read(new ByteReader(out.take()))
}

describe('columns of a snapshot', () => {
  const figure = fc.oneof(
    fc.integer(),
    fc.nat(300),
    fc.maxSafeInteger(),
    fc.constantFrom(0, -0, 0.5, Number.NaN, 2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 32 - 1, 2 ** 32),
  )

  test('hold every figure exactly, in as few bytes as they need', () => {
    fc.assert(
      fc.property(fc.array(figure, { maxLength: 20 }), fc.integer(), fc.nat(70_000), (figures, low, span) => {
        for (const column of [figures, figures.map(() => low), figures.map((_, nth) => low + (nth % 2) * span)]) {
          const write = (out: ByteWriter): void => out.columns(column.length, [(nth) => column[nth]!])
          const [read] = again(write, (from) => from.columns(column.length, 1))
          expect([...read!].map((value) => (Object.is(value, -0) ? '-0' : value))).toEqual(
            column.map((value) => (Object.is(value, -0) ? '-0' : value)),
          )
        }
      }),
    )
    const sizeOf = (column: readonly number[]): number => {
      const out = new ByteWriter()
      out.columns(column.length, [(nth) => column[nth]!])
      return out.take().length
    }
    const many = Array.from({ length: 1_000 }, (_, nth) => nth)
    expect([many.map(() => 7e15), many.map((nth) => 7e15 + (nth % 256)), many, many.map((nth) => nth * 70)].map(sizeOf)).toEqual([
      16, 1_024, 2_016, 4_016,
    ])
  })

  test('of an unknown form, or beyond the end, are refused', () => {
    const bytes = (...ints: number[]): Uint8Array => new Uint8Array(Int32Array.from(ints).buffer)
    expect(() => new ByteReader(bytes(3, 0, 0, 0)).columns(1, 1)).toThrow(SnapshotError)
    expect(() => new ByteReader(bytes(8, 0, 0, 0)).columns(2, 1)).toThrow(SnapshotError)
    expect(() => new ByteReader(bytes(0, 0, 0, 0)).columns(-1, 1)).toThrow(SnapshotError)
  })

  test('have texts, which are found and hashed as bytes as they are as strings, and written again alike', () => {
    const text = fc.string({ maxLength: 12, unit: fc.constantFrom('a', 'b', 'é', '한', '😀') })
    fc.assert(
      fc.property(fc.uniqueArray(text, { maxLength: 30 }), fc.array(text, { maxLength: 5 }), (known, others) => {
        const before = new UserIds()
        for (const userId of known) before.add(userId)
        const write = (texts: Texts) => (out: ByteWriter) => out.texts(known.length, texts, (nth) => nth)
        const packed = again(write(before.texts), (from) => from.texts(known.length))
        for (const [nth, userId] of known.entries()) expect(packed.hash(5, nth)).toBe(hashOf(5, userId))
        const after = new UserIds()
        after.restore(packed)
        const copy = again(write(after.texts), (from) => from.texts(known.length))
        expect(known.map((_, nth) => copy.text(nth))).toEqual(known)
        for (const userId of others) if (after.find(userId) < 0) after.add(userId)
        for (const [nth, userId] of known.entries()) expect([after.find(userId), after.get(nth)]).toEqual([nth, userId])
        for (const userId of others) expect(after.get(after.find(userId))).toBe(userId)
      }),
    )
  })

  test('and single texts too, wherever the bytes they are written into have to grow', () => {
    const many = Array.from({ length: 20_000 }, (_, nth) => `text ${nth}`)
    const write = (out: ByteWriter): void => many.forEach((text) => out.text(text))
    expect(again(write, (from) => many.map(() => from.text()))).toEqual(many)
  })

  test('with a user or an id twice are refused', () => {
    const texts = new Texts()
    texts.set(0, 'one')
    const packed = again(
      (out) => out.texts(2, texts, () => 0),
      (from) => from.texts(2),
    )
    expect(() => new UserIds().restore(packed)).toThrow(SnapshotError)
    const figures = Array.from({ length: 6 }, () => new Float64Array(2))
    expect(() => new IdWindow(10).restore(packed, Float64Array.of(4, 4), figures)).toThrow(SnapshotError)
    new IdWindow(10).restore(packed, Float64Array.of(4, 5), figures)
    expect(() => new IdWindow(1).restore(packed, Float64Array.of(4, 5), figures)).toThrow(SnapshotError)
  })
})
