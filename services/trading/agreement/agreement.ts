import { isSliceDue, type Exchange } from '@maru/domain/exchange'
import { pause } from '@maru/event-log'
import type { Logger } from '@maru/service-host'
import type { StateHash, StateHashes } from './state-hashes.ts'
import { verdictOf, type Vote } from './verdict.ts'

/** How often hashes are written; and how long a replica must have had nothing to do before it hashes where it stands. */
const recordEveryMs = 250
const compareEveryMs = 1_000
/** How long the others have to say what they found before a contested count is decided: a majority may be on its way. */
const graceMs = 1_000
/** How far back it is looked whether others have come to differ: whoever is later than that starts anew and compares all. */
const lookBackMs = 60_000
/** Hashes kept while they cannot be written; then the oldest go. */
const waitingMax = 5_000

/** Why a replica has stopped. */
export interface Disagreement {
  readonly command: number
  readonly slice: number
  readonly votes: readonly Vote[]
  /** For whoever asks, in one sentence. */
  readonly detail: string
}

/**
 * Compares one replica of the exchange with all others: at the same command counts each hashes the same slice of its state and writes it where
 * the others see it. Where they differ, a replica goes on only if more agree with it than with anything else.
 */
export class Agreement {
  readonly #replica: string
  readonly #hashes: StateHashes
  readonly #logger: Logger
  #exchange: Exchange | undefined
  /** Time of the exchange before the command now applied. */
  #beforeMs = 0
  #taken = -1
  #waiting: StateHash[] = []
  /** What was written lately, and when. */
  #written: { command: number; atMs: number }[] = []
  #recording: Promise<void> = Promise.resolve()
  /** Contested counts that are not decided, and since when they are known. */
  readonly #contested = new Map<number, number>()
  /** The newest count at which it was said that another differs. */
  #told = -1
  /** Whether what led to the state it began with was compared: before that it has no vote. */
  #isSettled = false
  #disagreement: Disagreement | undefined

  /** @param options.replica its name, unique to this run */
  constructor(options: { replica: string; hashes: StateHashes; logger: Logger }) {
    this.#replica = options.replica
    this.#hashes = options.hashes
    this.#logger = options.logger
  }

  /** Undefined as long as this replica may go on. Once it may not, it stays so. */
  get disagreement(): Disagreement | undefined {
    return this.#disagreement
  }

  /** Whether some hash of this replica differs from another's and it is not decided yet who is right. */
  get isContested(): boolean {
    return this.#contested.size > 0 || this.#disagreement !== undefined
  }

  /** From here on `see` is called after each command that this exchange applies. */
  begin(exchange: Exchange): void {
    this.#exchange = exchange
    this.#beforeMs = exchange.timeMs
    this.#taken = -1
  }

