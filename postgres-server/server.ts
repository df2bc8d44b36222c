import { execFile, type ChildProcess } from 'node:child_process'
import { mkdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { findBinaries, type PostgresBinaries } from './binaries.ts'
import { findFreePort, prepareDataFolder, readRecord, writeRecord, type ServerRecord } from './data-folder.ts'
import { PostgresStartError } from './errors.ts'
import { endOrphans, readPidFile } from './orphans.ts'
import { chooseUser, type RunAs } from './run-as.ts'

export interface PostgresLogger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface PostgresOptions {
  /** Made on the first start. Its parent gets `<name>-server.json` (mode 600): the superuser's password and the port. */
  dataFolder: string
  /** A fixed port, refused when taken. By default one is chosen once and remembered; a new one is chosen where it is taken. */
  port?: number
  logger?: PostgresLogger
  /** Further settings of postgresql.conf, over the built-in ones. */
  settings?: Readonly<Record<string, string>>
  /** Longest wait for the server to take connections, recovery after a crash included. */
  startTimeoutMs?: number
}

export interface PostgresExit {
  code: number | null
  signal: NodeJS.Signals | null
  /** True after `stop` or `kill`. */
  expected: boolean
}

export interface PostgresServer extends AsyncDisposable {
  /** postgres://superuser:password@127.0.0.1:port/postgres, with `?host=FOLDER` where it is also to be reached by a socket of this machine. A secret. */
  readonly adminUrl: string
  readonly port: number
  readonly pid: number
  /** Ends sessions, writes all out, ends. Harder means follow where that takes too long. */
  stop(): Promise<PostgresExit>
  /** SIGKILL to the postmaster, as a crash would be. */
  kill(): Promise<PostgresExit>
  /** Resolves when the server has ended, for whatever reason. Never rejects. */
  readonly exited: Promise<PostgresExit>
}

/** Small enough for a laptop; durable: a commit that is acknowledged has been flushed. */
const builtInSettings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  // Up to eight instances of each service, each with about ten connections.
  max_connections: '500',
  shared_buffers: '64MB',
  max_wal_size: '512MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  fsync: 'on',
  synchronous_commit: 'on',
  password_encryption: 'scram-sha-256',
  io_method: 'sync',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  // Statements may hold passwords or personal data: an error is logged without its statement.
  log_min_error_statement: 'panic',
  idle_in_transaction_session_timeout: '5min',
}

/** A path of a socket has at most so many bytes on every system that has them, the name that PostgreSQL gives it included. */
const socketPathMaxBytes = 100
const socketNameBytes = '/.s.PGSQL.65535.lock'.length

/** Where PostgreSQL listens beside TCP: in its data folder, which is its owner's alone. A round trip costs half of one by TCP. Undefined where there can be no socket. */
function socketFolderOf(dataFolder: string): string | undefined {
  const fits = Buffer.byteLength(dataFolder) + socketNameBytes <= socketPathMaxBytes
  // A list of folders is given, so a comma in one would part it.
  return process.platform !== 'win32' && fits && !dataFolder.includes(',') ? dataFolder : undefined
}

function urlOf(record: ServerRecord, port: number, dataFolder: string): string {
  const socketFolder = socketFolderOf(dataFolder)
  const host = socketFolder === undefined ? '' : `?host=${encodeURIComponent(socketFolder)}`
  return `postgres://${record.superuser}:${record.password}@127.0.0.1:${port}/postgres${host}`
}

/** The superuser's URL of the server that runs on a data folder. A secret. Throws PostgresStartError where the folder was never made. */
export async function adminUrlOf(dataFolder: string): Promise<string> {
  const record = await readRecord(dataFolder)
  if (!record) throw new PostgresStartError(`There is no record of a server beside ${dataFolder}.`)
  return urlOf(record, record.port, dataFolder)
}

