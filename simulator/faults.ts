import type { Random } from './random.ts'

/** Kinds of faults, each with a rate: by step for those that strike a process or the database, by message or write for the others. */
const rates = {
  /** A process is killed between two steps. */
  crash: 1 / 900,
  /** A process ends in good order and is started again. */
  restart: 1 / 6_000,
  /** A thread stands still for up to some seconds: longer than a lease. */
  stall: 1 / 1_500,
  /** The database is killed: what it had not flushed is lost, connections break, it is away for a while. */
  databaseCrash: 1 / 6_000,
  /** The database's clock jumps ahead, so that leases expire under their holders. */
  clockJump: 1 / 2_500,
  /** A question to the database is lost with its connection. */
  lostQuestion: 1 / 100,
  /** The connection breaks while a question is on its way; it is carried out later all the same. */
  lateQuestion: 1 / 80,
  /** It was carried out, but the answer is lost with the connection. */
  lostAnswer: 1 / 80,
  slowMessage: 1 / 60,
  slowDisk: 1 / 40,
  /** A notification of a new record does not arrive. */
  lostHint: 1 / 5,
  /** A client's request, or its answer, is lost, is late, or is delivered twice. */
  lostRequest: 1 / 30,
  lostReply: 1 / 30,
  lateRequest: 1 / 30,
  doubleRequest: 1 / 25,
} as const

export type FaultKind = keyof typeof rates

export const faultKinds = Object.keys(rates) as readonly FaultKind[]

/**
 * Decides which faults happen. Each run has its own mix: some kinds not at all, others often, so that the runs differ more than runs of one
 * average mix would.
 */
export class Faults {
  readonly #random: Random
  readonly #rates = new Map<FaultKind, number>()
  readonly counts = new Map<FaultKind, number>()
  #ceased = false

  constructor(random: Random) {
    this.#random = random
    for (const kind of faultKinds) this.#rates.set(kind, random.chance(0.35) ? 0 : rates[kind] * random.pick([0.5, 1, 1, 3]))
  }

  /** From now on everything works. */
  cease(): void {
    this.#ceased = true
  }

  /** Whether a fault of this kind happens now; counted if so. */
  strikes(kind: FaultKind): boolean {
    const rate = this.#rates.get(kind)!
    if (this.#ceased || rate === 0 || !this.#random.chance(rate)) return false
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
    return true
  }
}
