import type { Instance } from '@maru/service-host'
import { Balancer } from '../../routing/balancer.ts'
import { Circuit } from '../../routing/circuit.ts'
import { ConcurrencyLimit, type LimitBounds } from '../../routing/concurrency-limit.ts'
import { Member, type Ticket } from '../../routing/member.ts'
import type { Demand } from '../../routing/priority.ts'

/** A time that only moves when it is told to, and what is due in it. */
export class SimulatedTime {
  nowMs = 0
  #due: { atMs: number; act: () => void }[] = []

  after(ms: number, act: () => void): void {
    const atMs = this.nowMs + ms
    const at = this.#due.findIndex((other) => other.atMs > atMs)
    this.#due.splice(at < 0 ? this.#due.length : at, 0, { atMs, act })
  }

  passTo(ms: number): void {
    while (this.#due.length > 0 && this.#due[0]!.atMs <= ms) {
      const { atMs, act } = this.#due.shift()!
      this.nowMs = atMs
      act()
    }
    this.nowMs = ms
  }
}

/** The choice between instances of one service, on simulated time, with chance from a seed. */
export class Balanced {
  readonly time = new SimulatedTime()
  readonly random: () => number
  readonly balancer: Balancer
  readonly members: Member[] = []
  readonly #limit: LimitBounds

  constructor(options: { seed?: number; slowStartMs?: number; openMs?: number; limit?: LimitBounds } = {}) {
    this.random = seeded(options.seed ?? 1)
    this.#limit = options.limit ?? { initial: 512, min: 16, max: 1_024, floorMs: 50 }
    const now = () => this.time.nowMs
    this.balancer = new Balancer({
      slowStartMs: options.slowStartMs ?? 10_000,
      circuit: new Circuit({ failuresMax: 5, openMs: options.openMs ?? 60_000, firstOpenMs: 1_000 }, now),
      now,
      random: this.random,
    })
  }

  add(id: string, capabilities: string[] = [], sinceMs = -Infinity): Member {
    const instance: Instance = {
      id,
      service: 'trading',
      url: 'http://x',
      pid: 1,
      version: '1',
      state: 'ready',
      startedAt: '',
      readyAt: null,
      capabilities,
    }
    const now = () => this.time.nowMs
    const member = new Member({
      instance,
      circuit: new Circuit({ failuresMax: 5, openMs: 60_000 }, now),
      serviceCircuit: this.balancer.circuit,
      limit: new ConcurrencyLimit(this.#limit),
      sinceMs,
      othersAreWell: (self) => this.balancer.othersAreWell(self),
      now,
    })
    this.balancer.circuit.reset()
    this.members.push(member)
    this.balancer.update(this.members)
    return member
  }

  remove(member: Member): void {
    this.members.splice(this.members.indexOf(member), 1)
    this.balancer.update(this.members)
  }

  picked(demand: Demand = order(), exclude?: Member): Member {
    const member = this.balancer.pick(demand, exclude)
    if (!(member instanceof Member)) throw new Error(`nobody was picked: ${String(member)}`)
    return member
  }

  /** Fails `count` requests at a member, one after another. */
  fail(member: Member, count: number): void {
    for (let at = 0; at < count; at += 1) settle(member.begin(), 'failed')
  }
}

export function settle(ticket: Ticket, verdict: 'answered' | 'failed' | 'timed_out' | 'refused' | 'abandoned'): void {
  ticket.judge(verdict)
  ticket.end()
}

export function order(over: Partial<Demand> = {}): Demand {
  return { service: 'trading', method: 'POST', path: '/orders', body: null, ...over }
}

/** mulberry32 */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
