import { expect, test } from 'vitest'
import { verdictOf } from '../agreement/verdict.ts'

test.each([
  ['alone', 'a', 'a', 'agrees'],
  ['two alike', 'a', 'aa', 'agrees'],
  ['two that differ', 'a', 'ab', 'tied'],
  ['one of three', 'a', 'abb', 'outvoted'],
  ['two of three', 'b', 'abb', 'agrees'],
  ['three that all differ', 'a', 'abc', 'tied'],
  ['two and two', 'a', 'aabb', 'tied'],
  ['two, one and one', 'a', 'aabc', 'agrees'],
  ['one beside two and one', 'c', 'aabc', 'outvoted'],
])('%s: %s among %s %s', (_, own, hashes, verdict) => {
  const votes = hashes.split('').map((hash, index) => ({ replica: String(index), slice: 0, hash }))
  expect(verdictOf(own, votes)).toBe(verdict)
})
