import path from 'node:path'
import type { ServiceKey } from '@maru/service-host/names'
import { exchangeRuntime, gatewayRuntime, plainRuntime, type Runtime } from '@maru/service-host/runtime'
import type { Environment } from '@maru/service-host/settings'
import type { HeldPort } from './held-port.ts'
import { standbyProgram } from './deployment.ts'
import type { SupervisedService } from './service-group.ts'

const root = path.resolve(import.meta.dirname, '../../..')

/** Where Node keeps compiled code between starts; where it cannot be written Node does without. */
const compileCache = path.join(root, 'node_modules/.cache/maru')

/** The numbered SQL that makes a service's tables; undefined for the gateway, which has none. */
export function migrationsFolder(service: ServiceKey): string | undefined {
  return service === 'gateway' ? undefined : path.join(root, 'services', service, 'store')
}

interface ServicePlan {
  name: ServiceKey
  stopPhase: number
  /** Settings of the person who runs Maru that reach this service; no service sees those of another. */
  settings: readonly string[]
  runtime?: Runtime
}

/** For reaching hosts outside, where a company's network asks for it. */
const outwardSettings = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
]

/** What a process needs from the system to run at all. */
const systemSettings = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TEMP',
  'TMP',
  'TZ',
  'LANG',
  'LC_ALL',
  'SystemRoot',
  'KUBERNETES_SERVICE_HOST',
  'KUBERNETES_SERVICE_PORT',
]

const tracingSettings = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_TRACES_SAMPLER', 'OTEL_TRACES_SAMPLER_ARG']

const commonSettings = ['MARU_LOG', 'MARU_DISCOVERY', 'MARU_LOG_LEVEL', 'MARU_HTTP_PARSER', ...tracingSettings]

/** The gateway goes first, so that nothing new comes in; then who takes orders and makes prices; then who only reads the log. */
export const servicePlans: readonly ServicePlan[] = [
  {
    name: 'user',
    stopPhase: 1,
    settings: ['MARU_PASSWORD_HASHES_AT_ONCE', 'MARU_PASSWORD_QUEUE_MAX', 'MARU_LOGIN_ATTEMPTS_MAX', 'MARU_LOGIN_WINDOW_SECONDS'],
  },
  {
    name: 'trading',
    stopPhase: 1,
    runtime: exchangeRuntime,
    settings: [
      'MARU_GRANT_AMOUNT',
      'MARU_HOUSE_LIQUIDITY',
      'MARU_INTAKE_QUEUE_MAX',
      'MARU_OUTCOME_TIMEOUT_MS',
      'MARU_SNAPSHOT_EVERY_COMMANDS',
      'MARU_SNAPSHOT_EVERY_MS',
    ],
  },
  { name: 'market-data', stopPhase: 1, settings: ['MARU_MARKET_DATA', ...outwardSettings] },
  {
    name: 'notification',
    stopPhase: 2,
    settings: ['SMTP_URL', 'MARU_MAIL_FROM', 'MARU_MAILS_PER_HOUR_MAX', 'MARU_MAIL_ATTEMPTS_MAX', 'MARU_MAIL_RETRY_MS', ...outwardSettings],
  },
  { name: 'analytics', stopPhase: 2, settings: ['MARU_ANALYTICS_DETAIL_DAYS', 'MARU_ANALYTICS_HISTORY_DAYS'] },
  {
    name: 'gateway',
    stopPhase: 0,
    runtime: gatewayRuntime,
    settings: [
      'MARU_GATEWAY_HOST',
      'MARU_METRICS_HOST',
      'MARU_METRICS_PORT',
      'MARU_CORS_ORIGINS',
      'MARU_TRUSTED_PROXIES',
      'MARU_RATE_LIMIT_PER_SECOND',
      'MARU_RATE_LIMIT_BURST',
      'MARU_RATE_LIMIT_KEY_PER_SECOND',
      'MARU_RATE_LIMIT_KEY_BURST',
      'MARU_RATE_LIMIT_ANONYMOUS_PER_SECOND',
      'MARU_RATE_LIMIT_ANONYMOUS_BURST',
      'MARU_RATE_LIMIT_ADDRESS_PER_SECOND',
      'MARU_RATE_LIMIT_ADDRESS_BURST',
      'MARU_RATE_LIMIT_ATTEMPTS_PER_SECOND',
      'MARU_RATE_LIMIT_ATTEMPTS_BURST',
      'MARU_GATEWAY_BODY_MAX_BYTES',
      'MARU_GATEWAY_IN_FLIGHT_MAX',
      'MARU_GATEWAY_STREAMS_MAX',
      'MARU_GATEWAY_CONNECTIONS_PER_ADDRESS',
      'MARU_GATEWAY_CONNECTIONS_UNLIMITED',
      'MARU_GATEWAY_SLOW_READER_MS',
      'MARU_GATEWAY_COMPRESS_MIN_BYTES',
      'MARU_GATEWAY_HEADERS_TIMEOUT_MS',
      'MARU_GATEWAY_REQUEST_TIMEOUT_MS',
      'MARU_GATEWAY_UPSTREAM_TIMEOUT_MS',
      'MARU_GATEWAY_WAIT_MS',
      'MARU_GATEWAY_TRUNKS',
      'MARU_CIRCUIT_FAILURES',
      'MARU_CIRCUIT_OPEN_MS',
      'MARU_GATEWAY_SLOW_START_MS',
    ],
  },
]

