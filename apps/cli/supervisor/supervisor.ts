import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { limitNotes, type Terminal } from '../terminal.ts'
import { Child, type ChildDefinition, type ChildEnd } from './child.ts'
import { LogFile } from './log-file.ts'
import { noteOfLine } from './log-line.ts'
import type { ProcessList } from './leftovers.ts'
import { watchForHangs } from './watchdog.ts'

export interface SupervisedService extends ChildDefinition {
  /** Services of phase 0 are stopped first, then those of phase 1, and so on. */
  stopPhase: number
}

/** Settings at fault: a start that would fail the same way again. */
const exitCodeSettings = 78

/** How often a service may end before it was ever ready until the whole start is given up: about 11 s of tries. */
const startFailuresMax = 8

/** Services with faulty settings end at about the same time; after this long all of them have said so. */
const settingsCollectMs = 1_500

/** A service that could not be started at all; the message says why and where more is to be read. */
export class ServiceStartError extends Error {
  override name = 'ServiceStartError'
}

/** Settings that the services which own them refuse; the message names every one. */
export class ServiceSettingsError extends Error {
  override name = 'ServiceSettingsError'
}

/** The services as processes: started together, kept running, logged to a file each, stopped in order. */
export class Supervisor {
  readonly #children: Child[] = []
  readonly #phases = new Map<Child, number>()
  readonly #logs: LogFile[] = []
  readonly #terminal: Terminal
  readonly #stopping = new AbortController()
  readonly #failed: Promise<never>
  #fail: (error: Error) => void = () => undefined
  readonly #settingFaults = new Set<string>()
  #watching: Promise<void> = Promise.resolve()

  constructor(options: { services: readonly SupervisedService[]; logsFolder: string; processes: ProcessList; terminal: Terminal }) {
    this.#terminal = options.terminal
    this.#failed = new Promise((_, reject) => (this.#fail = reject))
    // Whoever waits for a start sees it; when nobody waits any more it has been said on the terminal.
    this.#failed.catch(() => undefined)
    mkdirSync(options.logsFolder, { recursive: true, mode: 0o700 })
    for (const service of options.services) {
      const child = this.#createChild(service, path.join(options.logsFolder, `${service.name}.log`), options.processes)
      this.#children.push(child)
      this.#phases.set(child, service.stopPhase)
    }
  }

  start(): void {
    for (const child of this.#children) child.start()
    this.#watching = watchForHangs(this.#children, this.#stopping.signal, (line) => this.#terminal.note(line))
  }

  /** Names of services that take no requests now. */
  get notReady(): string[] {
    return this.#children.filter((child) => child.url === undefined).map((child) => child.name)
  }

  /**
   * Resolves once every service takes requests and `probe` answers true; rejects with ServiceStartError when a service cannot be started, and with
   * the signal's reason when it aborts.
   */
  async untilReady(probe: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    let sayWaitingAtMs = Date.now() + 20_000
    const poll = async (): Promise<void> => {
      while (this.notReady.length > 0 || !(await probe())) {
        signal.throwIfAborted()
        if (Date.now() >= sayWaitingAtMs) {
          sayWaitingAtMs = Date.now() + 20_000
          this.#terminal.note(`still starting; waiting for ${this.notReady.join(', ') || 'the gateway to see every service'}`)
        }
        await sleep(25)
      }
    }
    await Promise.race([poll(), this.#failed])
  }

  /** Stops all services, phase after phase, each within `phaseDeadlineMs` and then by force. Later calls with a shorter deadline hasten it. */
  async stop(phaseDeadlineMs: number): Promise<void> {
    this.#stopping.abort()
    const phases = [...new Set(this.#phases.values())].sort((a, b) => a - b)
    for (const phase of phases) {
      await Promise.all(
        this.#children
          .filter((child) => this.#phases.get(child) === phase)
          .map(async (child) => {
            if (!(await child.stop(phaseDeadlineMs)))
              this.#terminal.note(`${child.name} did not end within ${phaseDeadlineMs / 1_000} s and was killed`)
          }),
      )
    }
    await this.#watching
    for (const log of this.#logs) log[Symbol.dispose]()
  }

  /** Kills what is still there, for the one who cannot wait. */
  kill(): void {
    this.#stopping.abort()
    for (const child of this.#children) void child.stop(0)
  }

  #createChild(service: SupervisedService, logFile: string, processes: ProcessList): Child {
    const { name } = service
    const log = new LogFile(logFile, {
      onFault: (error) => this.#terminal.note(`cannot write ${logFile}: ${error.message}; lines are lost`),
    })
    this.#logs.push(log)
    const note = limitNotes((line) => this.#terminal.note(`${name}: ${line}`), { max: 3, windowMs: 10_000 })
    let lastFault = ''
    const lastErrorLines: string[] = []
    return new Child(service, {
      spawned: (pid) => processes.add(name, pid),
      line: (line, stream) => {
        log.write(line)
        if (stream === 'stderr') lastErrorLines.push(line)
        if (lastErrorLines.length > 20) lastErrorLines.shift()
        const fault = noteOfLine(line, stream)
        if (fault === undefined) return
        lastFault = fault
        if (!this.#stopping.signal.aborted) note(fault)
      },
      ready: (_url, afterMs, starts) => {
        if (starts > 1) this.#terminal.note(`${name} is back after ${(afterMs / 1_000).toFixed(1)} s`)
      },
      ended: (end) => {
        if (this.#stopping.signal.aborted) return
        if (!end.wasReady && end.code === exitCodeSettings) this.#refuseSettings(name, lastErrorLines)
        else this.#onEnd(name, end, lastFault, logFile)
      },
    })
  }

  #refuseSettings(name: string, lines: readonly string[]): void {
    const faults = lines.filter((line) => line.startsWith('  - '))
    for (const fault of faults.length > 0 ? faults : [`  - ${name}: ${lines.join(' ')}`]) this.#settingFaults.add(fault)
    setTimeout(
      () => this.#fail(new ServiceSettingsError(`Settings at fault:\n${[...this.#settingFaults].join('\n')}\nSee .env.example.`)),
      settingsCollectMs,
    )
  }

  #onEnd(name: string, end: ChildEnd, lastFault: string, logFile: string): void {
    if (!end.wasReady && end.failures >= startFailuresMax) {
      const why = lastFault === '' ? end.reason : `${end.reason}: ${lastFault}`
      this.#fail(new ServiceStartError(`${name} could not be started (${why}). Its log is ${logFile}`))
    }
    // One that fails again and again is told of at first, and then about once a minute.
    if (end.failures > 3 && end.failures % 12 !== 0) return
    const when = end.delayMs === 0 ? 'it is started again' : `it is started again in ${(end.delayMs / 1_000).toFixed(1)} s`
    this.#terminal.note(`${name} ended (${end.reason}); ${when}`)
  }
}
