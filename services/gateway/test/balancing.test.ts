import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { judgeOutliers, outlierBounds } from '../routing/outliers.ts'
import type { Member } from '../routing/member.ts'
import { byUserCapability } from '../routing/traffic.ts'
import { Balanced, order, settle } from './support/balanced.ts'

/** Sends `count` requests one after another, each answered by its instance after `latencyMs` of it. */
function run(balanced: Balanced, count: number, everyMs: number, latencyMs: (member: Member) => number, sent = new Map<Member, number>()) {
  for (let at = 0; at < count; at += 1) {
    balanced.time.passTo(balanced.time.nowMs + everyMs)
    const member = balanced.picked()
    sent.set(member, (sent.get(member) ?? 0) + 1)
    const ticket = member.begin()
    balanced.time.after(latencyMs(member), () => settle(ticket, 'answered'))
  }
  return sent
}

describe('the less busy of two', () => {
  test('equal instances share alike; one that is four times as slow gets much less', () => {
    const balanced = new Balanced({ seed: 7 })
    const members = ['a', 'b', 'c', 'd'].map((id) => balanced.add(id))
    const sent = run(balanced, 8_000, 0.5, (member) => (member === members[3] ? 40 : 10))
    const counts = members.map((member) => sent.get(member) ?? 0)
    for (const count of counts.slice(0, 3)) expect(count).toBeGreaterThan(1_800)
    expect(counts[3]).toBeLessThan(1_200)
    expect(counts[3]).toBeGreaterThan(100)
  })

  test('open sockets weigh, and sockets go where there are fewer', () => {
    const balanced = new Balanced()
    const [full, empty] = [balanced.add('a'), balanced.add('b')]
    full.sockets = 1_000
    for (let count = 0; count < 20; count += 1) {
      expect(balanced.picked()).toBe(empty)
      expect(balanced.balancer.pickSocket(order())).toBe(empty)
    }
  })

  test('sockets opened one after another lie evenly', () => {
    const balanced = new Balanced({ seed: 3 })
    const members = ['a', 'b', 'c'].map((id) => balanced.add(id))
    for (let count = 0; count < 300; count += 1) {
      const member = balanced.balancer.pickSocket(order()) as Member
      const ticket = member.begin()
      ticket.judge('answered')
      ticket.becomeStream()
    }
    for (const { sockets, inFlight } of members) {
      expect(sockets).toBeGreaterThan(85)
      expect(inFlight).toBe(0)
    }
  })
})

test('one that is draining, or only starting, is not asked', () => {
  const balanced = new Balanced()
  const [ready, draining, starting] = ['a', 'b', 'c'].map((id) => balanced.add(id)) as [Member, Member, Member]
  draining.instance = { ...draining.instance, state: 'draining' }
  starting.instance = { ...starting.instance, state: 'starting' }
  balanced.balancer.update(balanced.members)
  for (let count = 0; count < 50; count += 1) expect(balanced.picked()).toBe(ready)
  balanced.remove(ready)
  expect(balanced.picked()).toBe(starting)
  balanced.remove(starting)
  expect(balanced.balancer.pick(order())).toBeUndefined()
})

describe('slow start', () => {
  test('a new instance takes its share slowly', () => {
    const balanced = new Balanced({ seed: 5, slowStartMs: 10_000 })
    balanced.add('old')
    const fresh = balanced.add('new', [], 0)
    const shareOf = (): number => (run(balanced, 1_000, 1, () => 2).get(fresh) ?? 0) / 1_000
    const shares = Array.from({ length: 12 }, shareOf)
    expect(shares[0]).toBeLessThan(0.15)
    expect(shares[4]).toBeLessThan(0.35)
    expect(shares[11]).toBeGreaterThan(0.4)
  })

  test('where all are as new, nothing is slowed', () => {
    const balanced = new Balanced({ seed: 5 })
    const members = ['a', 'b'].map((id) => balanced.add(id, [], 0))
    const sent = run(balanced, 1_000, 1, () => 2)
    for (const member of members) expect(sent.get(member)).toBeGreaterThan(400)
  })
})

