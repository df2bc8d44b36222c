import { spawn, type ChildProcess } from 'node:child_process'
import { createInstanceId } from '@maru/service-host/instance-id'
import type { Runtime } from '@maru/service-host/runtime'
import { healthyAfterMs, restartDelayMs } from './backoff.ts'
import type { HeldPort } from './held-port.ts'
import { splitLines } from './log-file.ts'
import { noteOfLine } from './log-line.ts'

export interface ChildDefinition {
  name: string
  /** Absolute path of the program, a `main.ts`. */
  entry: string
  /** The whole environment of the process, but for what its runtime and its run add. */
  environment: Readonly<Record<string, string>>
  runtime: Runtime
  /** The Node that runs it; this process' own where unset. */
  node?: string
  /** A listening socket of the supervisor that the process takes connections from, together with its like. */
  listener?: HeldPort
}

export interface ChildObserver {
  /** One line of the process' output. */
  line(line: string, stream: 'stdout' | 'stderr', instanceId: string): void
  /** It runs; called before anything else can happen to it. */
  spawned(pid: number): void
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
  lastEnd: { reason: string; atMs: number } | undefined
}

/** A process that is kept running: started again when it ends, with a wait that grows while it keeps failing. On trial it is not started again. */
export class Child {
  readonly definition: ChildDefinition
  readonly #observer: ChildObserver
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
  #lastEnd: { reason: string; atMs: number } | undefined
  #metricsUrl: string | undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(definition: ChildDefinition, observer: ChildObserver, options: { onTrial?: boolean } = {}) {
    this.definition = definition
    this.#observer = observer
    this.#onTrial = options.onTrial ?? false
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
    const { entry, environment, runtime, listener, node = process.execPath } = this.definition
    // A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which then stops the services in order.
    const child = spawn(node, [...runtime.execArgv, entry], {
      env: { ...environment, ...runtime.environment, ...listener?.environment, MARU_INSTANCE_ID: id },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', ...(listener ? [listener.handle] : [])],
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    this.#process = child
    if (child.pid !== undefined) this.#observer.spawned(child.pid)
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

  /**
   * Asks the process to end, and kills it after `deadlineMs`. Resolves when it has ended; it is not started again. False when it had to
   * be killed.
   */
  async stop(deadlineMs: number): Promise<boolean> {
    this.#stopping = true
    clearTimeout(this.#restart)
    this.#nextStartAtMs = undefined
    const child = this.#process
    if (!child) return true
    let inTime = true
    child.kill('SIGTERM')
    const timer = setTimeout(() => {
      inTime = false
      child.kill('SIGKILL')
    }, deadlineMs)
    await this.#ended
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
    this.#lastEnd = { reason, atMs: nowMs }
    if (this.#stopping) return
    const delayMs = restartDelayMs(this.#failures)
    if (!this.#onTrial) {
      this.#nextStartAtMs = nowMs + delayMs
      this.#restart = setTimeout(() => this.start(), delayMs)
    }
    this.#observer.ended({ reason, code, wasReady, failures: this.#failures, delayMs, onTrial: this.#onTrial })
  }
}
