import { expect, test } from 'vitest'
import { pageOf } from '../page.ts'
import { Problem } from '../problem.ts'

const items = ['a', 'b', 'c', 'd', 'e']
const key = (item: string) => `k-${item}`

test.each([
  [{}, ['a', 'b', 'c', 'd', 'e'], null],
  [{ limit: 2 }, ['a', 'b'], 'k-b'],
  [{ limit: 2, cursor: 'k-b' }, ['c', 'd'], 'k-d'],
  [{ limit: 2, cursor: 'k-d' }, ['e'], null],
  [{ limit: 5 }, ['a', 'b', 'c', 'd', 'e'], null],
  [{ cursor: 'k-e' }, [], null],
])('%j', (query, page, next) => {
  expect(pageOf(items, query, key)).toEqual({ items: page, next_cursor: next })
})

test('a cursor that no item has is refused', () => {
  expect(() => pageOf(items, { cursor: 'k-z' }, key)).toThrow(Problem)
})
