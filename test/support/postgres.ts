import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { startPostgres, stopLeftover, type PostgresServer } from '@maru/postgres-server'
import { bootstrapDatabase, closeDatabase, inDatabase, urlsOf } from '@maru/service-host/bootstrap'
import { roleOf, serviceKeys, type ServiceKey } from '@maru/service-host/names'

/** Real PostgreSQL for tests: one server a run (see postgres-global.ts), one fresh database a call. */

export interface TestDatabase extends AsyncDisposable {
  /** Superuser, in this database. */
  readonly adminUrl: string
  /** Connection string of each service, with its own role. */
  readonly urls: Record<ServiceKey, string>
}

export interface TestServer extends TestDatabase {
  /** The server that runs now; replaced by `start`. */
  readonly server: PostgresServer
  /** SIGKILL to the postmaster; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts it again on the same port and data. */
  start(): Promise<void>
}

interface SharedServer {
  adminUrl: string
  passwords: Record<string, string>
  /** A stopped server with everything in it, to be copied: making one takes twenty times as long. */
  pristineFolder: string
}

const sharedServerVariable = 'MARU_TEST_POSTGRES'
const template = 'maru_template'

/**
 * A database of its own with roles, schemas, event log and discovery, on the server shared by the run; dropped when disposed of.
 * The shared server does not flush to disk: what a test says about durability takes `startTestServer`.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  const shared = sharedServer()
  if (!shared) throw new Error('There is no shared PostgreSQL: run the test by vitest with the configuration at the root.')
  const { adminUrl, passwords } = shared
  const database = `maru_${process.pid}_${randomBytes(4).toString('hex')}`
  await administer(adminUrl, async (admin) => {
    await admin.query(`create database ${database} template ${template}`)
    await closeDatabase(admin, database)
  })
  return {
    adminUrl: inDatabase(adminUrl, database),
    urls: urlsOf(adminUrl, passwords, database),
    [Symbol.asyncDispose]: () =>
      administer(adminUrl, async (admin) => void (await admin.query(`drop database if exists ${database} with (force)`))),
  }
}

/** A whole server of its own with the settings of production, for tests that kill it. Works outside a test run too. */
export async function startTestServer(): Promise<TestServer> {
  const folder = await makeFolder()
  const dataFolder = path.join(folder, 'postgres')
  const shared = sharedServer()
  if (shared) await copyServer(shared.pristineFolder, folder)
  let server = await startPostgres({ dataFolder })
  const passwords = shared?.passwords ?? randomPasswords()
  const urls = shared ? urlsOf(server.adminUrl, passwords, 'maru') : await bootstrapDatabase({ adminUrl: server.adminUrl, passwords })
  return {
    get server() {
      return server
    },
    adminUrl: inDatabase(server.adminUrl, 'maru'),
    urls,
    async kill() {
      await server.kill()
    },
    async start() {
      server = await startPostgres({ dataFolder, port: server.port })
    },
    async [Symbol.asyncDispose]() {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Starts the server shared by a run and names it in the environment that workers inherit. Returns how to end it. */
export async function startSharedServer(): Promise<() => Promise<void>> {
  await removeLeftovers()
  const folder = await makeFolder()
  const pristineFolder = path.join(folder, 'pristine')
  const dataFolder = path.join(folder, 'postgres')
  const settings = { fsync: 'off', full_page_writes: 'off', max_connections: '300' }
  const passwords = randomPasswords()
  const first = await startPostgres({ dataFolder, settings })
  for (const database of [template, 'maru']) await bootstrapDatabase({ adminUrl: first.adminUrl, passwords, database })
  await first.stop()
  await mkdir(pristineFolder)
  await copyServer(folder, pristineFolder)
  const server = await startPostgres({ dataFolder, settings })
  process.env[sharedServerVariable] = JSON.stringify({ adminUrl: server.adminUrl, passwords, pristineFolder } satisfies SharedServer)
  return async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

function sharedServer(): SharedServer | undefined {
  const text = process.env[sharedServerVariable]
  return text === undefined ? undefined : (JSON.parse(text) as SharedServer)
}

/** Owners and modes are kept, as the server insists on them. */
async function copyServer(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-a', path.join(from, 'postgres'), path.join(from, 'postgres-server.json'), to])
}

function randomPasswords(): Record<string, string> {
  return Object.fromEntries(serviceKeys.map((service) => [roleOf(service), randomBytes(16).toString('hex')]))
}

const folderPrefix = 'maru-test-'

function makeFolder(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), `${folderPrefix}${process.pid}-`))
}

/** A run that was killed leaves its server and its folder behind, under the process id it had. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(new RegExp(`^${folderPrefix}(\\d+)-`).exec(name)?.[1] ?? Number.NaN)
    if (Number.isNaN(pid) || isAlive(pid)) continue
    const folder = path.join(tmpdir(), name)
    await stopLeftover(path.join(folder, 'postgres'))
    await rm(folder, { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function administer(adminUrl: string, work: (admin: pg.Client) => Promise<void>): Promise<void> {
  const admin = new pg.Client({ connectionString: adminUrl, application_name: 'maru-test' })
  await admin.connect()
  try {
    await work(admin)
  } finally {
    await admin.end()
  }
}
