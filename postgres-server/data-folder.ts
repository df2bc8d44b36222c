import { randomBytes, randomInt } from 'node:crypto'
import { chown, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import type { PostgresBinaries } from './binaries.ts'
import { PostgresStartError } from './errors.ts'
import { stopLeftover } from './orphans.ts'
import type { RunAs } from './run-as.ts'

/** What must outlive a run and is not in the data folder itself. Kept beside it, readable by its owner alone. */
export interface ServerRecord {
  superuser: string
  password: string
  port: number
}

function recordFile(dataFolder: string): string {
  return `${dataFolder}-server.json`
}

export async function readRecord(dataFolder: string): Promise<ServerRecord | undefined> {
  let text: string
  try {
    text = await readFile(recordFile(dataFolder), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return JSON.parse(text) as ServerRecord
}

/** Replaces the record in one step: after a crash the old one or the new one is there, whole. */
export async function writeRecord(dataFolder: string, record: ServerRecord): Promise<void> {
  await writePrivate(`${recordFile(dataFolder)}.new`, `${JSON.stringify(record, null, 2)}\n`)
  await rename(`${recordFile(dataFolder)}.new`, recordFile(dataFolder))
}

async function writePrivate(file: string, text: string): Promise<void> {
  await rm(file, { force: true })
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Makes the data folder where there is none, and gives its record. The folder is made under another name and renamed, so that a
 * run killed in the middle leaves nothing that looks like data. Throws PostgresStartError where what is there cannot be used.
 */
export async function prepareDataFolder(dataFolder: string, binaries: PostgresBinaries, runAs: RunAs): Promise<ServerRecord> {
  const version = await readFile(path.join(dataFolder, 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new PostgresStartError(`The data folder ${dataFolder} cannot be read.`, { cause: error })
  })
  const record = await readRecord(dataFolder)
  if (version !== undefined) {
    if (version.trim() !== majorVersion)
      throw new PostgresStartError(`The data folder ${dataFolder} is of PostgreSQL ${version.trim()}, the programs are ${majorVersion}.`)
    if (!record)
      throw new PostgresStartError(
        `The data folder ${dataFolder} is there but its password is not (${recordFile(dataFolder)}). Restore that file.`,
      )
    return record
  }
  // Written before the folder gets its name: data whose password nobody knows cannot come to be.
  const fresh = record ?? { superuser: 'postgres', password: randomBytes(24).toString('base64url'), port: await findFreePort() }
  if (!record) await writeRecord(dataFolder, fresh)
  await initialise(dataFolder, fresh, binaries, runAs)
  return fresh
}

const majorVersion = '18'

async function initialise(dataFolder: string, record: ServerRecord, binaries: PostgresBinaries, runAs: RunAs): Promise<void> {
  await removeUnfinished(dataFolder)
  // A name of its own: the initdb of a killed owner may still be writing to the folder it was given.
  const unfinished = `${dataFolder}${unfinishedMark}${randomBytes(4).toString('hex')}`
  const passwordFile = `${unfinished}.password`
  await mkdir(unfinished, { mode: 0o700 })
  try {
    await writePrivate(passwordFile, `${record.password}\n`)
    if (runAs.owner) {
      await chown(unfinished, runAs.owner.uid, runAs.owner.gid)
      await chown(passwordFile, runAs.owner.uid, runAs.owner.gid)
    }
    // The builtin locale sorts and folds the same way on every machine, whatever its C library has.
    const parameters = [
      `--pgdata=${unfinished}`,
      `--username=${record.superuser}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
    ]
    const child = runAs.spawn(binaries.initdb, parameters, { stdio: ['ignore', 'pipe', 'pipe'], cwd: path.dirname(dataFolder) })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (output = (output + chunk.toString('utf8')).slice(-8_000)))
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    if (code !== 0) throw new PostgresStartError(`initdb could not make the data folder ${dataFolder}:\n${output.trim()}`)
    await rename(unfinished, dataFolder).catch((error: unknown) => {
      throw new PostgresStartError(`The data folder ${dataFolder} is in the way: it is not empty and holds no database.`, { cause: error })
    })
  } finally {
    await rm(passwordFile, { force: true })
  }
}

const unfinishedMark = '.unfinished-'

async function removeUnfinished(dataFolder: string): Promise<void> {
  const parent = path.dirname(dataFolder)
  for (const name of await readdir(parent)) {
    if (!name.startsWith(path.basename(dataFolder) + unfinishedMark)) continue
    await stopLeftover(path.join(parent, name))
    // What cannot be removed because it is still being written is removed at the next start.
    await rm(path.join(parent, name), { recursive: true, force: true }).catch(() => undefined)
  }
}

/** Below the range that systems give to outgoing connections, so that it is still free at the next start. */
export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const port = randomInt(20_000, 32_000)
    if (await isFree(port)) return port
  }
  throw new PostgresStartError('No free port was found on 127.0.0.1.')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
