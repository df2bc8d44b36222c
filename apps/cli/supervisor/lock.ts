import { createHash } from 'node:crypto'
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
/** Holders come and go between a look and a claim; not so often. */
const attemptsMax = 100

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
    const holder = claim(candidate, file)
    if (holder) throw new HomeLockedError(homeFolder, holder)
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
    return holderOf(readFileSync(path.join(homeFolder, fileName), 'utf8'))
  } catch {
    return undefined
  }
}

/** The holder, if it lives. */
export function liveHolder(homeFolder: string): Holder | undefined {
  const holder = readHolder(homeFolder)
  return holder && stillRuns(holder) ? holder : undefined
}

/**
 * Makes `file` a link to `candidate`; gives its holder where one lives. A dead holder's is replaced, never removed, by whoever first claims the right to follow just that
 * holder: a file of its own, named after what the lock said, which is a lock like any other, as its holder may die too.
 */
function claim(candidate: string, file: string): Holder | undefined {
  for (let attempt = 1; ; attempt += 1) {
    try {
      // A link is made whole or not at all, so that of two supervisors one wins.
      linkSync(candidate, file)
      return undefined
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > attemptsMax) throw error
    }
    const said = textOf(file)
    if (said === undefined) continue
    const holder = holderOf(said)
    if (holder && stillRuns(holder)) return holder
    const succession = `${file}.${createHash('sha256').update(said).digest('hex').slice(0, 16)}`
    const successor = claim(candidate, succession)
    if (successor) return successor
    // While the succession is held nobody else follows this holder; but somebody may have before it was.
    if (textOf(file) === said) {
      renameSync(succession, file)
      return undefined
    }
    rmSync(succession, { force: true })
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Undefined for what nobody that could be named has written. */
function holderOf(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder
    return typeof holder.pid === 'number' && typeof holder.identity === 'string' ? holder : undefined
  } catch {
    return undefined
  }
}

function releaseLock(homeFolder: string, mine: Holder): void {
  const holder = readHolder(homeFolder)
  if (holder?.pid === mine.pid && holder.identity === mine.identity) rmSync(path.join(homeFolder, fileName), { force: true })
}
