import { describe, expect, test } from 'vitest'
import { Admission } from '../routing/admission.ts'
import { Circuit } from '../routing/circuit.ts'
import { ConcurrencyLimit } from '../routing/concurrency-limit.ts'
import { priorityOf, type Priority } from '../routing/priority.ts'
import { RetryBudget } from '../routing/retry-budget.ts'
import { Balanced, order, seeded, settle, SimulatedTime } from './support/balanced.ts'

describe('a circuit', () => {
  const make = (firstOpenMs?: number) => {
    const time = new SimulatedTime()
    const bounds = { failuresMax: 5, openMs: 60_000, ...(firstOpenMs === undefined ? {} : { firstOpenMs }) }
    return { time, circuit: new Circuit(bounds, () => time.nowMs) }
  }
  const fail = (circuit: Circuit, count: number): void => {
    for (let at = 0; at < count; at += 1) circuit.failed(circuit.begin())
  }

  test('opens after five failures in a row, is half open after 60 s, lets one try, and closes or opens by its outcome', () => {
    const { time, circuit } = make()
    fail(circuit, 4)
    circuit.succeeded(circuit.begin())
    fail(circuit, 4)
    expect(circuit.state).toBe('closed')
    fail(circuit, 1)
    expect([circuit.state, circuit.allows()]).toEqual(['open', false])
    time.passTo(59_999)
    expect(circuit.allows()).toBe(false)
    time.passTo(60_000)
    expect([circuit.state, circuit.allows()]).toEqual(['half_open', true])
    const trial = circuit.begin()
    expect(circuit.allows()).toBe(false)
    circuit.failed(trial)
    expect(circuit.state).toBe('open')
    time.passTo(120_000)
    circuit.succeeded(circuit.begin())
    expect([circuit.state, circuit.allows()]).toEqual(['closed', true])
  })

  test('what was under way when it opened neither closes it nor counts as a trial that failed', () => {
    const { time, circuit } = make(1_000)
    const underWay = Array.from({ length: 300 }, () => circuit.begin())
    for (const ticket of underWay.slice(0, 299)) circuit.failed(ticket)
    expect(circuit.state).toBe('open')
    circuit.succeeded(underWay[299]!)
    expect(circuit.state).toBe('open')
    time.passTo(1_000)
    expect(circuit.state).toBe('half_open')
  })

  test('the wait of a service grows with each trial that fails, up to 60 s', () => {
    const { time, circuit } = make(1_000)
    fail(circuit, 5)
    const waits: number[] = []
    for (let round = 0; round < 8; round += 1) {
      const sinceMs = time.nowMs
      while (!circuit.allows()) time.passTo(time.nowMs + 500)
      waits.push(time.nowMs - sinceMs)
      circuit.failed(circuit.begin())
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  })

  test('a trial whose client leaves makes room for the next', () => {
    const { time, circuit } = make()
    fail(circuit, 5)
    time.passTo(60_000)
    circuit.abandoned(circuit.begin())
    expect(circuit.allows()).toBe(true)
  })
})

describe('circuits of instances and of their service', () => {
  test('a sick instance stays out for 60 s while others serve, and the circuit of the service stays closed', () => {
    const balanced = new Balanced()
    const [sick, well] = [balanced.add('a'), balanced.add('b')]
    balanced.fail(sick, 5)
    expect([sick.circuit.state, balanced.balancer.circuit.state]).toEqual(['open', 'closed'])
    balanced.time.passTo(59_000)
    for (let count = 0; count < 50; count += 1) {
      expect(balanced.picked()).toBe(well)
      settle(well.begin(), 'answered')
    }
  })

  test('where all fail, the service opens after five failures in all, not five of each', () => {
    const balanced = new Balanced()
    const members = ['a', 'b', 'c', 'd', 'e'].map((id) => balanced.add(id))
    for (const member of members) balanced.fail(member, 1)
    expect(balanced.balancer.circuit.state).toBe('open')
    expect(balanced.balancer.pick(order())).toBeUndefined()
  })

  test('the only instance is not left for 60 s: one request tries after one', () => {
    const balanced = new Balanced()
    const only = balanced.add('a')
    balanced.fail(only, 5)
    expect(balanced.balancer.pick(order())).toBeUndefined()
    balanced.time.passTo(1_000)
    expect(balanced.picked()).toBe(only)
    const trial = only.begin()
    expect(balanced.balancer.pick(order())).toBeUndefined()
    settle(trial, 'answered')
    expect([only.circuit.state, balanced.balancer.circuit.state]).toEqual(['closed', 'closed'])
    expect(balanced.picked()).toBe(only)
  })

  test('a killed instance with hundreds of requests under way does not bar the one that replaces it', () => {
    const balanced = new Balanced()
    const killed = balanced.add('a')
    const underWay = Array.from({ length: 400 }, () => killed.begin())
    for (const ticket of underWay) settle(ticket, 'failed')
    expect(balanced.balancer.pick(order())).toBeUndefined()
    balanced.remove(killed)
    const next = balanced.add('b', [], 0)
    for (let count = 0; count < 20; count += 1) {
      expect(balanced.picked()).toBe(next)
      next.begin()
    }
  })

  test('when the only healthy instance leaves, the one that is open is tried a second later', () => {
    const balanced = new Balanced()
    const [sick, well] = [balanced.add('a'), balanced.add('b')]
    balanced.fail(sick, 5)
    balanced.remove(well)
    expect(balanced.balancer.pick(order())).toBeUndefined()
    balanced.time.passTo(1_000)
    expect(balanced.picked()).toBe(sick)
  })
})

describe('priorities', () => {
  const body = (value: unknown) => Buffer.from(JSON.stringify(value))
  test.each<[Priority, string, string, string, unknown?]>([
    ['protection', 'trading', 'DELETE', '/orders/1'],
    ['protection', 'trading', 'DELETE', '/orders?symbol=BTC/USDT'],
    ['protection', 'trading', 'PUT', '/orders/1/status'],
    ['protection', 'trading', 'POST', '/kill-switch'],
    ['protection', 'trading', 'POST', '/orders/cancel-all-after'],
    ['protection', 'trading', 'POST', '/orders', { reduce_only: true }],
    ['protection', 'trading', 'PUT', '/accounts/u/risk'],
    ['account', 'trading', 'GET', '/orders/1'],
    ['account', 'trading', 'GET', '/positions/u'],
    ['account', 'trading', 'GET', '/accounts/u/balances'],
    ['account', 'user', 'POST', '/token'],
    ['order', 'trading', 'POST', '/orders', { reduce_only: false }],
    ['order', 'trading', 'POST', '/orders', { client_order_id: '"reduce_only":true' }],
    ['order', 'trading', 'PATCH', '/orders/1'],
    ['order', 'trading', 'POST', '/order-lists', { orders: [{ reduce_only: true }] }],
    ['order', 'trading', 'POST', '/orders/preview', { reduce_only: true }],
    ['market', 'trading', 'GET', '/markets/BTC-USDT/book'],
    ['market', 'market-data', 'GET', '/prices/BTC-USDT'],
    ['background', 'analytics', 'GET', '/risk/u'],
    ['background', 'notification', 'GET', '/notifications'],
  ])('%s: %s %s %s', (priority, service, method, path, value) => {
    expect(priorityOf({ service, method, path, body: value === undefined ? null : body(value) })).toBe(priority)
  })

  test('of two reduce_only the last counts, as where the order is read', () => {
    const twice = Buffer.from('{"reduce_only":true,"reduce_only":false}')
    expect(priorityOf(order({ body: twice }))).toBe('order')
  })

  test('as an instance fills up, each kind is refused in its turn, and a cancel last', () => {
    const balanced = new Balanced({ limit: { initial: 100, min: 100, max: 100, floorMs: 50 } })
    const only = balanced.add('a')
    const kinds: Record<Priority, () => ReturnType<typeof order>> = {
      background: () => order({ service: 'analytics', method: 'GET', path: '/' }),
      market: () => order({ method: 'GET', path: '/markets' }),
      order: () => order(),
      account: () => order({ method: 'GET', path: '/orders' }),
      protection: () => order({ method: 'DELETE', path: '/orders' }),
    }
    const refusedFrom = new Map<string, number>()
    for (let inFlight = 0; inFlight <= 100; inFlight += 1) {
      for (const [kind, make] of Object.entries(kinds))
        if (balanced.balancer.pick(make()) === 'full' && !refusedFrom.has(kind)) refusedFrom.set(kind, inFlight)
      only.begin()
    }
    expect(Object.fromEntries(refusedFrom)).toEqual({ background: 70, market: 75, order: 85, account: 95, protection: 100 })
  })

  test('a service that hangs fills its own part of the gateway; orders and cancels go on, and the outer bound sheds in the same order', () => {
    const admission = new Admission({ inFlightMax: 1_000, shareOf: (service) => (service === 'trading' ? 1 : 0.125) })
    const stuck = order({ service: 'analytics', method: 'GET', path: '/risk/u' })
    const enter = (demand: ReturnType<typeof order>): boolean => {
      try {
        admission.enter(demand)
        return true
      } catch (error) {
        expect(error).toMatchObject({ code: 'overloaded', status: 503 })
        return false
      }
    }
    let held = 0
    while (enter({ ...stuck })) held += 1
    expect(held).toBe(88)
    let orders = 0
    while (enter(order())) orders += 1
    expect(orders).toBe(1_000 * 0.85 - held)
    let cancels = 0
    while (enter(order({ method: 'DELETE', path: '/orders/1' }))) cancels += 1
    expect(cancels).toBe(150)
    expect(admission.shedByService().filter(({ count }) => count > 0)).toEqual([
      { service: 'analytics', kind: 'background', count: 1 },
      { service: 'trading', kind: 'protection', count: 1 },
      { service: 'trading', kind: 'order', count: 1 },
    ])
    for (let at = 0; at < held; at += 1) admission.leave('analytics')
    expect([admission.inFlightOf('analytics'), admission.inFlight]).toEqual([0, 1_000 - held])
  })
})

test('repeats are a share of the requests, and what was saved', () => {
  const budget = new RetryBudget({ share: 0.1, savedMax: 10 })
  let repeated = 0
  for (let count = 0; count < 1_000; count += 1) {
    budget.earn()
    if (budget.spend()) repeated += 1
  }
  expect(repeated).toBeLessThanOrEqual(110)
  expect(repeated).toBeGreaterThan(90)
  expect([budget.spent, budget.refused]).toEqual([repeated, 1_000 - repeated])
})

describe('the limit of what is under way', () => {
  /** An instance that works on `workers` requests at once, each for `workMs`, behind a queue; asked by more than it can do. Gives the limit after `ms`. */
  function overload(options: { workers: number; workMs: number; ms: number; floorMs: number }): { limit: number; latencyMs: number } {
    const limit = new ConcurrencyLimit({ initial: 512, min: 4, max: 1_024, floorMs: options.floorMs })
    const time = new SimulatedTime()
    const random = seeded(9)
    let inFlight = 0
    let latest = 0
    const freeAt = Array.from({ length: options.workers }, () => 0)
    const send = (): void => {
      inFlight += 1
      const sinceMs = time.nowMs
      const worker = freeAt.indexOf(Math.min(...freeAt))
      freeAt[worker] = Math.max(freeAt[worker]!, sinceMs) + options.workMs * (0.5 + random())
      time.after(freeAt[worker] - sinceMs, () => {
        latest = time.nowMs - sinceMs
        limit.answered(latest, inFlight, time.nowMs)
        inFlight -= 1
      })
    }
    // At first a little is asked, then all that the limit lets through.
    for (let ms = 0; ms < options.ms; ms += 1) {
      time.passTo(ms)
      const wanted = ms < 5_000 ? Math.min(options.workers, limit.value) : limit.value
      while (inFlight + 1 <= wanted) send()
    }
    return { limit: limit.value, latencyMs: latest }
  }

  test('an instance that is asked more than it can do is asked less, until its answers are about as quick as it may be slow', () => {
    const { limit, latencyMs } = overload({ workers: 8, workMs: 10, ms: 40_000, floorMs: 20 })
    expect(limit).toBeLessThan(100)
    expect(limit).toBeGreaterThanOrEqual(8)
    expect(latencyMs).toBeLessThan(120)
  })

  test('one that is quick however much it is asked gets all', () => {
    const limit = new ConcurrencyLimit({ initial: 512, min: 16, max: 1_024, floorMs: 50 })
    for (let ms = 0; ms < 40_000; ms += 10) limit.answered(10 + (ms % 7), Math.floor(limit.value), ms)
    expect(limit.value).toBe(1_024)
  })

  test('requests that meet their time limit make it smaller, to its least and no further', () => {
    const limit = new ConcurrencyLimit({ initial: 512, min: 16, max: 1_024, floorMs: 50 })
    for (let ms = 0; ms < 60_000; ms += 300) limit.timedOut(ms)
    expect(limit.value).toBe(16)
  })
})
