import { expect, test } from 'vitest'
import { Exchange } from '../index.ts'
import { ForgottenIds } from '../forgotten-ids.ts'
import { Venue } from './venue.ts'

/** 32 bits, evenly spread. */
const hashOf = (number: number): number => {
  let hash = Math.imul(number ^ (number >>> 16), 0x21f0aaad)
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97)
  return hash ^ (hash >>> 15)
}

test('what was added is never denied, and little else is claimed', () => {
  const ids = new ForgottenIds()
  const count = 1_200_000
  for (let id = 0; id < count; id++) ids.add(hashOf(id))
  expect(ids.generations()).toHaveLength(2)
  for (let id = 0; id < count; id += 7) if (!ids.mayHold(hashOf(id))) expect.fail(`${id} was added`)
  let claimed = 0
  const others = 200_000
  for (let id = count; id < count + others; id++) if (ids.mayHold(hashOf(id))) claimed += 1
  expect(claimed / others).toBeLessThan(0.01)
})

test('what was kept is recalled, and goes on', () => {
  const ids = new ForgottenIds()
  for (let id = 0; id < 1_000; id++) ids.add(hashOf(id))
  const recalled = new ForgottenIds()
  recalled.isComplete = false
  expect(recalled.mayHold(hashOf(5))).toBe(true)
  expect(recalled.mayHold(hashOf(5_000))).toBe(true)
  recalled.recall(ids.generations())
  recalled.add(hashOf(2_000))
  expect([5, 999, 2_000, 5_000].map((id) => recalled.mayHold(hashOf(id)))).toEqual([true, true, true, false])
})

test('an exchange says which client order ids it may have forgotten', () => {
  const venue = new Venue({ window: 3 })
  const user = venue.account('user')
  venue.mark(2_000_000)
  const place = (id: string): void => void venue.place(user, { price: 1_000_000, clientOrderId: id })
  for (const id of ['a', 'b', 'c']) place(id)
  const mayHaveForgotten = (id: string): boolean => venue.exchange.mayHaveForgotten(user, id)
  expect(['a', 'b', 'new'].map(mayHaveForgotten)).toEqual([false, false, false])
  place('d')
  // `a` is gone; `b` is remembered, so it need not be looked up.
  expect(['a', 'b', 'new'].map(mayHaveForgotten)).toEqual([true, false, false])
  // A snapshot alone cannot say.
  const restored = Exchange.restore(venue.exchange.snapshot())
  expect(['a', 'b', 'new'].map((id) => restored.mayHaveForgotten(user, id))).toEqual([true, false, true])
  restored.forgottenIds.recall(venue.exchange.forgottenIds.generations())
  expect(['a', 'b', 'new'].map((id) => restored.mayHaveForgotten(user, id))).toEqual([true, false, false])
  expect(restored.stateHash()).toBe(venue.exchange.stateHash())
})
