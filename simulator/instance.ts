import { isTransientDatabaseError, LogClosedError, type Clock, type EventLog } from '@maru/event-log'
import { Problem, type Logger } from '@maru/service-host'
import { Accounts, publishWhileLeading, runClockwork, runHouse, startCore, type Intake, type Replica } from '@maru/trading/testing'
import type { Auditor } from './auditor.ts'
import { openLog } from './log.ts'
import type { World } from './network.ts'
import { Process, Thread } from './process.ts'
import { openHistory, openLeases, openSnapshots } from './stores.ts'
import type { Verdict } from './violation.ts'

export interface InstanceSettings {
  queueMax: number
  timeoutMs: number
  snapshotEveryCommands: number
  snapshotEveryMs: number
}

/** What requests are answered with; there once the instance is ready. */
export interface Serving {
  thread: Thread
  replica: Replica
  intake: Intake
  accounts: Accounts
}

interface Running {
  process: Process
  main: Thread
  publisher: Thread
  stop: AbortController
}

/** A supervisor kills what has not ended by itself so long after it was asked to. */
const stopWithinMs = 5_000

/** One instance of the trading service, wired as `service.ts` does: started again whenever it ended. */
export class Instance {
  readonly name: string
  readonly #world: World
  readonly #auditor: Auditor
  readonly #verdict: Verdict
  readonly #settings: InstanceSettings
  #starts = 0
  #running: Running | undefined
  #serving: Serving | undefined

  constructor(name: string, parts: { world: World; auditor: Auditor; verdict: Verdict; settings: InstanceSettings }) {
    this.name = name
    this.#world = parts.world
    this.#auditor = parts.auditor
    this.#verdict = parts.verdict
    this.#settings = parts.settings
  }

  get serving(): Serving | undefined {
    return this.#serving
  }

  start(delayMs: number): void {
    const { timeline, random } = this.#world
    const process = new Process(`${this.name}.${(this.#starts += 1)}`)
    const skewMs = random.between(-300, 300)
    const thread = (name: string): Thread => new Thread(process, name, timeline, random.fork(), skewMs)
    const running = { process, main: thread('main'), publisher: thread('publisher'), stop: new AbortController() }
    this.#running = running
    timeline.plan(delayMs, 'start', () => void this.#run(running).catch((error: unknown) => this.#die(running, error)), running.main)
  }

  /** Ends it between two steps, whatever it is doing. */
  kill(): void {
    if (this.#running) this.#end(this.#running)
  }

  /** Asks it to end in good order. */
  restart(): void {
    this.#running?.stop.abort()
  }

  stall(forMs: number): void {
    if (!this.#running) return
    const thread = this.#world.random.pick([this.#running.main, this.#running.publisher])
    thread.stalledUntilMs = this.#world.timeline.nowMs + forMs
  }

  async #run(running: Running): Promise<void> {
    const { main, publisher, stop, process } = running
    const { timeline } = this.#world
    const { signal } = stop
    const fail = (error: unknown): void => this.#die(running, error)
    const logger = this.#logger(process)
    const log = openLog(this.#world, main)
    const { replica, intake } = await startCore({
      ...this.#settings,
      log,
      snapshots: openSnapshots(this.#world, main),
      instanceId: process.name,
      logger,
      clock: main.clock,
      onFatal: fail,
    })
    // Asked to end before it was ready.
    if (signal.aborted) return this.#end(running)
    this.#auditor.checkState(replica.exchange, process.name)
    replica.onApplied((exchange) => this.#auditor.checkReplica(exchange, process.name))
    const accounts = new Accounts({ replica, intake, config: playMoney })
    this.#serving = { thread: main, replica, intake, accounts }
    signal.addEventListener('abort', () => (this.#serving = undefined))
    const following = replica.follow(signal)

    let house: AbortController | undefined
    const onLeading = (leading: boolean): void => {
      house?.abort()
      house = undefined
      if (!leading || signal.aborted) return
      house = new AbortController()
      this.#lead({ log, replica, intake, accounts, logger, clock: main.clock, signal: AbortSignal.any([signal, house.signal]), fail })
    }
    const published = new Promise<void>((resolve) => {
      const begin = (): void =>
        void publishWhileLeading(
          {
            ...this.#settings,
            log: openLog(this.#world, publisher),
            leases: openLeases(this.#world, publisher),
            snapshots: openSnapshots(this.#world, publisher, (snapshot) => this.#auditor.checkSnapshot(snapshot)),
            history: openHistory(this.#world, publisher),
            clock: publisher.clock,
            logger,
            instanceId: process.name,
            onLeading: (leading) => void timeline.plan(0.05, `leading ${leading}`, () => onLeading(leading), main),
          },
          signal,
        ).then(resolve, fail)
      timeline.plan(0.5, 'publisher starts', begin, publisher)
    })

    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    timeline.plan(stopWithinMs, 'killed, as it did not end', () => this.#end(running), main)
    await intake.close()
    await Promise.all([following, published])
    await log[Symbol.asyncDispose]()
    this.#end(running)
  }

  #lead({
    fail,
    ...parts
  }: Omit<Parameters<typeof runHouse>[0], 'quotes'> & { clock: Clock; log: EventLog; fail: (error: unknown) => void }): void {
    const onFailed = (error: unknown): void => {
      if (!parts.signal.aborted) fail(error)
    }
    runHouse({ ...parts, quotes: true }).catch(onFailed)
    runClockwork(parts).catch(onFailed)
  }

  /** It found that it cannot go on; only for some reasons may that be. */
  #die(running: Running, error: unknown): void {
    if (!comesOfFaults(error)) this.#verdict.fail(`${running.process.name} failed: ${error instanceof Error ? error.stack : String(error)}`)
    this.#end(running)
  }

  #end(running: Running): void {
    if (running.process.isDead) return
    running.process.kill()
    this.#serving = undefined
    this.start(this.#world.random.skewed(20, 2_500))
  }

  /** What is logged as an error is one, unless it comes of a connection. */
  #logger({ name }: Process): Logger {
    const quiet = (): void => undefined
    const error = (fields: { err?: unknown }, message: string): void => {
      if (!comesOfFaults(fields.err)) this.#verdict.fail(`${name} logged an error: ${message}: ${String(fields.err)}`)
    }
    return { debug: quiet, info: quiet, warn: quiet, error } as unknown as Logger
  }
}

const playMoney = { grantAmount: '100000', grantAsset: 'USDT' } as ConstructorParameters<typeof Accounts>[0]['config']

function comesOfFaults(error: unknown): boolean {
  // A replica that was away for longer than the log is kept can only start anew.
  if (error instanceof Error && error.message.startsWith('the command log was trimmed')) return true
  if (error instanceof Problem) return error.code === 'outcome_pending'
  return isTransientDatabaseError(error) || error instanceof LogClosedError
}
