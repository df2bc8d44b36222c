import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AccountOrders } from '../account-orders.ts'
import { AccountStore } from '../accounts.ts'
import { IdWindow } from '../id-window.ts'
import { OrderIndex } from '../order-index.ts'
import { PairIndex } from '../pair-index.ts'

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
