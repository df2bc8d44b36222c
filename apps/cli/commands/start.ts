import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { bootstrapDatabase } from '@maru/service-host/bootstrap'
import { roleOf, serviceKeys, type ServiceKey } from '@maru/service-host/names'
import { readCliSettings, SettingsError, type CliSettings, type Environment } from '../config.ts'
import { ensureHome, ensureSecrets } from '../secrets.ts'
import { serveControl } from '../supervisor/control-server.ts'
import { runDatabase, type Database } from '../supervisor/database.ts'
import {
  inRelease,
  isService,
  parseReplicas,
  readDeployment,
  releaseFault,
  writeDeployment,
  type Deployment,
} from '../supervisor/deployment.ts'
import { holdPort } from '../supervisor/held-port.ts'
import { getJson } from '../supervisor/http.ts'
import { endLeftovers, ProcessList } from '../supervisor/leftovers.ts'
import { takeLock } from '../supervisor/lock.ts'
import { marketNotice } from '../supervisor/market-notice.ts'
import { untilMarketsOpen } from '../supervisor/market-open.ts'
import { platformCommands } from '../supervisor/platform-control.ts'
import { planServices, unknownSettings } from '../supervisor/platform.ts'
import { claimPort } from '../supervisor/port.ts'
import { listenForStop, StoppedError, type StopRequests } from '../supervisor/signals.ts'
import { ServiceSettingsError, Supervisor } from '../supervisor/supervisor.ts'
import { openTerminal, type Terminal } from '../terminal.ts'

/** Time each group of services has to end by itself when all is stopped. */
const phaseDeadlineMs = 4_000

/** How long services of a killed supervisor may take to end by themselves before they are ended. */
const leftoverPatienceMs = 5_000

const exitCodes = { ok: 0, failed: 1, usage: 64, settings: 78, forced: 130 } as const

/** `maru start [--replicas SERVICE=N,…] [--own-releases]`: runs the platform until it is asked to stop. Gives the exit code: 0 after an orderly stop. */
export async function start(environment: Environment, parameters: readonly string[]): Promise<number> {
  const terminal = openTerminal()
  let wanted: StartParameters
  try {
    wanted = readParameters(parameters)
  } catch (error) {
    terminal.note(`start: ${(error as Error).message}; settings are environment variables, see .env.example`)
    return exitCodes.usage
  }
  let settings: CliSettings
  try {
    settings = readCliSettings(environment)
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    process.stderr.write(`${error.message}\n`)
    return exitCodes.settings
  }
  for (const name of unknownSettings(environment))
    terminal.note(`${name} is no setting of Maru and does nothing; .env.example lists the settings`)
  using requests = listenForStop({ endWithParent: environment['npm_lifecycle_event'] !== undefined })
  try {
    await run(settings, wanted, environment, requests, terminal)
    return requests.force.aborted ? exitCodes.forced : exitCodes.ok
  } catch (error) {
    if (error instanceof StoppedError) return requests.force.aborted ? exitCodes.forced : exitCodes.ok
    process.stderr.write(`${describe(error)}\n`)
    return error instanceof ServiceSettingsError ? exitCodes.settings : exitCodes.failed
  }
}

interface StartParameters {
  replicas: ReadonlyMap<ServiceKey, number>
  /** Forgets from which folders services were deployed: all are run from this one. */
  ownReleases: boolean
}

function readParameters(parameters: readonly string[]): StartParameters {
  const { values } = parseArgs({
    args: [...parameters],
    options: { replicas: { type: 'string', multiple: true }, 'own-releases': { type: 'boolean', default: false } },
  })
  const replicas = (values.replicas ?? []).join(',')
  return { replicas: replicas === '' ? new Map() : parseReplicas(replicas), ownReleases: values['own-releases'] }
}

/** What is to run: as it was left, with what the command line changes. Said where it is not one of each from here. */
async function planDeployment(homeFolder: string, wanted: StartParameters, terminal: Terminal): Promise<Deployment> {
  const deployment = readDeployment(homeFolder)
  for (const [name, replicas] of wanted.replicas) deployment[name] = { ...deployment[name], replicas }
  for (const [name, { replicas, release }] of Object.entries(deployment)) {
    if (!isService(name)) continue
    if (wanted.ownReleases && release !== undefined) deployment[name] = replicas === undefined ? {} : { replicas }
    else if (release !== undefined) {
      const fault = releaseFault(release, name)
      if (fault !== undefined)
        throw new Error(
          `${name} was deployed from a folder that cannot be used any more: ${fault}. With "maru start --own-releases" all is run from here again.`,
        )
      terminal.note(`${name} runs from ${release}, as it was deployed`)
    }
    if ((replicas ?? 1) > 1) terminal.note(`${name} has ${replicas} instances`)
  }
  if (wanted.replicas.size > 0 || wanted.ownReleases) await writeDeployment(homeFolder, deployment)
  return deployment
}

