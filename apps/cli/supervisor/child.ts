import type { ChildProcess } from 'node:child_process'
import { createInstanceId } from '@maru/service-host/instance-id'
import { healthyAfterMs, restartDelayMs } from './backoff.ts'
import { splitLines } from './log-file.ts'
import { noteOfLine } from './log-line.ts'
import { spawnService, Standby, type ServiceProgram } from './service-process.ts'

export interface ChildObserver {
  /** One line of the process' output. */
  line(line: string, stream: 'stdout' | 'stderr', instanceId: string): void
  /** It runs; called before anything else can happen to it. One that stood by and takes over is told of a second time. */
  spawned(pid: number, as: 'instance' | 'standby'): void
  /** It takes requests, for the `starts`-th time. `afterMs` since the start, or since its predecessor ended. */
  ready(url: string, afterMs: number, starts: number): void
  /** It ended without being asked to. The next start comes after `delayMs`, unless it is on trial. */
  ended(how: ChildEnd): void
  /** It ended, asked or not. */
  gone?(pid: number): void
}

export interface ChildEnd {
  /** `exit code 1` or `signal SIGKILL`, or why it could not be started. */
  reason: string
  code: number | null
  wasReady: boolean
  /** Ends in a row since it was last healthy. */
  failures: number
  delayMs: number
  /** It is not started again: what becomes of it is for who tries it to say. */
  onTrial: boolean
}

/** A moment of a process, for who watches. */
export interface ChildStatus {
  id: string
  pid: number | undefined
  url: string | undefined
  /** `waiting`: it ended and is started again at `nextStartAtMs`. `ended`: it ended and is not. */
  state: 'starting' | 'ready' | 'stopping' | 'waiting' | 'ended'
  startedAtMs: number
  /** Starts after the first. */
  restarts: number
  /** Ends in a row since it was last healthy. */
  failures: number
  nextStartAtMs: number | undefined
  lastEnd: LastEnd | undefined
}

interface LastEnd {
  reason: string
  atMs: number
  /** Whether it had taken requests. */
  wasReady: boolean
}