  see(): void {
    const exchange = this.#exchange!
    const { commandCount, timeMs } = exchange
    const isDue = isSliceDue(commandCount, timeMs, this.#beforeMs)
    this.#beforeMs = timeMs
    if (isDue) this.#take(exchange)
  }

  /** Hashes where the replica stands and writes what is not written yet, for who wants to see it now. */
  async record(): Promise<void> {
    if (this.#exchange) this.#take(this.#exchange)
    await this.#write()
  }

  /**
   * Compares all that led to the state this replica began with, before it serves or publishes. It must agree with more than disagree with it at
   * each count, or it stops without ever having had a vote: two that began from the same damaged snapshot must not outvote one that is right.
   */
  async settle(): Promise<Disagreement | undefined> {
    if (this.#exchange) this.#take(this.#exchange)
    const votes = await this.#hashes.votesAt(this.#waiting.map(({ command }) => command))
    for (const own of this.#waiting) {
      const others = (votes.get(own.command) ?? []).filter(({ replica }) => replica !== this.#replica)
      const all = [...others, { replica: this.#replica, slice: own.slice, hash: own.hash }]
      if (verdictOf(own.hash, all) === 'agrees') continue
      await this.#stop(own.command, own.slice, all, true)
      return this.#disagreement
    }
    this.#isSettled = true
    await this.#write()
    return undefined
  }

  /** Writes and compares until `signal` aborts. `onDisagreement`: this replica may not go on; from then on it only writes, for operators to see. */
  async follow(signal: AbortSignal, onDisagreement: (disagreement: Disagreement) => void): Promise<void> {
    let isTold = false
    let comparedMs = performance.now()
    let count = -1
    let isFailing = false
    while (!signal.aborted) {
      if (this.#disagreement && !isTold) {
        isTold = true
        onDisagreement(this.#disagreement)
      }
      await pause(recordEveryMs, signal)
      const exchange = this.#exchange
      // Where nothing happens, replicas come to the same count and hash there, which shows whether they ended alike.
      if (exchange && exchange.commandCount === count) this.#take(exchange)
      count = exchange?.commandCount ?? -1
      try {
        await this.#write()
        if (performance.now() - comparedMs >= compareEveryMs) {
          comparedMs = performance.now()
          await this.#compare()
        }
        isFailing = false
      } catch (error) {
        if (!isFailing && !signal.aborted) this.#logger.warn({ err: error }, 'hashes of the state cannot be compared now; trying again')
        isFailing = true
      }
    }
  }

  #take(exchange: Exchange): void {
    if (this.#taken === exchange.commandCount) return
    this.#taken = exchange.commandCount
    this.#waiting.push({ command: exchange.commandCount, ...exchange.sliceHash() })
    if (this.#waiting.length > waitingMax) this.#waiting.shift()
  }

  /** One after another: two at once would write the same hashes. */
  #write(): Promise<void> {
    const done = this.#recording.then(async () => {
      const hashes = [...this.#waiting]
      if (hashes.length === 0 || !this.#isSettled) return
      await this.#hashes.record(this.#replica, hashes, this.#disagreement === undefined)
      this.#waiting = this.#waiting.filter((hash) => !hashes.includes(hash))
      const now = performance.now()
      this.#written = this.#written.filter(({ atMs }, index, all) => atMs > now - lookBackMs || index === all.length - 1)
      for (const { command } of hashes) this.#written.push({ command, atMs: now })
    })
    this.#recording = done.catch(() => undefined)
    return done
  }

  async #compare(): Promise<void> {
    const since = this.#written[0]?.command
    if (since === undefined || this.#disagreement) return
    const contested = await this.#hashes.contested(since)
    for (const command of this.#contested.keys()) if (!contested.has(command)) this.#contested.delete(command)
    for (const [command, votes] of contested) {
      const own = votes.find(({ replica }) => replica === this.#replica)
      const verdict = own ? verdictOf(own.hash, votes) : 'agrees'
      if (!own || verdict === 'agrees') {
        this.#contested.delete(command)
        if (own && command > this.#told) {
          this.#told = command
          this.#logger.error({ command, votes }, 'the state of another replica differs')
        }
        continue
      }
      const sinceMs = this.#contested.get(command) ?? performance.now()
      this.#contested.set(command, sinceMs)
      if (performance.now() - sinceMs < graceMs) continue
      await this.#stop(command, own.slice, votes, verdict === 'outvoted')
      return
    }
  }

  async #stop(command: number, slice: number, votes: readonly Vote[], isOutvoted: boolean): Promise<void> {
    const others = isOutvoted ? 'most other replicas' : 'other replicas'
    const detail = `This instance takes no orders: its state differs from that of ${others} at command ${command}.`
    this.#disagreement = { command, slice, votes, detail }
    this.#isSettled = true
    this.#logger.fatal({ command, slice, votes, replica: this.#replica }, 'the state of this replica differs: it stops')
    if (!isOutvoted) return
    await this.#hashes.withdraw(this.#replica).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'that this replica has stopped could not be recorded')
    })
  }
}
