import { expect, test } from 'vitest'
import { Problem } from '@maru/service-host'
import { Passwords } from '../authentication/passwords.ts'

test('beyond the bounded line callers are turned away at once, and places come back', async () => {
  const passwords = new Passwords({ atOnceMax: 1, queueMax: 2 })
  const turns = [passwords.takeTurn(), passwords.takeTurn(), passwords.takeTurn()]
  const refusal = (() => {
    try {
      passwords.takeTurn()
      return undefined
    } catch (error) {
      return error
    }
  })()
  expect(refusal).toBeInstanceOf(Problem)
  expect(refusal).toMatchObject({ code: 'overloaded', status: 503 })
  const hashes = await Promise.all(turns.map((turn) => turn.hash('the same password')))
  expect(new Set(hashes).size).toBe(3)
  for (const turn of turns) turn[Symbol.dispose]()
  using turn = passwords.takeTurn()
  expect(await turn.verify(hashes[0], 'the same password')).toBe(true)
  expect(await turn.verify(hashes[0], 'another password')).toBe(false)
  expect(await turn.verify(undefined, 'the same password')).toBe(false)
})

test('a task that fails gives its place back', async () => {
  const passwords = new Passwords({ atOnceMax: 1, queueMax: 1 })
  for (let round = 0; round < 5; round++) {
    using turn = passwords.takeTurn()
    await expect(turn.verify('not a hash', 'x')).rejects.toThrow(/decoding/i)
  }
  using turn = passwords.takeTurn()
  expect(await turn.hash('still works')).toMatch(/^\$argon2id\$/)
})
