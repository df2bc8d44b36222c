import { execFile } from 'node:child_process'
import { readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { PostgresStartError } from './errors.ts'

const run = promisify(execFile)

export interface PidFile {
  pid: number
  port: number | undefined
  /** `starting`, `ready`, `stopping`. */
  status: string | undefined
}

/** What `postmaster.pid` says, or undefined where there is none or it is only half written. */
export async function readPidFile(dataFolder: string): Promise<PidFile | undefined> {
  const text = await readFile(path.join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => '')
  const lines = text.split('\n')
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  const port = Number(lines[3])
  return { pid, port: Number.isInteger(port) && port > 0 ? port : undefined, status: lines[7]?.trim() }
}

/**
 * Ends what an earlier, killed owner left behind on this data folder: a postmaster is asked to stop and in the end killed; processes
 * whose postmaster is dead are killed, which loses nothing that was acknowledged. Only processes that stand in the folder are touched.
 */
export async function endOrphans(dataFolder: string, info: (message: string) => void): Promise<void> {
  const folder = await realpath(dataFolder)
  const pidFile = await readPidFile(folder)
  if (pidFile && (await isServerOf(pidFile.pid, folder))) {
    info(`A PostgreSQL left by an earlier run (pid ${pidFile.pid}) holds the data folder; it is stopped.`)
    await endPostmaster(pidFile.pid, folder)
  } else if (pidFile && isAlive(pidFile.pid)) {
    // The number belongs to someone else by now; PostgreSQL could not tell and would refuse to start.
    await rm(path.join(folder, 'postmaster.pid'), { force: true })
  }
  for (const pid of await serversOf(folder)) signal(pid, 'SIGKILL')
  await until(async () => (await serversOf(folder)).length === 0, 5_000)
}

/** Stops what a killed owner left running on the folder, without starting anew. Nothing where there is no such folder. */
export async function stopLeftover(dataFolder: string): Promise<void> {
  const isFolder = await stat(dataFolder).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isFolder) await endOrphans(dataFolder, () => undefined)
}

async function endPostmaster(pid: number, folder: string): Promise<void> {
  const steps = [
    { name: 'SIGINT', waitMs: 10_000 },
    { name: 'SIGQUIT', waitMs: 5_000 },
    { name: 'SIGKILL', waitMs: 5_000 },
  ] as const
  for (const { name, waitMs } of steps) {
    signal(pid, name)
    if (await until(async () => !(await isServerOf(pid, folder)), waitMs)) return
  }
  throw new PostgresStartError(`PostgreSQL with pid ${pid} holds the data folder ${folder} and does not end.`)
}

async function isServerOf(pid: number, folder: string): Promise<boolean> {
  if (process.platform !== 'linux') {
    const { stdout } = await run('ps', ['-p', String(pid), '-o', 'command=']).catch(() => ({ stdout: '' }))
    return stdout.includes('postgres') && stdout.includes(folder)
  }
  try {
    const [program, place, status] = await Promise.all([
      readlink(`/proc/${pid}/exe`),
      readlink(`/proc/${pid}/cwd`),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ])
    return path.basename(program).startsWith('postgres') && place === folder && !status.includes(') Z ')
  } catch {
    return false // Gone, or not ours to look at.
  }
}

/** Server processes of the folder, found by the folder they stand in; known on Linux only. */
async function serversOf(folder: string): Promise<number[]> {
  if (process.platform !== 'linux') return []
  const pids = (await readdir('/proc')).map(Number).filter((pid) => Number.isInteger(pid))
  const found = await Promise.all(pids.map(async (pid) => ((await isServerOf(pid, folder)) ? pid : 0)))
  return found.filter((pid) => pid !== 0)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Whether the condition came true within the time. */
export async function until(condition: () => Promise<boolean>, waitMs: number): Promise<boolean> {
  for (const end = Date.now() + waitMs; ;) {
    if (await condition()) return true
    if (Date.now() > end) return false
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
