import { EventKind, type Exchange } from '@maru/domain/exchange'
import { Problem } from '@maru/service-host'
import type { Auditor } from './auditor.ts'
import { outcomeDigest } from './digest.ts'
import type { Instance, Serving } from './instance.ts'
import type { World } from './network.ts'
import type { Wish } from './wishes.ts'

/** What a client is told: which command its wish became, and a digest of the outcome. */
interface Acknowledgement {
  command: number
  digest: number
  /** 0 where it made or named none. */
  order: number
}

type Reply = { kind: 'done'; acknowledgement: Acknowledgement } | { kind: 'not done' } | { kind: 'unknown' }

/**
 * A user of the platform: asks any instance, waits, and asks another where no answer came, as long as the platform promises that a repeat is
 * recognised. Holds every acknowledgement against the log.
 */
export class Client {
  readonly #world: World
  readonly #instances: readonly Instance[]
  readonly #auditor: Auditor
  readonly #makeWish: (orders: readonly number[]) => Wish
  readonly #atOnceMax: number
  readonly orders: number[] = []
  #underWay = 0
  #left: number
  acknowledged = 0
  /** Wishes of which the client does not know what became, and may not ask again. */
  givenUp = 0

  constructor(options: {
    world: World
    instances: readonly Instance[]
    auditor: Auditor
    makeWish: (orders: readonly number[]) => Wish
    wishes: number
    atOnceMax: number
  }) {
    this.#world = options.world
    this.#instances = options.instances
    this.#auditor = options.auditor
    this.#makeWish = options.makeWish
    this.#atOnceMax = options.atOnceMax
    this.#left = options.wishes
  }

  get isDone(): boolean {
    return this.#left === 0 && this.#underWay === 0
  }

  start(): void {
    const { timeline, random } = this.#world
    const next = (): void => {
      if (this.#left === 0) return
      if (this.#underWay < this.#atOnceMax) {
        this.#left -= 1
        this.#underWay += 1
        const wish = this.#makeWish(this.orders)
        void this.#pursue(wish).then((reply) => {
          this.#underWay -= 1
          if (reply === 'given up') this.givenUp += 1
          else this.#take(wish, reply)
        })
      }
      timeline.plan(random.skewed(4, 160), 'client thinks', next)
    }
    timeline.plan(random.skewed(1, 300), 'client begins', next)
  }

  async #pursue(wish: Wish): Promise<Acknowledgement | 'given up'> {
    const { timeline, random } = this.#world
    for (let failures = 0; ; failures++) {
      const reply = await this.#ask(wish)
      if (reply.kind === 'done') return reply.acknowledgement
      if (reply.kind === 'unknown' && !wish.isRepeatable) return 'given up'
      await timeline.wait(random.skewed(2, Math.min(1_000, 20 * 2 ** failures)), 'client asks again')
    }
  }

  #take(wish: Wish, { command, digest, order }: Acknowledgement): void {
    this.acknowledged += 1
    this.#auditor.checkAcknowledged(command, digest, wish.what)
    if (order > 0 && !this.orders.includes(order)) this.orders.push(order)
  }

  /** One try: over a network that loses, delays and doubles, with an end to the client's patience. */
  #ask(wish: Wish): Promise<Reply> {
    const { timeline, random, faults } = this.#world
    const instance = random.pick(this.#instances)
    return new Promise((resolve) => {
      const impatient = timeline.plan(random.skewed(300, 6_000), `no answer for ${wish.what}`, () => resolve({ kind: 'unknown' }))
      const onReply = (reply: Reply): void => {
        if (faults.strikes('lostReply')) return
        timeline.plan(0.1 + random.next(), `reply ${reply.kind} to ${wish.what}`, () => {
          impatient()
          resolve(reply)
        })
      }
      const send = (delayMs: number): void =>
        void timeline.plan(delayMs, `${wish.what} to ${instance.name}`, () => receive(instance.serving, wish, this.#world, onReply))
      if (faults.strikes('lostRequest')) return
      send(0.1 + random.next() + (faults.strikes('lateRequest') ? random.skewed(5, 3_000) : 0))
      if (wish.isRepeatable && faults.strikes('doubleRequest')) send(random.skewed(0.2, 2_000))
    })
  }
}

/** The instance's end of a request. */
function receive(serving: Serving | undefined, wish: Wish, { timeline }: World, onReply: (reply: Reply) => void): void {
  if (!serving || serving.thread.process.isDead) return onReply({ kind: 'not done' })
  const answer = async (): Promise<Reply> => {
    try {
      const account = await serving.accounts.open(wish.userId)
      const acknowledgement = await serving.intake.submit(wish.command(account), (exchange): Acknowledgement => {
        return { command: exchange.commandCount, digest: outcomeDigest(exchange), order: firstOrder(exchange) }
      })
      return { kind: 'done', acknowledgement }
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      return { kind: error.code === 'outcome_pending' ? 'unknown' : 'not done' }
    }
  }
  timeline.plan(0, 'request', () => void answer().then(onReply), serving.thread)
}

/** The first order the command has made; 0 where it has made none. */
function firstOrder({ outcome: { data, length } }: Exchange): number {
  for (let at = 0; at < length; at += data[at + 1]!)
    if (data[at] === EventKind.orderAccepted || data[at] === EventKind.orderRejected) return data[at + 4]!
  return 0
}
