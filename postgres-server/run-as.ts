import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { chmod, chown, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { PostgresStartError } from './errors.ts'

const run = promisify(execFile)

/** How PostgreSQL's programs are started: it refuses to run as root, so root starts them as another user. */
export interface RunAs {
  /** The user who owns the data folder; undefined where it is simply ours. */
  readonly owner: { uid: number; gid: number } | undefined
  spawn(command: string, parameters: readonly string[], options: SpawnOptions): ChildProcess
}

/** Language and time zone are fixed, so that messages can be recognised; nothing else of our environment is handed on. */
const environment = { PATH: process.env['PATH'], SystemRoot: process.env['SystemRoot'], LC_ALL: 'C', TZ: 'UTC' }

/**
 * Decides who runs the server for `dataFolder`: ourselves; or, for root, the owner of the folder where it exists, else the system user
 * `postgres`, made when missing. Its way to the program and to the folder is checked; throws PostgresStartError where there is none.
 */
export async function chooseUser(dataFolder: string, program: string, warn: (message: string) => void): Promise<RunAs> {
  const folder = await stat(dataFolder).catch(() => undefined)
  const ownUid = process.getuid?.()
  if (ownUid !== 0) {
    if (folder && ownUid !== undefined && folder.uid !== ownUid)
      throw new PostgresStartError(
        `The data folder ${dataFolder} belongs to user ${folder.uid}; start as that user, or choose another folder.`,
      )
    return { owner: undefined, spawn: (command, parameters, options) => spawn(command, parameters, { ...options, env: environment }) }
  }
  const owner = folder && folder.uid !== 0 ? { uid: folder.uid, gid: folder.gid } : await systemUser()
  await openParent(path.dirname(dataFolder), owner)
  const plain: RunAs = {
    owner,
    spawn: (command, parameters, options) => spawn(command, parameters, { ...options, ...owner, env: environment }),
  }
  if (await reaches(plain, program, path.dirname(dataFolder))) return plain
  // A clone below /root or a private temporary folder: let the server pass closed folders instead of opening them to everyone.
  for (const capability of ['dac_read_search', 'dac_override']) {
    const passing = withCapability(owner, capability)
    if (!(await reaches(passing, program, path.dirname(dataFolder)))) continue
    warn(
      `PostgreSQL runs as user ${owner.uid} with the capability ${capability}: a folder above ${dataFolder} or ${program} is closed to that user.`,
    )
    return passing
  }
  const closed = (await closedFolder(program)) ?? (await closedFolder(dataFolder)) ?? dataFolder
  throw new PostgresStartError(
    `PostgreSQL does not run as root, and user ${owner.uid}, which is used instead, cannot enter ${closed}. ` +
      `Allow it (chmod o+x ${closed}), use another place, or start as an ordinary user.`,
  )
}

function withCapability(owner: { uid: number; gid: number }, capability: string): RunAs {
  const prefix = [
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    '--clear-groups',
    `--inh-caps=+${capability}`,
    `--ambient-caps=+${capability}`,
    '--',
  ]
  return {
    owner,
    spawn: (command, parameters, options) => spawn('setpriv', [...prefix, command, ...parameters], { ...options, env: environment }),
  }
}

async function systemUser(): Promise<{ uid: number; gid: number }> {
  const find = async () => ({
    uid: Number((await run('id', ['-u', 'postgres'])).stdout),
    gid: Number((await run('id', ['-g', 'postgres'])).stdout),
  })
  try {
    return await find()
  } catch {
    // It is made below.
  }
  try {
    await run('useradd', [
      '--system',
      '--user-group',
      '--no-create-home',
      '--home-dir',
      '/nonexistent',
      '--shell',
      '/usr/sbin/nologin',
      'postgres',
    ])
    return await find()
  } catch (error) {
    // Another process may have made it in the same moment.
    const made = await find().catch(() => undefined)
    if (made) return made
    throw new PostgresStartError(
      'PostgreSQL does not run as root and the system user postgres could not be made; make it, or start as an ordinary user.',
      { cause: error },
    )
  }
}

/** The folder that holds the data folder is private to us: only its group, which becomes that of the server, may pass through it. */
async function openParent(parent: string, owner: { uid: number; gid: number }): Promise<void> {
  const { uid, gid, mode } = await stat(parent)
  if (uid !== 0 || (mode & 0o001) !== 0 || (gid === owner.gid && (mode & 0o010) !== 0)) return
  await chown(parent, uid, owner.gid)
  await chmod(parent, (mode & 0o7700) | 0o010)
}

async function reaches(runAs: RunAs, program: string, folder: string): Promise<boolean> {
  const child = runAs.spawn('/bin/sh', ['-c', 'cd "$2" && "$1" --version', 'sh', program, folder], { stdio: 'ignore', cwd: '/' })
  return new Promise((resolve) => {
    child.on('error', () => resolve(false))
    child.on('exit', (code) => resolve(code === 0))
  })
}

async function closedFolder(file: string): Promise<string | undefined> {
  const parent = path.dirname(file)
  if (parent === file) return undefined
  const above = await closedFolder(parent)
  if (above !== undefined) return above
  const { mode } = await stat(parent)
  return (mode & 0o001) === 0 ? parent : undefined
}
