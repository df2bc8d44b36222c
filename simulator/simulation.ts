import { topics } from '@maru/contracts'
import { encodeJsonRecord, MemoryRecords } from '@maru/event-log'
import { Auditor } from './auditor.ts'
import { Client } from './client.ts'
import { Database } from './database.ts'
import { Faults, type FaultKind } from './faults.ts'
import { Instance } from './instance.ts'
import type { World } from './network.ts'
import { Random } from './random.ts'
import { checkSettled, outstanding } from './settled.ts'
import { Timeline } from './timeline.ts'
import { Trace } from './trace.ts'
import { Verdict, type Violation } from './violation.ts'
import { operatorWish, tradedMarkets, traderWish } from './wishes.ts'

export interface SimulationOptions {
  /** Stands in for the records of the log: for tests of the simulator, which break them. */
  records?: MemoryRecords
}

export interface Report {
  seed: number
  violation: Violation | undefined
  commands: number
  events: number
  acknowledged: number
  steps: number
  simulatedMs: number
  faults: ReadonlyMap<FaultKind, number>
  /** Equal for equal runs. */
  traceHash: string
  /** What happened last, oldest first. */
  lastSteps: readonly string[]
}

/** Faults cease then; clients may have wishes left, which are still asked for. */
const faultsMs = { least: 800, most: 4_000 }
/** What is on its way when faults cease arrives within this time. */
const lateMs = 2_500
/** So long after that everyone must have caught up. */
const recoveryMs = 60_000

/** One run of the whole trading core: everything in it follows from the seed. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Report> {
  const random = new Random(seed)
  const trace = new Trace()
  const verdict = new Verdict()
  const timeline = new Timeline(trace)
  const faults = new Faults(random.fork())
  const database = new Database(timeline, options.records ?? new MemoryRecords())
  const world: World = { timeline, random: random.fork(), faults, database }
  const auditor = new Auditor(verdict, trace)
  database.onAppended((topic, offset, body) => auditor.onAppended(topic, offset, body, timeline.nowMs))

  const settings = {
    queueMax: random.pick([3, 1_000]),
    timeoutMs: random.between(200, 6_000),
    snapshotEveryCommands: random.between(3, 40),
    snapshotEveryMs: random.between(400, 8_000),
  }
  const instances = Array.from(
    { length: random.between(2, 3) },
    (_, index) => new Instance(`trading-${index + 1}`, { world, auditor, verdict, settings }),
  )
  const clients = createClients(world, instances, auditor, random)
  const ceaseAtMs = random.between(faultsMs.least, faultsMs.most)

  for (const instance of instances) instance.start(random.skewed(0, 800))
  for (const client of clients) client.start()
  feedPrices(world, ceaseAtMs, random)

  let hasCeased = false
  await timeline.run(
    () => {
      if (verdict.violation) return true
      if (timeline.nowMs < ceaseAtMs + lateMs) return false
      const missing = outstanding({ auditor, database, instances, clients })
      if (missing !== undefined && timeline.nowMs > ceaseAtMs + lateMs + recoveryMs)
        verdict.fail(`${recoveryMs / 1_000} s after faults ceased ${missing}`)
      return missing === undefined
    },
    () => {
      if (timeline.nowMs < ceaseAtMs) strike(world, instances)
      else if (!hasCeased) {
        hasCeased = true
        faults.cease()
      }
    },
  )
  if (!verdict.violation) checkSettled({ auditor, database, instances, clients }, verdict)
  return {
    seed,
    violation: verdict.violation,
    commands: auditor.exchange.commandCount,
    events: auditor.events.length,
    acknowledged: clients.reduce((sum, client) => sum + client.acknowledged, 0),
    steps: timeline.stepCount,
    simulatedMs: timeline.nowMs,
    faults: faults.counts,
    traceHash: trace.hash,
    lastSteps: trace.last(120),
  }
}

/** Faults that strike between two steps. */
function strike({ faults, random, database }: World, instances: readonly Instance[]): void {
  if (faults.strikes('crash')) random.pick(instances).kill()
  if (faults.strikes('restart')) random.pick(instances).restart()
  if (faults.strikes('stall')) random.pick(instances).stall(random.skewed(5, 5_000))
  if (faults.strikes('databaseCrash')) database.crash(random.skewed(20, 2_000))
  if (faults.strikes('clockJump')) database.setClockAhead(random.between(500, 2_500))
}

function createClients(world: World, instances: readonly Instance[], auditor: Auditor, random: Random): Client[] {
  let count = 0
  const unique = (): number => (count += 1)
  const { exchange } = auditor
  const userIds = Array.from({ length: random.between(2, 5) }, (_, index) => `user-${index + 1}`)
  const client = (wish: typeof traderWish, userId: string, wishes: number): Client => {
    const own = random.fork()
    return new Client({
      world,
      instances,
      auditor,
      makeWish: (orders) => wish({ random: own, exchange, userIds, userId, orders, unique }),
      wishes,
      atOnceMax: random.between(1, 4),
    })
  }
  return [
    ...userIds.map((userId) => client(traderWish, userId, random.between(8, 45))),
    client(operatorWish, userIds[0]!, random.between(0, 20)),
  ]
}

/** The market-data service: a walk of prices, as records of the log that the house's liquidity follows. */
function feedPrices({ timeline, database, random }: World, untilMs: number, seeded: Random): void {
  const prices = tradedMarkets.map(({ name, price }) => ({ name, price }))
  const everyMs = seeded.between(80, 600)
  let sequence = 0
  const feed = (): void => {
    if (timeline.nowMs > untilMs) return
    const market = random.pick(prices)
    market.price *= 1 + (random.next() - 0.5) * 0.02
    const [price, bid, ask] = [market.price, market.price * 0.997, market.price * 1.003].map((value) => value.toFixed(6))
    const event = { id: `price-${sequence}`, type: 'price.updated', v: 1, timestamp: new Date(0).toISOString() }
    const data = { symbol: market.name, price, bid, ask, sources: ['synthetic'] }
    const body = encodeJsonRecord([JSON.stringify({ ...event, data })])
    database.append({ topic: topics.marketData, producer: 'market-data', sequence: (sequence += 1), body })
    timeline.plan(everyMs, 'price', feed)
  }
  timeline.plan(everyMs, 'price', feed)
}
