import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bootstrapDatabase } from '@maru/service-host/bootstrap'
import { roleOf, serviceKeys } from '@maru/service-host/names'
import { readCliSettings, SettingsError, type CliSettings, type Environment } from '../config.ts'
import { ensureHome, ensureSecrets } from '../secrets.ts'
import { runDatabase, type Database } from '../supervisor/database.ts'
import { getJson } from '../supervisor/http.ts'
import { endLeftovers, ProcessList } from '../supervisor/leftovers.ts'
import { takeLock } from '../supervisor/lock.ts'
import { marketNotice } from '../supervisor/market-notice.ts'
import { untilMarketsOpen } from '../supervisor/market-open.ts'
import { planServices, unknownSettings } from '../supervisor/platform.ts'
import { claimPort } from '../supervisor/port.ts'
import { listenForStop, StoppedError, type StopRequests } from '../supervisor/signals.ts'
import { ServiceSettingsError, Supervisor } from '../supervisor/supervisor.ts'
import { openTerminal, type Terminal } from '../terminal.ts'

/** Time each group of services has to end by itself when all is stopped. */
const phaseDeadlineMs = 4_000

/** How long services of a killed supervisor may take to end by themselves before they are ended. */
const leftoverPatienceMs = 5_000

const exitCodes = { ok: 0, failed: 1, settings: 78, forced: 130 } as const

/** `maru start`: runs the platform until it is asked to stop. Gives the exit code: 0 after an orderly stop. */
export async function start(environment: Environment, parameters: readonly string[]): Promise<number> {
  const terminal = openTerminal()
  if (parameters.length > 0) {
    terminal.note(`"start" takes no parameters (${parameters.join(' ')}); settings are environment variables, see .env.example`)
    return exitCodes.failed
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
    await run(settings, environment, requests, terminal)
    return requests.force.aborted ? exitCodes.forced : exitCodes.ok
  } catch (error) {
    if (error instanceof StoppedError) return requests.force.aborted ? exitCodes.forced : exitCodes.ok
    process.stderr.write(`${describe(error)}\n`)
    return error instanceof ServiceSettingsError ? exitCodes.settings : exitCodes.failed
  }
}

async function run(settings: CliSettings, environment: Environment, requests: StopRequests, terminal: Terminal): Promise<void> {
  const { homeFolder } = settings
  const logsFolder = await ensureHome(homeFolder)
  using lock = takeLock(homeFolder, urlOf(settings.port))
  await endLeftovers(homeFolder, leftoverPatienceMs)
  const port = await claimPort(settings.gatewayHost, settings.port)
  lock.setUrl(urlOf(port))
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
    gatewayPort: port,
  })
  const supervisor = new Supervisor({ services, logsFolder, processes: new ProcessList(homeFolder), terminal })
  lifetimes.defer(() => supervisor.stop(phaseDeadlineMs))
  onForce(() => supervisor.kill())
  supervisor.start()
  const gateway = `http://127.0.0.1:${port}`
  await supervisor.untilReady(() => answers(`${gateway}/health/ready`), requests.stop)
  await untilMarketsOpen(gateway, environment['MARU_HOUSE_LIQUIDITY'] !== 'off', requests.stop)
  requests.stop.throwIfAborted()
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