/** A process that is kept running: started again when it ends, with a wait that grows while it keeps failing. On trial it is not started again. */
export class Child {
  readonly definition: ServiceProgram
  readonly #observer: ChildObserver
  readonly #standby: Standby
  #process: ChildProcess | undefined
  #restart: NodeJS.Timeout | undefined
  #stopping = false
  #onTrial: boolean
  #starts = 0
  #failures = 0
  #id = ''
  #lastFault = ''
  #startedAtMs = Date.now()
  #downSinceMs = Date.now()
  #nextStartAtMs: number | undefined
  #readySinceMs: number | undefined
  #url: string | undefined
  #lastEnd: LastEnd | undefined
  #metricsUrl: string | undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(definition: ServiceProgram, observer: ChildObserver, options: { onTrial?: boolean } = {}) {
    this.definition = definition
    this.#observer = observer
    this.#onTrial = options.onTrial ?? false
    this.#standby = new Standby(definition, {
      spawned: (pid) => observer.spawned(pid, 'standby'),
      gone: (pid) => observer.gone?.(pid),
      failed: (reason) => observer.line(`the process that stood by ended (${reason})`, 'stderr', 'standby'),
    })
  }

  get name(): string {
    return this.definition.name
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Of the run that is under way or was the last; a name in discovery and in logs. */
  get id(): string {
    return this.#id
  }

  /** The last that this run said of a fault; empty where it said nothing. */
  get lastFault(): string {
    return this.#lastFault
  }

  /** Where it takes requests; undefined while it does not. */
  get url(): string | undefined {
    return this.#url
  }

  get status(): ChildStatus {
    const runs = this.#process !== undefined
    const running = this.#stopping ? 'stopping' : this.#url === undefined ? 'starting' : 'ready'
    return {
      id: this.#id,
      pid: this.pid,
      url: this.#url,
      state: runs ? running : this.#nextStartAtMs === undefined ? 'ended' : 'waiting',
      startedAtMs: this.#startedAtMs,
      restarts: Math.max(0, this.#starts - 1),
      failures: this.#failures,
      nextStartAtMs: this.#nextStartAtMs,
      lastEnd: this.#lastEnd,
    }
  }

  /** Where its metrics are read; undefined while it takes no requests. */
  get metricsUrl(): string | undefined {
    return this.#url === undefined ? undefined : (this.#metricsUrl ?? this.#url)
  }

  /** Starts after the first, and ends in a row since it was last healthy. */
  get troubles(): { restarts: number; failures: number } {
    return { restarts: Math.max(0, this.#starts - 1), failures: this.#failures }
  }

  start(): void {
    if (this.#stopping) return
    this.#starts += 1
    this.#nextStartAtMs = undefined
    this.#startedAtMs = Date.now()
    const id = createInstanceId(this.name)
    this.#id = id
    this.#lastFault = ''
    const child = this.#standby.take(id) ?? spawnService(this.definition, id)
    this.#process = child
    if (child.pid !== undefined) this.#observer.spawned(child.pid, 'instance')
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream]?.setEncoding('utf8').on(
        'data',
        splitLines((line) => {
          this.#lastFault = noteOfLine(line, stream) ?? this.#lastFault
          this.#observer.line(line, stream, id)
        }),
      )
    child.on('message', (message) => this.#onMessage(message))
    this.#ended = new Promise((resolve) => {
      const onEnd = (reason: string, code: number | null): void => {
        if (this.#process !== child) return
        this.#process = undefined
        if (child.pid !== undefined) this.#observer.gone?.(child.pid)
        this.#onEnd(reason, code)
        resolve()
      }
      child.on('exit', (code, signal) => onEnd(signal === null ? `exit code ${code}` : `signal ${signal}`, code))
      child.on('error', (error) => {
        // Also reported for a message that could not be sent; only a process that never ran has ended by it.
        if (child.pid === undefined) onEnd(error.message, null)
      })
    })
  }

  /** The trial is over: from now on it is started again when it ends. */
  keep(): void {
    this.#onTrial = false
  }

  /** Whether it counts as an instance: neither on trial nor asked to end. */
  get isKept(): boolean {
    return !this.#onTrial && !this.#stopping
  }

  /** Whether it takes requests and has done so for as long; not on trial. */
  hasBeenReadyFor(durationMs: number): boolean {
    return this.isKept && this.#readySinceMs !== undefined && Date.now() - this.#readySinceMs >= durationMs
  }

  /** Has a process stand by, which the next start takes; resolves once it has loaded or cannot be had. */
  async prepareStandby(): Promise<void> {
    await this.#standby.prepare()
  }

  async dropStandby(): Promise<void> {
    await this.#standby.end()
  }

  /**
   * Asks the process to end, and kills it after `deadlineMs`. Resolves when it has ended; it is not started again. False when it had to
   * be killed.
   */
  async stop(deadlineMs: number): Promise<boolean> {
    this.#stopping = true
    clearTimeout(this.#restart)
    this.#nextStartAtMs = undefined
    const standbyEnded = this.#standby.end()
    const child = this.#process
    if (!child) {
      await standbyEnded
      return true
    }
    let inTime = true
    child.kill('SIGTERM')
    const timer = setTimeout(() => {
      inTime = false
      child.kill('SIGKILL')
    }, deadlineMs)
    await Promise.all([this.#ended, standbyEnded])
    clearTimeout(timer)
    return inTime
  }

  /** Kills the process; it is started again unless `stop` was called. */
  kill(): void {
    this.#process?.kill('SIGKILL')
  }

  #onMessage(message: unknown): void {
    if (typeof message !== 'object' || message === null) return
    const { type, url, metricsUrl } = message as { type?: unknown; url?: unknown; metricsUrl?: unknown }
    if (type !== 'ready' || typeof url !== 'string') return
    this.#url = url
    this.#metricsUrl = typeof metricsUrl === 'string' ? metricsUrl : undefined
    this.#readySinceMs = Date.now()
    this.#observer.ready(url, this.#readySinceMs - this.#downSinceMs, this.#starts)
  }

  #onEnd(reason: string, code: number | null): void {
    const nowMs = Date.now()
    const wasReady = this.#readySinceMs !== undefined
    const wasHealthy = this.#readySinceMs !== undefined && nowMs - this.#readySinceMs >= healthyAfterMs
    this.#failures = wasHealthy ? 1 : this.#failures + 1
    // Of several ends in a row, the time it was away counts from the first.
    if (wasReady) this.#downSinceMs = nowMs
    this.#readySinceMs = undefined
    this.#url = undefined
    this.#lastEnd = { reason, atMs: nowMs, wasReady }
    if (this.#stopping) return
    const delayMs = restartDelayMs(this.#failures)
    if (!this.#onTrial) {
      this.#nextStartAtMs = nowMs + delayMs
      this.#restart = setTimeout(() => this.start(), delayMs)
    }
    this.#observer.ended({ reason, code, wasReady, failures: this.#failures, delayMs, onTrial: this.#onTrial })
  }
}
