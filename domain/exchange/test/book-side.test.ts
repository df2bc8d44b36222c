import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createAsset, createMarket } from '../administration.ts'
import { BookRecords } from '../book-records.ts'
import { BookSide, leaveQueue } from '../book-side.ts'
import { Core } from '../core.ts'
import { LevelTree } from '../level-tree.ts'
import { LevelStore } from '../levels.ts'
import { none } from '../no-slot.ts'
import { OrderStore } from '../orders.ts'
import { btcTerms } from './venue.ts'

/** Levels side by side, in many nodes and in many trees come and go; compared with a sorted list of prices. */
test.each(['highest', 'lowest'] as const)('levels stay sorted, the %s first, each with its orders in their order', (best) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 600 }), fc.nat(9)), { minLength: 300, maxLength: 1_500, size: 'max' }),
      fc.constantFrom(1, 7, 211, 5_003, 2 ** 43),
      (steps, apart) => {
        const orders = new OrderStore()
        const levels = new LevelStore()
        const side = new BookSide(best, { orders, levels, levelTree: new LevelTree() }, new BookRecords())
        const queues = new Map<number, number[]>()
        let id = 0
        const check = (): void => {
          const expected = [...queues].sort(([a], [b]) => (best === 'highest' ? b - a : a - b))
          const seen: [number, number[]][] = []
          for (let level = side.bestLevel; level !== none; level = side.levelAfter(level)) {
            const slots: number[] = []
            for (let slot = levels.first(level); slot !== none; slot = orders.next(slot)) slots.push(slot)
            expect(levels.count(level)).toBe(slots.length)
            expect(levels.quantity(level)).toBe(slots.reduce((sum, slot) => sum + orders.quantity(slot), 0))
            seen.push([levels.price(level), slots])
          }
          expect(seen).toEqual(expected)
          expect(side.bestPrice).toBe(expected[0]?.[0] ?? 0)
        }
        // Mostly adding in the first half, mostly removing in the second, so that nodes and trees come and go.
        steps.forEach(([nth, dice], step) => {
          const price = nth * apart
          if (step % 100 === 0) check()
          const queue = queues.get(price) ?? []
          if (dice < (step * 2 < steps.length ? 8 : 2)) {
            const slot = orders.create((id += 1), 0, 0, dice + 1, price, 0)
            side.append(slot, price, dice + 1)
            queues.set(price, [...queue, slot])
          } else {
            const nearest = [...queues.keys()].sort((a, b) => Math.abs(a - price) - Math.abs(b - price))[0]
            if (nearest === undefined) return
            const slots = queues.get(nearest)!
            const [slot] = slots.splice(dice % slots.length, 1)
            leaveQueue(orders, levels, side, slot!, orders.quantity(slot!))
            if (slots.length === 0) queues.delete(nearest)
          }
        })
        check()
      },
    ),
    { numRuns: 12 },
  )
})

test('the bids and asks of markets have the records that looking ahead takes them to have', () => {
  const core = new Core(100)
  for (const asset of ['USDT', 'BTC', 'ETH']) createAsset(core, asset, 8)
  for (const name of ['BTC/USDT', 'ETH/USDT']) createMarket(core, { ...btcTerms, name })
  expect(core.markets.map(({ bids, asks }) => [bids.book, asks.book])).toEqual([
    [0, 1],
    [2, 3],
  ])
})
