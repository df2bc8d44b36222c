import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { adminUrlOf, startPostgres } from '@maru/postgres-server'
import { inDatabase } from '@maru/service-host/bootstrap'
import { version } from '@maru/service-host/version'
import { dumpDatabase } from '../backup/dump.ts'
import { manifestName, sha256Of, type Manifest } from '../backup/manifest.ts'
import { readCliSettings, type CliSettings, type Environment } from '../config.ts'
import { liveHolder, takeLock } from '../supervisor/lock.ts'
import { openTerminal } from '../terminal.ts'

/** Of a run, not of what is kept; a file that is not named here is kept. */
const runFiles = ['supervisor.lock', 'processes.json', 'control.json', 'deployment.json', 'postgres-server.json']

/** `maru backup FOLDER`: all data and secrets of the platform as of one moment, whether it runs or not. 0 when the folder is there, whole. */
export async function backup(environment: Environment, parameters: readonly string[]): Promise<number> {
  const terminal = openTerminal()
  const { positionals } = parseArgs({ args: [...parameters], allowPositionals: true, options: {} })
  if (positionals.length !== 1) {
    terminal.note('backup: name the folder to make: maru backup FOLDER')
    return 64
  }
  const settings = readCliSettings(environment)
  const folder = path.resolve(positionals[0] as string)
  // Made under another name: what has the name is whole.
  const unfinished = `${folder}.unfinished-${randomBytes(4).toString('hex')}`
  try {
    await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      throw new Error(error.code === 'EEXIST' ? `${folder} is there already` : error.message, { cause: error })
    })
    await mkdir(unfinished, { mode: 0o700 })
    const manifest = await writeBackup(settings, unfinished)
    await rename(unfinished, folder)
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
    terminal.say(`Saved ${manifest.tables.length} tables, ${rows} rows, to ${folder}. It holds all secrets: keep it as such.`)
    return 0
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    // Only where it is empty: it was made above, or it is not ours.
    await rename(folder, unfinished).then(
      () => rm(unfinished, { recursive: true, force: true }),
      () => undefined,
    )
    terminal.note(`backup: ${(error as Error).message}`)
    return 1
  }
}

async function writeBackup(settings: CliSettings, folder: string): Promise<Manifest> {
  const { homeFolder } = settings
  await using database = await reachDatabase(settings)
  const client = new pg.Client({ connectionString: inDatabase(database.adminUrl, 'maru'), application_name: 'maru-backup' })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const dump = await dumpDatabase(client, folder)
    const files: Record<string, string> = {}
    await mkdir(path.join(folder, 'home'), { mode: 0o700 })
    for (const entry of await readdir(homeFolder, { withFileTypes: true })) {
      if (!entry.isFile() || runFiles.includes(entry.name) || !/\.(json|pem|key)$/.test(entry.name)) continue
      await copyFile(path.join(homeFolder, entry.name), path.join(folder, 'home', entry.name))
      files[entry.name] = await sha256Of(path.join(folder, 'home', entry.name))
    }
    const manifest: Manifest = { format: 1, created_at: new Date().toISOString(), version, ...dump, files }
    await writeFile(path.join(folder, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flush: true })
    return manifest
  } finally {
    await client.end()
  }
}

/** The database of a home: as it runs, or started for as long as it is needed. */
async function reachDatabase({ homeFolder, databaseUrl }: CliSettings): Promise<AsyncDisposable & { adminUrl: string }> {
  if (databaseUrl !== undefined) return { adminUrl: databaseUrl, [Symbol.asyncDispose]: () => Promise.resolve() }
  const dataFolder = path.join(homeFolder, 'postgres')
  await readFile(path.join(dataFolder, 'PG_VERSION')).catch((error: unknown) => {
    throw new Error(`${homeFolder} holds no database`, { cause: error })
  })
  if (liveHolder(homeFolder)) return { adminUrl: await adminUrlOf(dataFolder), [Symbol.asyncDispose]: () => Promise.resolve() }
  const lock = takeLock(homeFolder, 'a backup')
  const server = await startPostgres({ dataFolder }).catch((error: unknown) => {
    lock[Symbol.dispose]()
    throw error
  })
  return {
    adminUrl: server.adminUrl,
    async [Symbol.asyncDispose]() {
      await server.stop()
      lock[Symbol.dispose]()
    },
  }
}
