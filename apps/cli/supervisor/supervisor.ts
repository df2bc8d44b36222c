import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { limitNotes, type Terminal } from '../terminal.ts'
import type { SupervisedProcess } from '../monitoring/metrics.ts'
import type { ScrapedProcess } from '../monitoring/targets.ts'
import { Child, type ChildEnd } from './child.ts'
import { LogFile } from './log-file.ts'
import { logLine, noteOfLine } from './log-line.ts'
import type { ProcessList } from './leftovers.ts'
import { ServiceGroup, type SupervisedService } from './service-group.ts'
import { keepStandbys } from './standbys.ts'
import { watchForHangs } from './watchdog.ts'

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
  readonly #groups = new Map<string, ServiceGroup>()
  readonly #logs = new Map<string, LogFile>()
  readonly #logsFolder: string
  readonly #processes: ProcessList
  readonly #terminal: Terminal
  readonly #stopping = new AbortController()
  readonly #failed: Promise<never>
  #fail: (error: Error) => void = () => undefined
  readonly #settingFaults = new Set<string>()
  #watching: Promise<unknown> = Promise.resolve()

  constructor(options: { services: readonly SupervisedService[]; logsFolder: string; processes: ProcessList; terminal: Terminal }) {
    this.#terminal = options.terminal
    this.#logsFolder = options.logsFolder
    this.#processes = options.processes
    this.#failed = new Promise((_, reject) => (this.#fail = reject))
    // Whoever waits for a start sees it; when nobody waits any more it has been said on the terminal.
    this.#failed.catch(() => undefined)
    mkdirSync(options.logsFolder, { recursive: true, mode: 0o700 })
    for (const service of options.services)
      this.#groups.set(service.name, new ServiceGroup(service, (of, { onTrial }) => this.#createChild(of, onTrial)))
  }

  /** By service name. */
  get groups(): ReadonlyMap<string, ServiceGroup> {
    return this.#groups
  }

  /** Aborts when all is stopped. */
  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  get #children(): Child[] {
    return [...this.#groups.values()].flatMap(({ children }) => children)
  }

  /** @param replicas instances by service; one where it says nothing */
  start(replicas: ReadonlyMap<string, number> = new Map()): void {
    for (const group of this.#groups.values()) group.start(replicas.get(group.name) ?? 1)
    const { signal } = this.#stopping
    const note = (line: string): void => this.#terminal.note(line)
    this.#watching = Promise.all([watchForHangs(() => this.#children, signal, note), keepStandbys([...this.#groups.values()], signal)])
  }

  /** What runs or is to run, for who measures it. */
  get processes(): (SupervisedProcess & ScrapedProcess)[] {
    return this.#children.map((child) => ({
      service: child.name,
      metricsUrl: child.metricsUrl,
      isReady: child.url !== undefined,
      failures: child.troubles.failures,
    }))
  }

  /** Starts of instances of each service after their first, ever since the platform was started. */
  get restarts(): ReadonlyMap<string, number> {
    return new Map([...this.groups].map(([service, { restarts }]) => [service, restarts]))
  }

  /** Names of services that take no requests now. */
  get notReady(): string[] {
    return [...new Set(this.#children.filter((child) => child.url === undefined).map((child) => child.name))]
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
    const phases = [...new Set([...this.#groups.values()].map(({ stopPhase }) => stopPhase))].sort((a, b) => a - b)
    for (const phase of phases) {
      const children = [...this.#groups.values()].filter(({ stopPhase }) => stopPhase === phase).flatMap((group) => group.children)
      await Promise.all(
        children.map(async (child) => {
          if (!(await child.stop(phaseDeadlineMs)))
            this.#terminal.note(`${child.name} did not end within ${phaseDeadlineMs / 1_000} s and was killed`)
        }),
      )
    }
    await this.#watching
    for (const log of this.#logs.values()) log[Symbol.dispose]()
  }

  /** Kills what is still there, for the one who cannot wait. */
  kill(): void {
    this.#stopping.abort()
    for (const child of this.#children) void child.stop(0)
  }

  /** One log for all instances of a service; each line tells which one it is of. */
  #logOf(name: string): LogFile {
    const known = this.#logs.get(name)
    if (known) return known
    const file = path.join(this.#logsFolder, `${name}.log`)
    const log = new LogFile(file, { onFault: (error) => this.#terminal.note(`cannot write ${file}: ${error.message}; lines are lost`) })
    this.#logs.set(name, log)
    return log
  }

  #createChild(service: SupervisedService, onTrial: boolean): Child {
    const { name } = service
    const log = this.#logOf(name)
    const note = limitNotes((line) => this.#terminal.note(`${name}: ${line}`), { max: 3, windowMs: 10_000 })
    const lastErrorLines: string[] = []
    const child: Child = new Child(
      service,
      {
        spawned: (pid, as) => this.#processes.add(as === 'instance' ? name : `${name} ${as}`, pid),
        gone: (pid) => this.#processes.remove(pid),
        line: (line, stream, instanceId) => {
          log.write(logLine(line, stream, name, instanceId))
          if (stream === 'stderr') lastErrorLines.push(line)
          if (lastErrorLines.length > 20) lastErrorLines.shift()
          const fault = noteOfLine(line, stream)
          if (fault !== undefined && !this.#stopping.signal.aborted) note(fault)
        },
        ready: (_url, afterMs, starts) => {
          if (starts > 1) this.#terminal.note(`${name} is back after ${(afterMs / 1_000).toFixed(1)} s`)
        },
        ended: (end) => {
          if (this.#stopping.signal.aborted || end.onTrial) return
          if (!end.wasReady && end.code === exitCodeSettings) this.#refuseSettings(name, lastErrorLines)
          else this.#onEnd(child, end)
        },
      },
      { onTrial },
    )
    return child
  }

  #refuseSettings(name: string, lines: readonly string[]): void {
    const faults = lines.filter((line) => line.startsWith('  - '))
    for (const fault of faults.length > 0 ? faults : [`  - ${name}: ${lines.join(' ')}`]) this.#settingFaults.add(fault)
    setTimeout(
      () => this.#fail(new ServiceSettingsError(`Settings at fault:\n${[...this.#settingFaults].join('\n')}\nSee .env.example.`)),
      settingsCollectMs,
    )
  }

  #onEnd(child: Child, end: ChildEnd): void {
    const { name, lastFault } = child
    if (!end.wasReady && end.failures >= startFailuresMax) {
      const why = lastFault === '' ? end.reason : `${end.reason}: ${lastFault}`
      this.#fail(new ServiceStartError(`${name} could not be started (${why}). Its log is ${path.join(this.#logsFolder, `${name}.log`)}`))
    }
    // One that fails again and again is told of at first, and then about once a minute.
    if (end.failures > 3 && end.failures % 12 !== 0) return
    const when = end.delayMs === 0 ? 'it is started again' : `it is started again in ${(end.delayMs / 1_000).toFixed(1)} s`
    this.#terminal.note(`${name} ended (${end.reason}); ${when}`)
  }
}