/**
 * Runs real PostgreSQL 18 on 127.0.0.1 as a process of its own session (a Ctrl-C of the terminal does not reach it). What a killed
 * owner left running on the folder is stopped first. One owner at a time: the caller sees to that.
 * Throws PostgresStartError with what to do.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { logger, startTimeoutMs = 120_000 } = options
  const parent = path.dirname(path.resolve(options.dataFolder))
  await mkdir(parent, { recursive: true, mode: 0o700 })
  const dataFolder = path.join(await realpath(parent), path.basename(options.dataFolder))
  const binaries = await findBinaries()
  const runAs = await chooseUser(dataFolder, binaries.postgres, (message) => logger?.warn({}, message))
  const record = await prepareDataFolder(dataFolder, binaries, runAs)
  await endOrphans(dataFolder, (message) => logger?.info({}, message))
  const socketFolder = socketFolderOf(dataFolder)
  let port = options.port ?? record.port
  for (let tries = 1; ; tries++) {
    const started = await launch({
      dataFolder,
      binaries,
      runAs,
      port,
      settings: { ...builtInSettings, unix_socket_directories: socketFolder ?? '', ...options.settings },
      startTimeoutMs,
      ...(logger ? { logger } : {}),
    })
    if (!('failure' in started)) {
      if (port !== record.port) await writeRecord(dataFolder, { ...record, port })
      return serverOf(started, {
        port,
        dataFolder,
        binaries,
        adminUrl: urlOf(record, port, dataFolder),
      })
    }
    const portTaken = /Address already in use|could not create any TCP\/IP sockets/.test(started.failure)
    // Processes of a killed server may take a moment to leave their shared memory.
    const stillLeaving = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/.test(started.failure)
    if (tries >= 20 || (!portTaken && !stillLeaving) || (portTaken && options.port !== undefined))
      throw new PostgresStartError(`PostgreSQL did not start on port ${port} with ${dataFolder}:\n${started.failure}`)
    if (portTaken) {
      const next = await findFreePort()
      logger?.warn({ port, next }, 'the port of PostgreSQL is taken by another program; another is chosen')
      port = next
    } else await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

interface Launch {
  dataFolder: string
  binaries: PostgresBinaries
  runAs: RunAs
  port: number
  settings: Readonly<Record<string, string>>
  startTimeoutMs: number
  logger?: PostgresLogger
}

interface Running {
  child: ChildProcess
  pid: number
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** One try: until connections are taken, or with the last lines it said before it ended. */
async function launch(options: Launch): Promise<Running | { failure: string }> {
  const { dataFolder, binaries, runAs, port, settings, startTimeoutMs, logger } = options
  const parameters = [
    '-D',
    dataFolder,
    '-p',
    String(port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  const child = runAs.spawn(binaries.postgres, parameters, { stdio: ['ignore', 'ignore', 'pipe'], cwd: dataFolder, detached: true })
  const lastLines: string[] = []
  if (child.stderr)
    createInterface({ input: child.stderr }).on('line', (line) => {
      lastLines.push(line)
      if (lastLines.length > 30) lastLines.shift()
      report(line, logger)
    })
  const failed = new Promise<string>((resolve) => child.on('error', (error) => resolve(error.message)))
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    // Not `close`: processes that outlive their postmaster for a moment hold its standard error open.
    child.on('exit', (code, signal) => resolve({ code, signal }))
    child.on('error', () => resolve({ code: null, signal: null }))
  })
  const isReady = async () => {
    const file = await readPidFile(dataFolder)
    return file?.pid === child.pid && file?.status === 'ready'
  }
  let over = false
  void ended.then(() => (over = true))
  for (const end = Date.now() + startTimeoutMs; !over;) {
    if (await isReady()) return { child, pid: child.pid ?? 0, ended }
    if (Date.now() > end) {
      child.kill('SIGKILL')
      await ended
      return { failure: `It took no connections within ${startTimeoutMs} ms.\n${lastLines.join('\n')}` }
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const allRead = new Promise<string>((resolve) => child.on('close', () => resolve('')))
  const patience = new Promise<string>((resolve) => setTimeout(resolve, 200, ''))
  const reason = await Promise.race([failed, allRead, patience])
  return { failure: reason || lastLines.join('\n') || 'It ended without a word.' }
}

function report(line: string, logger: PostgresLogger | undefined): void {
  const severity = /\b(PANIC|FATAL|ERROR|WARNING|LOG|DETAIL|HINT):/.exec(line)?.[1]
  if (severity === 'PANIC') logger?.error({}, line)
  else if (severity === 'WARNING') logger?.warn({}, line)
  else logger?.debug({}, line)
}

function serverOf(
  running: Running,
  about: { port: number; dataFolder: string; binaries: PostgresBinaries; adminUrl: string },
): PostgresServer {
  const { child, pid } = running
  let expected = false
  const exited = running.ended.then((end) => ({ ...end, expected }))
  const endsWithin = (waitMs: number) => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), waitMs)))
    return Promise.race([exited.then(() => true), late]).finally(() => clearTimeout(timer))
  }
  const server: PostgresServer = {
    adminUrl: about.adminUrl,
    port: about.port,
    pid,
    exited,
    async stop() {
      expected = true
      if (process.platform === 'win32')
        await promisify(execFile)(about.binaries.pgCtl, ['stop', '-D', about.dataFolder, '-m', 'fast']).catch(() => child.kill())
      else child.kill('SIGINT')
      if (!(await endsWithin(15_000))) child.kill('SIGQUIT')
      if (!(await endsWithin(5_000))) child.kill('SIGKILL')
      return exited
    },
    async kill() {
      expected = true
      child.kill('SIGKILL')
      return exited
    },
    async [Symbol.asyncDispose]() {
      await server.stop()
    },
  }
  return server
}
