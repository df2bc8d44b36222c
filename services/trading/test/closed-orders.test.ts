import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { OrderView } from '@maru/domain/exchange'
import { ClosedOrders } from '../replica/closed-orders.ts'

const amount = fc.double({ noNaN: true, noDefaultInfinity: true })
const flag = fc.boolean()

/** Few numbers that come again, neighbours, and some that differ by a multiple of 2^32, which look the same to a hash of 32 bits. */
const number = fc.oneof(
  fc.integer({ min: 1, max: 60 }),
  fc.integer({ min: 1, max: 8 }).map((part) => part * 2 ** 32 + 7),
  fc.maxSafeInteger().map((any) => Math.max(1, Math.abs(any))),
)

const view: fc.Arbitrary<OrderView> = fc.record({
  order: number,
  account: fc.nat(5),
  symbol: fc.nat(3),
  side: fc.constantFrom(0, 1) as fc.Arbitrary<OrderView['side']>,
  orderType: fc.nat(4) as fc.Arbitrary<OrderView['orderType']>,
  timeInForce: fc.nat(3) as fc.Arbitrary<OrderView['timeInForce']>,
  quantity: amount,
  filled: amount,
  price: amount,
  stopPrice: amount,
  filledNotional: amount,
  fee: amount,
  status: fc.nat(5) as fc.Arbitrary<OrderView['status']>,
  refusal: fc.nat(40),
  clientOrderId: fc.string({ maxLength: 5 }),
  createdAtMs: fc.maxSafeNat(),
  updatedAtMs: fc.maxSafeNat(),
  details: fc.option(
    fc.record({ isPostOnly: flag, displayQuantity: amount }).map((some) => some as OrderView['details']),
    { nil: undefined },
  ),
})

test('it holds what a list of the last that were set would hold, and tells of each that is forgotten', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(view, { maxLength: 200, size: 'max' }), (max, views) => {
      const forgotten: [account: number, order: number][] = []
      const orders = new ClosedOrders(max, (account, order) => forgotten.push([account, order]))
      const expected = new Map<number, OrderView>()
      const gone: [number, number][] = []
      for (const given of views) {
        // An order closes once; one that is set again has the same details as before.
        const known = expected.get(given.order)
        const set = known ? { ...given, details: known.details } : given
        if (!known && expected.size === max) {
          const [oldest] = expected.values()
          expected.delete(oldest!.order)
          gone.push([oldest!.account, oldest!.order])
        }
        expected.set(set.order, set)
        orders.set(set)
        expect(orders.size).toBe(expected.size)
      }
      for (const { order } of views) expect(orders.get(order)).toEqual(expected.get(order))
      expect(orders.get(2 ** 40)).toEqual(expected.get(2 ** 40))
      expect(forgotten).toEqual(gone)
    }),
    { numRuns: 300 },
  )
})

test('it grows to its bound, and no further', () => {
  const max = 5_000
  const orders = new ClosedOrders(max, () => undefined)
  const one = fc.sample(view, 1)[0]!
  for (let order = 1; order <= max * 2; order++) orders.set({ ...one, order, quantity: order })
  expect(orders.size).toBe(max)
  for (let order = 1; order <= max * 2; order++) expect(orders.get(order)?.quantity).toBe(order > max ? order : undefined)
})
