import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { processIdentity, stillRuns, type ProcessRecord } from './process-identity.ts'

/** Who holds a home folder. `url` is where its gateway answers, once the port is chosen. */
export interface Holder extends ProcessRecord {
  url: string
  startedAt: string
}

export interface HomeLock extends Disposable {
  /** Writes down where the gateway answers, for `maru status` and for who is refused the lock. */
  setUrl(url: string): void
}

export class HomeLockedError extends Error {
  override name = 'HomeLockedError'
  readonly holder: Holder

  constructor(homeFolder: string, holder: Holder) {
    super(
      `Maru already runs on ${homeFolder} (pid ${holder.pid}, ${holder.url}). ` +
        `Stop it with "npx maru stop", or run a second one with another MARU_HOME and MARU_PORT.`,
    )
    this.holder = holder
  }
}

const fileName = 'supervisor.lock'

/**
 * Takes the lock of a home folder for this process; the lock of a process that no longer runs is taken over.
 * Throws HomeLockedError while its holder lives.
 */
export function takeLock(homeFolder: string, url: string): HomeLock {
  const file = path.join(homeFolder, fileName)
  const identity = processIdentity(process.pid)
  if (identity === undefined) throw new Error('This process cannot see itself in the process table.')
  const mine: Holder = { pid: process.pid, identity, url, startedAt: new Date().toISOString() }
  const candidate = `${file}.${process.pid}`
  writeFileSync(candidate, JSON.stringify(mine), { mode: 0o600 })
  try {
    for (let attempt = 0; ; attempt += 1) {
      try {
        // A link is made whole or not at all, so that of two supervisors one wins.
        linkSync(candidate, file)
        break
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt >= 5) throw error
        const holder = readHolder(homeFolder)
        if (holder && stillRuns(holder)) throw new HomeLockedError(homeFolder, holder)
        removeStale(file, holder)
      }
    }
  } finally {
    rmSync(candidate, { force: true })
  }
  return {
    setUrl: (next) => {
      mine.url = next
      writeFileSync(candidate, JSON.stringify(mine), { mode: 0o600 })
      renameSync(candidate, file)
    },
    [Symbol.dispose]: () => releaseLock(homeFolder, mine),
  }
}

/** The holder written in the lock, whether it lives or not; undefined where there is none or it cannot be read. */
export function readHolder(homeFolder: string): Holder | undefined {
  try {
    const holder = JSON.parse(readFileSync(path.join(homeFolder, fileName), 'utf8')) as Holder
    return typeof holder.pid === 'number' && typeof holder.identity === 'string' ? holder : undefined
  } catch {
    // No lock, or half of one: nobody that could be named holds it.
    return undefined
  }
}

/** The holder, if it lives. */
export function liveHolder(homeFolder: string): Holder | undefined {
  const holder = readHolder(homeFolder)
  return holder && stillRuns(holder) ? holder : undefined
}

/** Moves a dead lock aside; puts it back if another supervisor has taken it over between the look and the move. */
function removeStale(file: string, judged: Holder | undefined): void {
  const aside = `${file}.stale.${process.pid}`
  try {
    renameSync(file, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  try {
    const moved = readFileSync(aside, 'utf8')
    if (judged !== undefined && (JSON.parse(moved) as Holder).pid !== judged.pid) linkSync(aside, file)
  } catch {
    // Not a lock that anyone could hold, or a third supervisor was quicker: the next attempt sees which.
  }
  rmSync(aside, { force: true })
}

function releaseLock(homeFolder: string, mine: Holder): void {
  const holder = readHolder(homeFolder)
  if (holder?.pid === mine.pid && holder.identity === mine.identity) rmSync(path.join(homeFolder, fileName), { force: true })
}
