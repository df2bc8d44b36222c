import type { WorkUnderWay } from './discovery/load-meter.ts'
import type { Discovery } from './discovery/port.ts'
import { openDiscovery } from './discovery/open.ts'
import { Self, type SelfDescription } from './discovery/self.ts'
import type { DiscoverySetting } from './discovery/setting.ts'
import { createInstanceId } from './instance-id.ts'
import { createLogger, type Logger } from './logger.ts'
import { openTracing } from './tracing/open.ts'
import type { TracingSettings } from './tracing/settings.ts'
import type { Tracing } from './tracing/tracing.ts'
import { discoverySettings, readSettings, SettingsError, type Environment, type Parser, type Values } from './settings.ts'
import { version } from './version.ts'

/** What every process of the platform has, the gateway included. */
export interface ProcessContext<Settings> {
  readonly service: string
  readonly instanceId: string
  readonly version: string
  readonly logger: Logger
  readonly tracing: Tracing
  readonly discovery: Discovery
  /** What this process is and how busy, for `/health/ready`. */
  readonly describe: () => SelfDescription
  readonly settings: Settings
  readonly environment: Environment
  /** Aborts when the process is asked to stop. */
  readonly shutdown: AbortSignal
  /** Ends the process with an exit code after an orderly stop: for faults that a restart mends. */
  fail(reason: string, error: unknown): void
}

export interface RunningProcess {
  /** Where requests are taken, as announced. */
  url: string
  /** Where `/metrics` is read, if not at `url`. */
  metricsUrl?: string
  /** Undefined when requests can be served; else why not. */
  notReady(): string | undefined
  /** What it can do, in short words, for others to choose by; see `Instance.capabilities`. */
  capabilities?: readonly string[]
  /** What is under way in it, announced as its load. */
  work?: () => WorkUnderWay
  /** Finishes what is in flight, bounded, and closes everything. Called once, after the announcement was withdrawn. */
  stop(): Promise<void>
}

/** Exit codes of sysexits.h: settings at fault; an internal error. */
const exitSettings = 78
const exitInternal = 70
/** After this a stop that hangs is ended. Longer than the time given to requests in flight. */
const stopMaxMs = 10_000
/** Beyond the notice that discovery gives: time for what the gateway sent before it heard that this instance has left. */
const lingerMs = 50
const readyPollMs = 50
const watchPollMs = 250

type BaseShape = Record<'DATABASE_URL' | 'MARU_LOG_LEVEL', Parser<string>> &
  Record<'MARU_INSTANCE_ID', Parser<string | undefined>> & { [Name in keyof TracingSettings]: Parser<TracingSettings[Name]> }

/**
 * Runs `start` as this process until it is asked to stop: SIGTERM, SIGINT, or the end of the supervisor (IPC disconnect). A
 * second SIGTERM ends it at once. Announces it in discovery, first as `starting`, as `ready` once `notReady` says nothing.
 * The only caller of `process.exit`.
 */
export async function runProcess<Shape extends BaseShape>(
  service: string,
  shape: Shape,
  start: (context: ProcessContext<Values<Shape>>) => Promise<RunningProcess>,
): Promise<void> {
  const environment: Environment = process.env
  let settings: Values<Shape>
  let setting: DiscoverySetting
  try {
    const all = readSettings(environment, { ...shape, ...discoverySettings(environment) })
    settings = all as Values<Shape>
    setting = all.MARU_DISCOVERY as DiscoverySetting
  } catch (error) {
    return exitForSettings(error)
  }
  const base = settings as Values<BaseShape>
  const instanceId = base.MARU_INSTANCE_ID ?? createInstanceId(service)
  const tracing = await openTracing(base, { service, instanceId, version })
  const logger = createLogger({ service, instanceId, level: base.MARU_LOG_LEVEL, tracing })
  const stop = new AbortController()
  let exitCode = 0
  listenForStop(stop, logger)
  const fail = (reason: string, error: unknown): void => {
    logger.fatal({ err: error }, reason)
    exitCode = 1
    stop.abort()
  }
  stop.signal.addEventListener('abort', () => {
    setTimeout(() => {
      logger.fatal('did not stop in time')
      process.exit(1)
    }, stopMaxMs).unref()
  })

  try {
    await using discovery = await reachDiscovery({ setting, connectionString: base.DATABASE_URL, logger }, stop.signal)
    using self = new Self({ service, id: instanceId, version })
    const describe = () => self.describe()
    const shutdown = stop.signal
    const running = await start({
      service,
      instanceId,
      version,
      logger,
      tracing,
      discovery,
      describe,
      settings,
      environment,
      shutdown,
      fail,
    })
    self.capabilities = running.capabilities ?? []
    if (running.work) self.work = running.work
    await serveUntilStopped(self, running, discovery, logger, shutdown)
  } catch (error) {
    if (error instanceof SettingsError) return exitForSettings(error)
    logger.fatal({ err: error }, 'could not run')
    exitCode = 1
  }
  await tracing.close()
  process.exit(exitCode)
}

