import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BoundedMap } from '../bounded-map.ts'

test('holds what a Map does whose first key goes for each new one beyond the bound', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.tuple(fc.nat(20), fc.nat()), { maxLength: 200 }), (max, steps) => {
      const bounded = new BoundedMap<number, number>(max)
      const plain = new Map<number, number>()
      for (const [key, value] of steps) {
        bounded.set(key, value)
        if (!plain.has(key) && plain.size === max) plain.delete([...plain.keys()][0]!)
        plain.set(key, value)
        expect(bounded.size).toBe(plain.size)
        for (let known = 0; known <= 20; known++) expect(bounded.get(known)).toBe(plain.get(known))
      }
    }),
  )
})

test.each([0, -1, 1.5, Number.NaN])('a bound of %s is refused', (max) => {
  expect(() => new BoundedMap(max)).toThrow(RangeError)
})
