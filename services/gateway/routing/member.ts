import type { Instance } from '@maru/service-host'
import type { Circuit } from './circuit.ts'
import type { ConcurrencyLimit } from './concurrency-limit.ts'
import { hashText } from './rendezvous.ts'

/** What an instance did since it was last judged among the others. */
export interface Tally {
  answered: number
  failed: number
  latencySumMs: number
}

export interface MemberParts {
  instance: Instance
  circuit: Circuit
  /** Of its service, fed by all its instances. */
  serviceCircuit: Circuit
  limit: ConcurrencyLimit
  /** By the same clock as all times here: monotonic milliseconds. -Infinity for who was there before us. */
  sinceMs: number
  /** Whether another instance of the service is known to be well; asked at failures alone. */
  othersAreWell: (self: Member) => boolean
  now: () => number
}

/** An instance as the choice between instances sees it: what is under way to it and how it fares. */
export class Member {
  instance: Instance
  readonly circuit: Circuit
  readonly limit: ConcurrencyLimit
  readonly hash: number
  /** Requests sent and not yet answered. */
  inFlight = 0
  /** WebSockets passed through to it, and event streams. */
  sockets = 0
  /** Its last connection was refused: it has most likely died, and its lease has not run out yet. */
  unreachable = false
  /** Until then others are asked first: it broke a connection off, as one that is killed breaks all of its. */
  avoidUntilMs = 0
  /** From then on it takes its share slowly: since it is there, or back from being ejected. */
  warmsSinceMs: number
  /** Until then it is ejected, and how often it was in a row; see outliers.ts. */
  ejectedUntilMs = 0
  ejections = 0
  /** Whether it has been seen to be back since. */
  isBack = true
  tally: Tally = { answered: 0, failed: 0, latencySumMs: 0 }
  readonly #serviceCircuit: Circuit
  readonly #othersAreWell: (self: Member) => boolean
  readonly #now: () => number

  constructor(parts: MemberParts) {
    this.instance = parts.instance
    this.circuit = parts.circuit
    this.limit = parts.limit
    this.hash = hashText(parts.instance.id)
    this.warmsSinceMs = parts.sinceMs
    this.#serviceCircuit = parts.serviceCircuit
    this.#othersAreWell = parts.othersAreWell
    this.#now = parts.now
  }

  /** To be called for every request sent; the ticket it gives has to be settled once. */
  begin(): Ticket {
    this.inFlight += 1
    return new Ticket(this, this.circuit.begin(), this.#serviceCircuit.begin(), this.#now())
  }

  /** It broke a connection off, or refused one; an answer that only took too long says nothing of the kind. */
  brokeOff(avoidMs: number): void {
    this.avoidUntilMs = this.#now() + avoidMs
  }

  /** For tickets alone. */
  settle(ticket: Ticket, verdict: Verdict): void {
    const { circuit } = this
    if (verdict === 'abandoned') {
      circuit.abandoned(ticket.own)
      this.#serviceCircuit.abandoned(ticket.service)
      return
    }
    if (verdict === 'answered' || verdict === 'refused') {
      circuit.succeeded(ticket.own)
      this.#serviceCircuit.succeeded(ticket.service)
      this.unreachable = false
      if (verdict === 'refused') return
      const now = this.#now()
      const latencyMs = now - ticket.sinceMs
      this.tally.answered += 1
      this.tally.latencySumMs += latencyMs
      this.limit.answered(latencyMs, this.inFlight, now)
      return
    }
    this.tally.failed += 1
    circuit.failed(ticket.own)
    this.#serviceCircuit.failed(ticket.service, !this.#othersAreWell(this))
    if (verdict === 'timed_out') this.limit.timedOut(this.#now())
  }
}

/**
 * `answered`: as it should. `refused`: it said that it cannot at the moment (503 with Retry-After), which is neither a failure nor a measure of its speed.
 * `abandoned`: the request ended for a reason that says nothing about the instance.
 */
export type Verdict = 'answered' | 'refused' | 'failed' | 'timed_out' | 'abandoned'

/** A request under way to an instance. */
export class Ticket {
  readonly own: number
  readonly service: number
  readonly sinceMs: number
  readonly #member: Member
  #isJudged = false
  #isOver = false
  #isStream = false

  constructor(member: Member, own: number, service: number, sinceMs: number) {
    this.#member = member
    this.own = own
    this.service = service
    this.sinceMs = sinceMs
  }

  /** Says once how it went: by the head of an answer, or by its absence. What fails after a good head is a failure too. */
  judge(verdict: Verdict): void {
    if (this.#isOver) return
    const isBad = verdict === 'failed' || verdict === 'timed_out'
    if (this.#isJudged && !isBad) return
    this.#isJudged = true
    this.#member.settle(this, verdict)
  }

  /** Its answer goes on for as long as it likes: from here on it counts as a socket does. */
  becomeStream(): void {
    if (this.#isOver || this.#isStream) return
    this.#isStream = true
    this.#member.inFlight -= 1
    this.#member.sockets += 1
  }

  /** The request is no longer under way. */
  end(): void {
    if (this.#isOver) return
    if (!this.#isJudged) this.judge('abandoned')
    this.#isOver = true
    if (this.#isStream) this.#member.sockets -= 1
    else this.#member.inFlight -= 1
  }
}