describe('by user, where instances ask for it', () => {
  const users = Array.from({ length: 2_000 }, (_, at) => `user-${at}`)
  const homesOf = (balanced: Balanced) => new Map(users.map((user) => [user, balanced.picked(order({ user }))]))

  test('a user stays; of one that leaves only its own users move, and one that comes takes its share from all', () => {
    const balanced = new Balanced()
    const members = ['a', 'b', 'c', 'd'].map((id) => balanced.add(id, [byUserCapability]))
    const before = homesOf(balanced)
    expect(homesOf(balanced)).toEqual(before)
    for (const member of members) expect([...before.values()].filter((home) => home === member).length).toBeGreaterThan(400)
    const gone = members[0]!
    balanced.remove(gone)
    for (const [user, home] of homesOf(balanced)) if (before.get(user) !== gone) expect(home).toBe(before.get(user))
    const without = homesOf(balanced)
    const come = balanced.add('e', [byUserCapability])
    const moved = [...homesOf(balanced)].filter(([user, home]) => without.get(user) !== home)
    expect(moved.every(([, home]) => home === come)).toBe(true)
    expect(moved.length / users.length).toBeGreaterThan(0.18)
    expect(moved.length / users.length).toBeLessThan(0.32)
  })

  test('a user who is too much for one instance is shared; requests of nobody are spread', () => {
    const balanced = new Balanced()
    const members = ['a', 'b', 'c'].map((id) => balanced.add(id, [byUserCapability]))
    for (let count = 0; count < 300; count += 1) balanced.picked(order({ user: 'one' })).begin()
    for (const { inFlight } of members) expect(inFlight).toBeLessThan(150)
    for (const { inFlight } of members) expect(inFlight).toBeGreaterThan(20)
    const anonymous = new Set(Array.from({ length: 50 }, () => balanced.picked()))
    expect(anonymous.size).toBeGreaterThan(1)
  })
})

describe('outliers', () => {
  test('the one that fails a third of its requests, never five in a row, is ejected, longer each time, and comes back slowly', () => {
    const balanced = new Balanced({ seed: 2 })
    const [good, bad] = [balanced.add('a'), balanced.add('b')]
    const round = (): void => {
      for (let at = 0; at < 60; at += 1) {
        settle(good.begin(), 'answered')
        settle(bad.begin(), at % 3 === 0 ? 'failed' : 'answered')
      }
    }
    const judge = () => judgeOutliers(balanced.members, outlierBounds, balanced.time.nowMs)
    round()
    expect(judge()).toEqual([bad])
    expect(bad.circuit.state).toBe('closed')
    for (let count = 0; count < 50; count += 1) expect(balanced.picked()).toBe(good)
    const first = bad.ejectedUntilMs - balanced.time.nowMs
    balanced.time.passTo(bad.ejectedUntilMs)
    expect(judge()).toEqual([])
    let back = 0
    for (let count = 0; count < 400; count += 1) if (balanced.picked() === bad) back += 1
    expect(back).toBeGreaterThan(0)
    expect(back).toBeLessThan(120)
    round()
    expect(judge()).toEqual([bad])
    expect(bad.ejectedUntilMs - balanced.time.nowMs).toBe(2 * first)
  })

  test('the one that is much slower than the others is ejected; where all are as slow, nobody is', () => {
    const balanced = new Balanced()
    const members = ['a', 'b', 'c'].map((id) => balanced.add(id))
    const answer = (member: Member, ms: number): void => {
      member.tally.answered += 100
      member.tally.latencySumMs += 100 * ms
    }
    for (const member of members) answer(member, 400)
    expect(judgeOutliers(members, outlierBounds, 0)).toEqual([])
    for (const [at, member] of members.entries()) answer(member, at === 1 ? 200 : 10)
    expect(judgeOutliers(members, outlierBounds, 0)).toEqual([members[1]])
  })

  test('a new one may be slow as long as it is new; but not fail', () => {
    const balanced = new Balanced()
    const old = balanced.add('old')
    const judgeAt = (nowMs: number, failed: number): boolean => {
      const fresh = balanced.add(`fresh-${nowMs}-${failed}`, [], 0)
      old.tally = { answered: 100, failed: 0, latencySumMs: 1_000 }
      fresh.tally = { answered: 100, failed, latencySumMs: 20_000 }
      return judgeOutliers([old, fresh], outlierBounds, nowMs).includes(fresh)
    }
    expect(judgeAt(0, 0)).toBe(false)
    expect(judgeAt(outlierBounds.warmMs - 1, 0)).toBe(false)
    expect(judgeAt(outlierBounds.warmMs - 1, 50)).toBe(true)
    expect(judgeAt(outlierBounds.warmMs, 0)).toBe(true)
  })

  test('never more than the share, whatever happens; and with all ejected or avoided somebody is still asked', () => {
    const tally = fc.record({ answered: fc.nat(200), failed: fc.nat(200), latencySumMs: fc.nat(100_000) })
    fc.assert(
      fc.property(fc.array(fc.array(tally, { minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 12 }), (rounds) => {
        const balanced = new Balanced()
        const members = rounds[0]!.map((_, at) => balanced.add(String(at)))
        for (const round of rounds) {
          for (const [at, figures] of round.entries()) if (members[at]) members[at].tally = { ...figures }
          judgeOutliers(members, outlierBounds, balanced.time.nowMs)
          const out = members.filter(({ ejectedUntilMs }) => ejectedUntilMs > balanced.time.nowMs)
          expect(out.length).toBeLessThanOrEqual(Math.floor(members.length / 2))
          expect(out).not.toContain(balanced.picked())
          balanced.time.passTo(balanced.time.nowMs + 1_000)
        }
        for (const member of members) member.brokeOff(1_000)
        expect(members).toContain(balanced.picked())
      }),
      { numRuns: 60 },
    )
  })
})
