import type pg from 'pg'
import { openPostgresEventLog, type EventLog } from '@maru/event-log'
import { TokenVerifier } from './authentication.ts'
import { createPool, migrate, waitForDatabase } from './database.ts'
import type { Discovery } from './discovery/port.ts'
import { createHttpService, type HttpService } from './http.ts'
import { keysFromUserService } from './key-source.ts'
import type { Logger } from './logger.ts'
import { exposeBuild, exposeLog, exposePools, LogHeads, LogMeter, type LogFigures, type MetricsRegistry } from './metrics.ts'
import { runProcess, type ProcessContext, type RunningProcess } from './process.ts'
import { schemaOf } from './names.ts'
import { followRevocations } from './revocation.ts'
import type { Tracing } from './tracing/tracing.ts'
import { commonSettings, type Environment, type Values } from './settings.ts'

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
  readonly tracing: Tracing
  /** Where the service shows what it measures. */
  readonly metrics: MetricsRegistry
  /** Shows also what another thread of this process does with the log. */
  measureLog(figures: () => LogFigures): void
  readonly environment: Environment
  /** Aborts when the process is asked to stop. */
  readonly shutdown: AbortSignal
  /** Ends the process with an exit code after an orderly stop: for faults that a restart mends. */
  fail(reason: string, error: unknown): void
}

export interface StartedService extends AsyncDisposable {
  /** Undefined when requests can be served; else why not. Shown at `/health/ready`. */
  notReady?(): string | undefined
  /** What this instance can do beside what its host knows, in short words; see `Instance.capabilities`. */
  capabilities?: readonly string[]
}

export interface ServiceDefinition {
  service: string
  /** Folder with numbered SQL, applied to the schema `schemaOf(service)`. */
  migrations?: string
  /** All that it stores comes from the log, with the positions up to which it does: its commits need not wait for the disk, see `createPool`. */
  isDerived?: true
  /** Topics whose records are not announced to other processes; see `quietTopics` of the event log. */
  quietTopics?: readonly string[]
  start(context: ServiceContext): Promise<StartedService>
}

/** Requests in flight have this long to finish when a service stops; streams are cut off then. */
const inFlightMaxMs = 5_000

/** Runs a service as this process until it is asked to stop; never returns. */
export function runService(definition: ServiceDefinition): Promise<void> {
  return runProcess(definition.service, commonSettings, (context) => startService(definition, context))
}

async function startService(
  definition: ServiceDefinition,
  context: ProcessContext<Values<typeof commonSettings>>,
): Promise<RunningProcess> {
  const { service, instanceId, logger, tracing, discovery, settings, shutdown } = context
  await using resources = new AsyncDisposableStack()
  const pool = createPool(settings.DATABASE_URL, {
    applicationName: instanceId,
    asyncCommit: definition.isDerived === true,
    onError: (error) => logger.warn({ err: error }, 'idle database connection lost'),
  })
  resources.defer(() => pool.end())
  await waitForDatabase(pool, 30_000)
  if (definition.migrations) await migrate(pool, schemaOf(service), definition.migrations)
  const meter = new LogMeter()
  const log = resources.use(
    await openPostgresEventLog({
      connectionString: settings.DATABASE_URL,
      applicationName: instanceId,
      observer: meter,
      quietTopics: definition.quietTopics ?? [],
    }),
  )
  const verifier = new TokenVerifier(keysFromUserService(discovery))
  followRevocations({ discovery, logger, signal: shutdown, onRevoked: (before) => verifier.revoke(before) })
  const http = createHttpService({
    logger,
    verifier,
    strictReplies: settings.MARU_STRICT_REPLIES === 'yes',
    parser: settings.MARU_HTTP_PARSER,
    tracing,
  })
  const { environment, version, fail } = context
  const { metrics } = http
  const figures: (() => LogFigures)[] = [() => meter]
  exposeBuild(metrics, { service, version })
  exposePools(metrics, new Map([['service', pool]]))
  exposeLog(metrics, () => figures.map((read) => read()), new LogHeads(log))
  const started = resources.use(
    await definition.start({
      service,
      instanceId,
      version,
      logger,
      pool,
      databaseUrl: settings.DATABASE_URL,
      log,
      discovery,
      http,
      verifier,
      tracing,
      metrics,
      measureLog: (read) => void figures.push(read),
      environment,
      shutdown,
      fail,
    }),
  )
  const notReady = () => (shutdown.aborted ? 'stopping' : started.notReady?.())
  http.app.get('/health/live', () => ({ status: 'live' }))
  http.app.get('/health/ready', (_request, reply) => {
    const reason = notReady()
    const answer = reason === undefined ? { status: 'ready' } : { status: 'not_ready', reason }
    return reply.code(reason === undefined ? 200 : 503).send({ ...answer, instance: context.describe() })
  })
  const url = await http.app.listen({ host: settings.MARU_HOST, port: settings.MARU_PORT })
  // Requests end first, then what they use, in the reverse order of its making.
  resources.defer(() => http.stop(inFlightMaxMs))
  const owned = resources.move()
  const capabilities = [...http.capabilities(), ...(started.capabilities ?? [])]
  return { url, notReady, capabilities, work: () => http.work(), stop: () => owned.disposeAsync() }
}
