import { expect, test } from 'vitest'
import { CommandKind } from '@maru/contracts/commands'
import { Timers } from '../timers.ts'
import { Core } from '../core.ts'
import { Exchange } from '../index.ts'
import { day, Venue } from './venue.ts'

test('orders that are gone leave no timers behind, however far their expiry was', () => {
  const venue = new Venue({ rules: 3 })
  const core = new Core(1_000)
  venue.exchange = new Exchange(core)
  for (const command of venue.commands) venue.exchange.apply(command)
  const ann = venue.account('ann')
  const expiring = (expiresAtMs: number) => venue.order(ann, { tif: 'GTD', price: 1_000_000, extras: { expiresAtMs } }).order
  const kept = expiring(venue.timeMs + day)
  for (let count = 0; count < 5_000; count++) {
    const order = expiring(venue.timeMs + 3_650 * day)
    venue.send({ kind: CommandKind.cancelOrder, account: ann, order })
  }
  expect(core.timers.size).toBeLessThan(2_100)
  expect(venue.exchange.nextDueMs).toBe(venue.timeMs + day)
  venue.wait(day)
  expect(venue.refusal()).toBeUndefined()
  expect(venue.exchange.openOrders(ann)).toEqual([])
  expect(venue.events().some(({ kind, fields }) => kind === 'orderUpdated' && fields[2] === kept)).toBe(true)
})

test('what is left after some are forgotten falls due in its order', () => {
  const timers = new Timers()
  for (let dueMs = 100; dueMs > 0; dueMs--) timers.add({ dueMs, kind: 0, subject: dueMs })
  timers.prune(({ subject }) => subject % 3 === 0)
  const seen: number[] = []
  for (let timer = timers.takeDue(100); timer; timer = timers.takeDue(100)) seen.push(timer.dueMs)
  expect(seen).toEqual(Array.from({ length: 33 }, (_, at) => 3 + at * 3))
  expect(timers.nextMs).toBe(Number.POSITIVE_INFINITY)
})
