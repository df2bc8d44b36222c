import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processIdentity, stillRuns, type ProcessRecord } from './process-identity.ts'

/**
 * The service processes of a home folder, written down at once when each is started: so that the next supervisor can see to
 * it that none of a killed one is left.
 */
export class ProcessList {
  readonly #file: string
  readonly #records = new Map<number, ProcessRecord & { name: string }>()

  constructor(homeFolder: string) {
    this.#file = path.join(homeFolder, 'processes.json')
  }

  add(name: string, pid: number): void {
    const identity = processIdentity(pid)
    if (identity === undefined) return
    this.#records.set(pid, { name, pid, identity })
    this.#write()
  }

  /** It has ended: its number may go to a stranger. */
  remove(pid: number): void {
    if (this.#records.delete(pid)) this.#write()
  }

  #write(): void {
    const temporary = `${this.#file}.new`
    try {
      writeFileSync(temporary, JSON.stringify(Object.fromEntries(this.#records)), { mode: 0o600 })
      renameSync(temporary, this.#file)
    } catch {
      // A full disk ends no supervisor: its services end by themselves when it dies, and the list is only there for those that do not.
    }
  }

  /** Those of the list on disk that still run. */
  static running(homeFolder: string): ProcessRecord[] {
    let records: Record<string, ProcessRecord>
    try {
      records = JSON.parse(readFileSync(path.join(homeFolder, 'processes.json'), 'utf8')) as Record<string, ProcessRecord>
    } catch {
      // None was ever written here, or it is not readable: then there is nobody to wait for.
      return []
    }
    return Object.values(records).filter(stillRuns)
  }
}

/**
 * Waits until the services of a killed supervisor have ended, as they do by themselves when its channel closes; ends those that
 * take longer than `patienceMs`. Call it with the lock held.
 */
export async function endLeftovers(homeFolder: string, patienceMs: number): Promise<number> {
  const left = ProcessList.running(homeFolder)
  const end = Date.now() + patienceMs
  while (left.some(stillRuns) && Date.now() < end) await sleep(20)
  for (const record of left.filter(stillRuns)) {
    try {
      process.kill(record.pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  while (left.some(stillRuns)) await sleep(20)
  return left.length
}
