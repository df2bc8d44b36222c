import type { Circuit } from './circuit.ts'
import type { Member } from './member.ts'
import { fullShare, shareOf, type Demand } from './priority.ts'
import { affinity, hashText } from './rendezvous.ts'
import { byUserCapability } from './traffic.ts'

export interface BalancerOptions {
  /** An instance that has just come reaches its full share after this. */
  slowStartMs: number
  circuit: Circuit
  /** Monotonic milliseconds. */
  now: () => number
  /** From 0 up to 1. */
  random: () => number
}

/** What a new instance gets at once, of its share. */
const slowStartMin = 0.1
/** An open socket weighs as much as this of a request under way. */
const socketWeight = 1 / 64
/** With a user's instance busier than this times the mean, and by a few requests, the user's next one takes part of the work (consistent hashing with bounded loads). */
const loadBound = 1.25
const loadSlack = 8

/** The choice between the instances of one service. */
export class Balancer<M extends Member = Member> {
  readonly options: BalancerOptions
  readonly circuit: Circuit
  #ready: M[] = []
  #starting: M[] = []
  /** Requests of one user go to one instance, as long as there is no reason against it: an instance asks for it. */
  #byUser = false

  constructor(options: BalancerOptions) {
    this.options = options
    this.circuit = options.circuit
  }

  get members(): readonly M[] {
    return this.#ready
  }

  /** Those that may be asked; one that is draining is not among them. */
  update(members: readonly M[]): void {
    this.#ready = members.filter(({ instance }) => instance.state === 'ready')
    this.#starting = members.filter(({ instance }) => instance.state === 'starting')
    this.#byUser = members.some(({ instance }) => instance.capabilities.includes(byUserCapability))
  }

  /**
   * The instance that should take a request; `full` where all that could have as much under way as they can do with; undefined where none can.
   * `exclude`: one that has just failed.
   *
   * Of those that are ready: the less busy of two drawn at random, or the one that the user belongs to. One that has just broken off, or is ejected, is
   * asked only where nobody else is there. Failing all, those still starting are asked, which can say themselves what they lack.
   */
  pick(demand: Demand, exclude?: M): M | 'full' | undefined {
    const { circuit } = this
    const isTrial = circuit.state !== 'closed'
    if (isTrial && !circuit.allows()) return undefined
    const from = this.#ready.length > 0 ? this.#ready : this.#starting
    if (from.length === 0) return undefined
    const best = this.#best(from, demand, exclude)
    if (best) return best
    const others = from.filter((member) => member !== exclude)
    if (others.length === 0) return this.#ready.length > 0 ? this.#best(this.#starting, demand, exclude) : undefined
    // Who has room is kept from requests by its circuit, then.
    const open = others.filter((member) => !member.circuit.allows())
    if (open.length < others.length) return 'full'
    if (isTrial) return quietest(open)
    // Nobody is left to carry the load while their circuits are open: from here on it is for the circuit of the service to say when to try.
    circuit.trip()
    return undefined
  }

  /** As `pick`, for a socket that is to stay: the one with fewer of them. */
  pickSocket(demand: Demand): M | 'full' | undefined {
    const picked = this.pick(demand)
    if (picked === undefined || picked === 'full' || this.#ready.length < 2) return picked
    const other = this.pick(demand, picked)
    if (other === undefined || other === 'full' || other.sockets > picked.sockets) return picked
    if (other.sockets === picked.sockets) return picked
    return this.#isCalm(other) && this.#isWarm(other, this.options.random()) ? other : picked
  }

  /** Whether an instance other than `self` gave a good answer last, or has not been asked yet. */
  othersAreWell(self: Member): boolean {
    return this.#ready.some((member) => member !== self && !member.unreachable && member.circuit.failures === 0)
  }

  #best(from: readonly M[], demand: Demand, exclude: M | undefined): M | undefined {
    if (from.length < 2) {
      const only = from[0]
      return only && only !== exclude && this.#isUsable(only, demand) ? only : undefined
    }
    if (this.#byUser && demand.user !== undefined) return this.#ofUser(from, demand, hashText(demand.user), exclude)
    const { random } = this.options
    const first = Math.floor(random() * from.length)
    const second = (first + 1 + Math.floor(random() * (from.length - 1))) % from.length
    const [a, b] = [from[first]!, from[second]!]
    const isA = a !== exclude && this.#isCalm(a) && this.#isUsable(a, demand)
    const isB = b !== exclude && this.#isCalm(b) && this.#isUsable(b, demand)
    if (isA && isB) {
      if (!this.#isWarm(a, random())) return b
      if (!this.#isWarm(b, random())) return a
      return loadOf(b) < loadOf(a) ? b : a
    }
    if (isA || isB) {
      const one = isA ? a : b
      if (from.length === 2 || this.#isWarm(one, random())) return one
    }
    // The draw was unlucky: looked at one by one.
    const usable = from.filter((member) => member !== exclude && this.#isUsable(member, demand))
    if (usable.length < 2) return usable[0]
    const calm = usable.filter((member) => this.#isCalm(member))
    return leastOf(calm.length > 0 ? calm : usable)
  }

  #ofUser(from: readonly M[], demand: Demand, user: number, exclude: M | undefined): M | undefined {
    let underWay = 1
    for (const member of from) underWay += member.inFlight
    const bound = (underWay / from.length) * loadBound + loadSlack
    let best: M | undefined
    let bestRank = -1
    for (const member of from) {
      if (member === exclude || !this.#isUsable(member, demand)) continue
      const own = affinity(user, member.hash)
      // What speaks against an instance weighs more than whose it is; users move to a new one each at a time of their own.
      const isPreferred = this.#isCalm(member) && member.inFlight < bound && this.#isWarm(member, affinity(member.hash, user) / 2 ** 32)
      const rank = own + (isPreferred ? 2 ** 32 : 0)
      if (rank > bestRank) {
        best = member
        bestRank = rank
      }
    }
    return best
  }

  /** Whether it may be sent a request of this kind now. */
  #isUsable(member: M, demand: Demand): boolean {
    const limit = member.limit.value
    if (member.inFlight >= limit * fullShare && member.inFlight >= limit * shareOf(demand)) return false
    return member.circuit.allows()
  }

  #isCalm(member: M): boolean {
    if (member.avoidUntilMs === 0 && member.ejectedUntilMs === 0) return true
    const now = this.options.now()
    return member.avoidUntilMs <= now && member.ejectedUntilMs <= now
  }

  /** Whether one that has come lately takes a request, `chance` being drawn for it. Where all are as new, all do. */
  #isWarm(member: M, chance: number): boolean {
    const { now, slowStartMs } = this.options
    if (member.warmsSinceMs === -Infinity) return true
    const nowMs = now()
    const ageMs = nowMs - member.warmsSinceMs
    if (ageMs >= slowStartMs) {
      member.warmsSinceMs = -Infinity
      return true
    }
    let oldestMs = ageMs
    for (const other of this.#ready) oldestMs = Math.max(oldestMs, nowMs - other.warmsSinceMs)
    return chance < Math.max(slowStartMin, ageMs / Math.min(oldestMs, slowStartMs))
  }
}

function loadOf(member: Member): number {
  return member.inFlight + member.sockets * socketWeight
}

function leastOf<M extends Member>(members: readonly M[]): M {
  return members.reduce((least, member) => (loadOf(member) < loadOf(least) ? member : least))
}

/** For a trial of a service all of whose instances have failed: the one with the fewest failures. */
function quietest<M extends Member>(members: readonly M[]): M {
  return members.reduce((least, member) => (member.circuit.failures < least.circuit.failures ? member : least))
}
