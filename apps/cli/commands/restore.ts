import { copyFile, chmod, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { ReaderStore } from '@maru/event-log'
import { startPostgres } from '@maru/postgres-server'
import { bootstrapDatabase, inDatabase } from '@maru/service-host/bootstrap'
import { createPool, migrate } from '@maru/service-host/database'
import { roleOf, schemaOf, serviceKeys } from '@maru/service-host/names'
import { loadDatabase } from '../backup/load.ts'
import { readBackup, type Manifest } from '../backup/manifest.ts'
import { readCliSettings, type CliSettings, type Environment } from '../config.ts'
import { ensureHome, ensureSecrets } from '../secrets.ts'
import { takeLock } from '../supervisor/lock.ts'
import { migrationsFolder } from '../supervisor/platform.ts'
import { openTerminal } from '../terminal.ts'

const database = 'maru'

/** `maru restore FOLDER`: a backup into a home folder that is empty or not there, and with DATABASE_URL into a server that has no database of Maru. 0 when all is there. */
export async function restore(environment: Environment, parameters: readonly string[]): Promise<number> {
  const terminal = openTerminal()
  const { positionals } = parseArgs({ args: [...parameters], allowPositionals: true, options: {} })
  if (positionals.length !== 1) {
    terminal.note('restore: name the folder of a backup: maru restore FOLDER')
    return 64
  }
  const settings = readCliSettings(environment)
  const { homeFolder } = settings
  const folder = path.resolve(positionals[0] as string)
  try {
    const inTheWay = await readdir(homeFolder).catch(() => [])
    if (inTheWay.length > 0)
      throw new Error(`${homeFolder} (MARU_HOME) is not empty; restore into a new folder, and nothing is written over`)
    const manifest = await readBackup(folder)
    try {
      await restoreInto(settings, folder, manifest)
    } catch (error) {
      // It was empty: what is in it is the half of a restore.
      for (const name of await readdir(homeFolder)) await rm(path.join(homeFolder, name), { recursive: true, force: true })
      throw error
    }
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
    terminal.say(
      `Restored ${manifest.tables.length} tables, ${rows} rows of ${manifest.created_at} into ${homeFolder}. npm start goes on from there.`,
    )
    return 0
  } catch (error) {
    terminal.note(`restore: ${(error as Error).message}`)
    return 1
  }
}

async function restoreInto({ homeFolder, databaseUrl }: CliSettings, folder: string, manifest: Manifest): Promise<void> {
  await ensureHome(homeFolder)
  using _lock = takeLock(homeFolder, 'a restore')
  for (const name of Object.keys(manifest.files)) {
    const file = path.join(homeFolder, path.basename(name))
    await copyFile(path.join(folder, 'home', path.basename(name)), file)
    await chmod(file, 0o600)
  }
  const secrets = await ensureSecrets(homeFolder, serviceKeys.map(roleOf))
  await using server = databaseUrl === undefined ? await startPostgres({ dataFolder: path.join(homeFolder, 'postgres') }) : undefined
  const adminUrl = databaseUrl ?? server?.adminUrl ?? ''
  if (databaseUrl !== undefined) await expectNoDatabase(databaseUrl)
  const urls = await bootstrapDatabase({ adminUrl, passwords: secrets.rolePasswords })
  try {
    for (const service of serviceKeys) {
      const migrations = migrationsFolder(service)
      if (migrations === undefined) continue
      const pool = createPool(urls[service], { applicationName: 'maru-restore', onError: () => undefined })
      try {
        await migrate(pool, schemaOf(service), migrations)
        // Readers of the log make their tables by themselves when they first run; what this puts in them is emptied with the rest.
        if (manifest.tables.some(({ schema, table }) => schema === schemaOf(service) && table === 'log_positions'))
          await new ReaderStore({ pool, schema: schemaOf(service), name: 'restore', topic: 'restore' }).install()
      } finally {
        await pool.end()
      }
    }
    await withClient(inDatabase(adminUrl, database), (client) => loadDatabase(client, folder, manifest))
  } catch (error) {
    if (databaseUrl !== undefined)
      await withClient(adminUrl, (client) => client.query(`drop database if exists ${database}`)).catch(() => undefined)
    throw error
  }
}

async function expectNoDatabase(adminUrl: string): Promise<void> {
  const { rowCount } = await withClient(adminUrl, (client) => client.query('select from pg_database where datname = $1', [database]))
  if (rowCount !== 0) throw new Error(`the server of DATABASE_URL has a database "${database}" already; nothing is written over`)
}

async function withClient<Result>(connectionString: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString, application_name: 'maru-restore' })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