async function run(
  settings: CliSettings,
  wanted: StartParameters,
  environment: Environment,
  requests: StopRequests,
  terminal: Terminal,
): Promise<void> {
  const { homeFolder } = settings
  const logsFolder = await ensureHome(homeFolder)
  using lock = takeLock(homeFolder, urlOf(settings.port))
  await endLeftovers(homeFolder, leftoverPatienceMs)
  const port = await claimPort(settings.gatewayHost, settings.port)
  lock.setUrl(urlOf(port))
  using listener = await holdPort(settings.gatewayHost, port)
  const deployment = await planDeployment(homeFolder, wanted, terminal)
  if ((deployment.gateway?.replicas ?? 1) > 1 && listener === undefined)
    throw new Error('on this system only one gateway can listen on the port; start with --replicas gateway=1')
  const secrets = await ensureSecrets(homeFolder, serviceKeys.map(roleOf))

  await using lifetimes = new AsyncDisposableStack()
  const onForce = (act: () => void): void => requests.force.addEventListener('abort', act, { once: true })
  let adminUrl = settings.databaseUrl
  if (adminUrl === undefined) {
    const database = await runDatabase({
      dataFolder: path.join(homeFolder, 'postgres'),
      logFile: path.join(logsFolder, 'postgres.log'),
      terminal,
    })
    lifetimes.adopt(database, (started: Database) => started.stop())
    onForce(() => database.kill())
    adminUrl = database.adminUrl
  }
  requests.stop.throwIfAborted()
  const databaseUrls = await bootstrapDatabase({ adminUrl, passwords: secrets.rolePasswords }).catch((error: unknown) => {
    throw new Error(
      settings.databaseUrl === undefined ? messageOf(error) : `the PostgreSQL of DATABASE_URL cannot be used: ${messageOf(error)}`,
      { cause: error },
    )
  })
  requests.stop.throwIfAborted()

  const services = planServices({
    environment,
    databaseUrls,
    tokenKeyFile: secrets.tokenKeyFile,
    operatorFile: secrets.operatorFile,
    apiKeysKeyFile: secrets.apiKeysKeyFile,
    gatewayKeyFile: secrets.gatewayKeyFile,
    gatewayPort: port,
    standby: settings.standby,
    ...(listener ? { listener } : {}),
  })
  const supervisor = new Supervisor({
    services: services.map((service) => {
      const release = isService(service.name) ? deployment[service.name]?.release : undefined
      return release === undefined ? service : inRelease(service, release)
    }),
    logsFolder,
    processes: new ProcessList(homeFolder),
    terminal,
  })
  lifetimes.defer(() => supervisor.stop(phaseDeadlineMs))
  onForce(() => supervisor.kill())
  supervisor.start(new Map(Object.entries(deployment).map(([name, { replicas }]) => [name, replicas ?? 1])))
  // While the services start; loading it takes longer than nothing.
  const { startMonitoring } = await import('../monitoring/start.ts')
  const monitoring = lifetimes.use(await startMonitoring(homeFolder, supervisor, terminal))
  const gateway = `http://127.0.0.1:${port}`
  const control = platformCommands({
    supervisor,
    services,
    url: gateway,
    deployment,
    save: (next) => writeDeployment(homeFolder, next),
    portIsShared: listener !== undefined,
    note: (line) => terminal.note(line),
    stop: () => requests.request(),
    startedAt: new Date(),
  })
  lifetimes.use(await serveControl(homeFolder, control))
  await supervisor.untilReady(() => answers(`${gateway}/health/ready`), requests.stop)
  await untilMarketsOpen(gateway, environment['MARU_HOUSE_LIQUIDITY'] !== 'off', requests.stop)
  requests.stop.throwIfAborted()
  // Who waited for this line finds every process in the list.
  monitoring.updateTargets()
  terminal.say(`Maru is ready at ${urlOf(port)}${await marketNotice(gateway, environment['MARU_MARKET_DATA'] ?? '')}`)

  while (!requests.stop.aborted) await sleep(2 ** 30, undefined, { signal: requests.stop }).catch(() => undefined)
}

function urlOf(port: number): string {
  return `http://localhost:${port}`
}

async function answers(url: string): Promise<boolean> {
  return getJson(url, 2_000).then(
    ({ status }) => status === 200,
    () => false,
  )
}

function describe(error: unknown): string {
  // Errors of ours say what to do; others say at least in what they came up.
  const isOurs = error instanceof Error && /^(HomeLocked|PortTaken|ServiceStart|ServiceSettings|PostgresStart)Error$/.test(error.name)
  return isOurs ? error.message : `Maru could not start: ${messageOf(error)}`
}

/** A refused connection to a name with several addresses is an AggregateError without a message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return [...new Set(error.errors.map(messageOf))].join('; ')
  return error instanceof Error ? error.message : String(error)
}
