import { spawn, type ChildProcess } from 'node:child_process'
import type { Runtime } from '@maru/service-host/runtime'
import type { HeldPort } from './held-port.ts'

/** How a service is run as a process. */
export interface ServiceProgram {
  name: string
  /** Absolute path of the program, a `main.ts`. */
  entry: string
  /** Absolute path of the program that loads the modules of another and waits for its turn; where there is none, nothing stands by. */
  standby?: string
  /** The whole environment of the process, but for what its runtime and its run add. */
  environment: Readonly<Record<string, string>>
  runtime: Runtime
  /** The Node that runs it; this process' own where unset. */
  node?: string
  /** A listening socket of the supervisor that the process takes connections from, together with its like. */
  listener?: HeldPort
}

/** Starts a service as an instance of this id. */
export function spawnService(service: ServiceProgram, instanceId: string): ChildProcess {
  return spawnWith(service, [service.entry], { MARU_INSTANCE_ID: instanceId })
}

function spawnWith(service: ServiceProgram, program: readonly string[], own: Readonly<Record<string, string>>): ChildProcess {
  const { environment, runtime, listener, node = process.execPath } = service
  // A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which then stops the services in order.
  return spawn(node, [...runtime.execArgv, ...program], {
    env: { ...environment, ...runtime.environment, ...listener?.environment, ...own },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', ...(listener ? [listener.handle] : [])],
    detached: process.platform !== 'win32',
    windowsHide: true,
  })
}

/** After one has ended by itself, the next is not made before this has passed: it may be that it cannot be loaded at all. */
const retryMs = 60_000
/** One that has not loaded by then hangs. */
const loadMaxMs = 60_000

export interface StandbyObserver {
  spawned(pid: number): void
  gone(pid: number): void
  /** It ended by itself and is not there to be taken. */
  failed(reason: string): void
}

/** A process that has loaded the modules of a service and waits to become an instance of it; at most one, made anew when the last was taken. */
export class Standby {
  readonly #service: ServiceProgram
  readonly #observer: StandbyObserver
  #process: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #notBeforeMs = 0

  constructor(service: ServiceProgram, observer: StandbyObserver) {
    this.#service = service
    this.#observer = observer
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Makes it where there is none. Resolves once it has loaded, has ended, or cannot be made now. */
  async prepare(): Promise<void> {
    const { standby, entry } = this.#service
    if (standby === undefined || this.#process !== undefined || Date.now() < this.#notBeforeMs) return
    const waiting = spawnWith(this.#service, [standby, entry], {})
    const { pid } = waiting
    this.#process = waiting
    if (pid !== undefined) this.#observer.spawned(pid)
    await new Promise<void>((loaded) => {
      const timer = setTimeout(() => this.#process === waiting && waiting.kill('SIGKILL'), loadMaxMs)
      const resolve = (): void => {
        clearTimeout(timer)
        loaded()
      }
      waiting.once('message', resolve)
      this.#ended = new Promise((ended) => {
        const onEnd = (reason: string): void => {
          resolve()
          ended()
          if (this.#process !== waiting) return
          this.#process = undefined
          if (pid !== undefined) this.#observer.gone(pid)
          this.#notBeforeMs = Date.now() + retryMs
          this.#observer.failed(reason)
        }
        waiting.once('exit', (code, signal) => onEnd(signal === null ? `exit code ${code}` : `signal ${signal}`))
        waiting.once('error', (error) => pid === undefined && onEnd(error.message))
      })
    })
  }

  /** Gives the process away, told to begin as an instance of this id; undefined where none stands by. What it says from its start on is the taker's to hear. */
  take(instanceId: string): ChildProcess | undefined {
    const waiting = this.#process
    if (waiting === undefined || !waiting.connected || waiting.exitCode !== null || waiting.signalCode !== null) return undefined
    this.#process = undefined
    // Where it dies before it hears of it, its end says so.
    waiting.send({ type: 'begin', instanceId }, () => undefined)
    return waiting
  }

  /** Ends it. Resolves when it has ended. */
  async end(): Promise<void> {
    const waiting = this.#process
    if (waiting === undefined) return
    this.#process = undefined
    waiting.kill('SIGKILL')
    await this.#ended
    if (waiting.pid !== undefined) this.#observer.gone(waiting.pid)
  }
}
