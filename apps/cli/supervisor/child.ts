import { spawn, type ChildProcess } from 'node:child_process'
import { healthyAfterMs, restartDelayMs } from './backoff.ts'
import type { Runtime } from '@maru/service-host/runtime'
import { splitLines } from './log-file.ts'

export interface ChildDefinition {
  name: string
  /** Absolute path of the program, a `main.ts`. */
  entry: string
  /** The whole environment of the process, but for what its runtime adds. */
  environment: Readonly<Record<string, string>>
  runtime: Runtime
}

export interface ChildObserver {
  /** One line of the process' output. */
  line(line: string, stream: 'stdout' | 'stderr'): void
  /** It runs; called before anything else can happen to it. */
  spawned(pid: number): void
  /** It takes requests, for the `starts`-th time. `afterMs` since the start, or since its predecessor ended. */
  ready(url: string, afterMs: number, starts: number): void
  /** It ended without being asked to. The next start comes after `delayMs`. */
  ended(how: ChildEnd): void
}

export interface ChildEnd {
  /** `exit code 1` or `signal SIGKILL`, or why it could not be started. */
  reason: string
  code: number | null
  wasReady: boolean
  /** Ends in a row since it was last healthy. */
  failures: number
  delayMs: number
}

/** A process that is kept running: started again when it ends, with a wait that grows while it keeps failing. */
export class Child {
  readonly definition: ChildDefinition
  readonly #observer: ChildObserver
  #process: ChildProcess | undefined
  #restart: NodeJS.Timeout | undefined
  #stopping = false
  #starts = 0
  #failures = 0
  #downSinceMs = Date.now()
  #readySinceMs: number | undefined
  #url: string | undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(definition: ChildDefinition, observer: ChildObserver) {
    this.definition = definition
    this.#observer = observer
  }

  get name(): string {
    return this.definition.name
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Where it takes requests; undefined while it does not. */
  get url(): string | undefined {
    return this.#url
  }

  start(): void {
    if (this.#stopping) return
    this.#starts += 1
    const { entry, environment, runtime } = this.definition
    // A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which then stops the services in order.
    const child = spawn(process.execPath, [...runtime.execArgv, entry], {
      env: { ...environment, ...runtime.environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    this.#process = child
    if (child.pid !== undefined) this.#observer.spawned(child.pid)
    child.stdout?.setEncoding('utf8').on(
      'data',
      splitLines((line) => this.#observer.line(line, 'stdout')),
    )
    child.stderr?.setEncoding('utf8').on(
      'data',
      splitLines((line) => this.#observer.line(line, 'stderr')),
    )
    child.on('message', (message) => this.#onMessage(message))
    this.#ended = new Promise((resolve) => {
      const onEnd = (reason: string, code: number | null): void => {
        if (this.#process !== child) return
        this.#process = undefined
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

  /**
   * Asks the process to end, and kills it after `deadlineMs`. Resolves when it has ended; it is not started again. False when it had to
   * be killed.
   */
  async stop(deadlineMs: number): Promise<boolean> {
    this.#stopping = true
    clearTimeout(this.#restart)
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
    const { type, url } = message as { type?: unknown; url?: unknown }
    if (type !== 'ready' || typeof url !== 'string') return
    this.#url = url
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
    if (this.#stopping) return
    const delayMs = restartDelayMs(this.#failures)
    this.#restart = setTimeout(() => this.start(), delayMs)
    this.#observer.ended({ reason, code, wasReady, failures: this.#failures, delayMs })
  }
}