function exitForSettings(error: unknown): never {
  if (!(error instanceof SettingsError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exit(exitSettings)
}

function listenForStop(stop: AbortController, logger: Logger): void {
  const supervised = process.connected
  process.on('SIGTERM', () => {
    if (stop.signal.aborted) {
      logger.warn('asked to stop twice: ending at once')
      process.exit(1)
    }
    stop.abort()
  })
  process.on('SIGINT', () => {
    // Ctrl-C reaches the whole terminal group; a supervisor decides in which order its services stop.
    if (!supervised) stop.abort()
  })
  // Started by a supervisor, a process ends with it: an orphan would hold its port and its leases.
  if (supervised) process.on('disconnect', () => stop.abort())
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaught exception')
    process.exit(exitInternal)
  })
}

/** What it stands on may still be starting: tries for 30 s. */
async function reachDiscovery(options: Parameters<typeof openDiscovery>[0], signal: AbortSignal): Promise<Discovery> {
  const endMs = performance.now() + 30_000
  for (let delayMs = 50; ; delayMs = Math.min(delayMs * 2, 1_000)) {
    try {
      return await openDiscovery(options)
    } catch (error) {
      if (signal.aborted || performance.now() + delayMs > endMs) throw error
      await wait(delayMs, signal)
    }
  }
}

async function serveUntilStopped(
  self: Self,
  running: RunningProcess,
  discovery: Discovery,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const announced = discovery
    .announce(self.announcement(running.url, 'starting'), () => self.load())
    .then(async (announcement) => {
      await keepState(announcement.setState, self, running, logger, signal)
      return announcement
    })
  // A failure shows itself below, when the process stops; until then the loop of discovery goes on trying.
  announced.catch(() => undefined)
  await aborted(signal)
  logger.info('stopping')
  try {
    // Who asks this instance itself hears it from here.
    self.turned('draining')
    const announcement = await Promise.race([announced, wait(1_000)])
    await announcement?.withdraw()
    await wait(discovery.noticeMs + lingerMs)
  } catch (error) {
    logger.warn({ err: error }, 'could not withdraw')
  }
  await running.stop()
}

/** Tells the supervisor and discovery when the process becomes ready, and discovery when that changes; until `signal` aborts. */
async function keepState(
  setState: (state: 'starting' | 'ready') => Promise<void>,
  self: Self,
  running: RunningProcess,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  let shown: 'starting' | 'ready' = 'starting'
  let told = false
  while (!signal.aborted) {
    const reason = running.notReady()
    const state = reason === undefined ? 'ready' : 'starting'
    if (state !== shown) {
      shown = state
      self.turned(state)
      logger.info({ url: running.url, reason }, state === 'ready' ? 'ready' : 'not ready')
      // While the database is away this waits; the announcement is renewed with the newest state once it is back.
      setState(state).catch((error: unknown) => logger.warn({ err: error }, 'could not announce the state'))
      if (state === 'ready' && !told) {
        told = true
        process.send?.(
          { type: 'ready', url: running.url, metricsUrl: running.metricsUrl ?? running.url },
          undefined,
          undefined,
          () => undefined,
        )
      }
    }
    await wait(told ? watchPollMs : readyPollMs, signal)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Resolves after `durationMs`, or when `signal` aborts. */
function wait(durationMs: number, signal?: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      resolve(undefined)
    }
    const timer = setTimeout(finish, durationMs)
    if (signal?.aborted) finish()
    else signal?.addEventListener('abort', finish, { once: true })
  })
}