/** Every setting that `maru start` knows: its own and those it hands to a service. */
export const knownSettings: ReadonlySet<string> = new Set([
  'MARU_HOME',
  'MARU_PORT',
  'MARU_STANDBY',
  'DATABASE_URL',
  ...commonSettings,
  ...servicePlans.flatMap(({ settings }) => settings).filter((name) => !outwardSettings.includes(name)),
])

/** Names in the environment that look like settings of Maru and are none, most likely misspelt. */
export function unknownSettings(environment: Environment): string[] {
  return Object.keys(environment).filter((name) => name.startsWith('MARU_') && !name.startsWith('MARU_TEST_') && !knownSettings.has(name))
}

/** The six services with exactly the environment each needs. `databaseUrls` by service name, each with the role of that service. */
export function planServices(options: {
  environment: Environment
  databaseUrls: Readonly<Record<ServiceKey, string>>
  tokenKeyFile: string
  operatorFile: string
  apiKeysKeyFile: string
  gatewayKeyFile: string
  gatewayPort: number
  /** Whether a process is to stand by for a service that has one instance. */
  standby: boolean
  /** The socket that gateways take connections from, where the supervisor holds it. */
  listener?: HeldPort
}): SupervisedService[] {
  const own: Record<string, Record<string, string>> = {
    user: {
      MARU_TOKEN_KEY_FILE: options.tokenKeyFile,
      MARU_OPERATOR_FILE: options.operatorFile,
      MARU_API_KEYS_KEY_FILE: options.apiKeysKeyFile,
      MARU_GATEWAY_KEY_FILE: options.gatewayKeyFile,
    },
    gateway: { MARU_PORT: String(options.gatewayPort), MARU_GATEWAY_KEY_FILE: options.gatewayKeyFile },
  }
  return servicePlans.map(({ name, stopPhase, settings, runtime = plainRuntime }) => {
    return {
      name,
      stopPhase,
      entry: path.join(root, 'services', name, 'main.ts'),
      ...(options.standby ? { standby: path.join(root, standbyProgram) } : {}),
      environment: {
        ...pick(options.environment, [...systemSettings, ...commonSettings, ...settings]),
        ...own[name],
        DATABASE_URL: options.databaseUrls[name],
        NODE_COMPILE_CACHE: compileCache,
      },
      runtime,
      ...(name === 'gateway' && options.listener ? { listener: options.listener } : {}),
    }
  })
}

function pick(environment: Environment, names: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = {}
  for (const name of names) {
    const value = environment[name]
    if (value !== undefined && value !== '') picked[name] = value
  }
  return picked
}
