import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { openPostgresEventLog, type EventLog } from '@maru/event-log'
import { TokenVerifier } from './authentication.ts'
import { createPool, migrate, waitForDatabase } from './database.ts'
import type { Discovery } from './discovery.ts'
import { openPostgresDiscovery } from './discovery-postgres.ts'
import { createHttpService, type HttpService } from './http.ts'
import { keysFromUserService } from './key-source.ts'
import { createLogger, type Logger } from './logger.ts'
import { commonSettings, readSettings, SettingsError, type Environment } from './settings.ts'

/** What a service is given to work with; it owns none of it and closes none of it. */
export interface ServiceContext {
  readonly service: string
  readonly instanceId: string
  readonly version: string
  readonly logger: Logger
  /** Connections with the role of this service; `search_path` is its schema. */
  readonly pool: pg.Pool
  readonly databaseUrl: string
  readonly log: EventLog
  readonly discovery: Discovery
  readonly http: HttpService
  readonly verifier: TokenVerifier
  readonly environment: Environment
  /** Aborts when the process is asked to stop. */
  readonly shutdown: AbortSignal
  /** Ends the process with an exit code after an orderly stop: for faults that a restart mends. */
  fail(reason: string, error: unknown): void
}

export interface StartedService extends AsyncDisposable {
  /** Undefined when requests can be served; else why not. Shown at `/health/ready`. */
  notReady?(): string | undefined
}

export interface ServiceDefinition {
  service: string
  /** Folder with numbered SQL, applied to the schema of the same name (dashes as underscores). */
  migrations?: string
  start(context: ServiceContext): Promise<StartedService>
}

export const version = '0.1.0'

/** Sortable by time, unique to one run of one process. */
export function createInstanceId(service: string): string {
  return `${service}-${Date.now().toString(36)}${randomBytes(4).toString('hex')}`
}

export function schemaOf(service: string): string {
  return service.replaceAll('-', '_')
}

/** Runs a service as this process until it is asked to stop. The only caller of `process.exit`. */
export async function runService(definition: ServiceDefinition): Promise<void> {
  const environment: Environment = process.env
  let settings
  try {
    settings = readSettings(environment, commonSettings)
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(78)
  }
  const { service } = definition
  const instanceId = settings.MARU_INSTANCE_ID ?? createInstanceId(service)
  const logger = createLogger({ service, instanceId, level: settings.MARU_LOG_LEVEL })
  const stop = new AbortController()
  let exitCode = 0
  const fail = (reason: string, error: unknown): void => {
    logger.fatal({ err: error }, reason)
    exitCode = 1
    stop.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())
  // Started by a supervisor, a service ends with it: an orphan would hold its port and its leases.
  if (process.connected) process.on('disconnect', () => stop.abort())
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaught exception')
    process.exit(70)
  })

  const pool = createPool(settings.DATABASE_URL, { applicationName: instanceId, onError: (error) => logger.warn({ err: error }, 'idle database connection lost') })
  try {
    await waitForDatabase(pool, 30_000)
    if (definition.migrations) await migrate(pool, schemaOf(service), definition.migrations)
    await using log = await openPostgresEventLog({ connectionString: settings.DATABASE_URL, applicationName: instanceId })
    await using discovery = await openPostgresDiscovery({ connectionString: settings.DATABASE_URL, logger })
    const verifier = new TokenVerifier(keysFromUserService(discovery))
    const http = createHttpService({ logger, verifier })
    await using started = await definition.start({ service, instanceId, version, logger, pool, databaseUrl: settings.DATABASE_URL, log, discovery, http, verifier, environment, shutdown: stop.signal, fail })
    http.app.get('/health/live', () => ({ status: 'live' }))
    http.app.get('/health/ready', (_request, reply) => {
      const reason = stop.signal.aborted ? 'stopping' : started.notReady?.()
      return reply.code(reason === undefined ? 200 : 503).send(reason === undefined ? { status: 'ready' } : { status: 'not_ready', reason })
    })
    const url = await http.app.listen({ host: settings.MARU_HOST, port: settings.MARU_PORT })
    const announcement = await discovery.announce({ id: instanceId, service, url, pid: process.pid, version, state: 'ready', startedAt: new Date().toISOString() })
    logger.info({ url }, 'ready')
    process.send?.({ type: 'ready', url })
    if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }))
    logger.info('stopping')
    await announcement.withdraw().catch((error: unknown) => logger.warn({ err: error }, 'could not withdraw'))
    await http.app.close()
  } catch (error) {
    logger.fatal({ err: error }, 'could not run')
    exitCode = 1
  }
  await pool.end().catch(() => undefined)
  process.exit(exitCode)
}
