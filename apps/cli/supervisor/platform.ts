import path from 'node:path'
import type { ServiceKey } from '@maru/service-host/names'
import type { Environment } from '@maru/service-host/settings'
import type { SupervisedService } from './supervisor.ts'

interface ServicePlan {
  name: ServiceKey
  stopPhase: number
  /** Settings of the person who runs Maru that reach this service; no service sees those of another. */
  settings: readonly string[]
}

/** For reaching hosts outside, where a company's network asks for it. */
const outwardSettings = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE']

/** What a process needs from the system to run at all. */
const systemSettings = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'TZ', 'LANG', 'LC_ALL', 'SystemRoot']

const commonSettings = ['MARU_LOG', 'MARU_LOG_LEVEL']

/** The gateway goes first, so that nothing new comes in; then who takes orders and makes prices; then who only reads the log. */
export const servicePlans: readonly ServicePlan[] = [
  { name: 'user', stopPhase: 1, settings: [] },
  { name: 'trading', stopPhase: 1, settings: [] },
  { name: 'market-data', stopPhase: 1, settings: ['MARU_MARKET_DATA', ...outwardSettings] },
  { name: 'notification', stopPhase: 2, settings: ['SMTP_URL', 'MARU_MAIL_FROM', ...outwardSettings] },
  { name: 'analytics', stopPhase: 2, settings: [] },
  { name: 'gateway', stopPhase: 0, settings: [] },
]

/** The six services with exactly the environment each needs. `databaseUrls` by service name, each with the role of that service. */
export function planServices(options: {
  environment: Environment
  databaseUrls: Readonly<Record<ServiceKey, string>>
  tokenKeyFile: string
  operatorFile: string
  gatewayPort: number
}): SupervisedService[] {
  const root = path.resolve(import.meta.dirname, '../../..')
  const own: Record<string, Record<string, string>> = {
    user: { MARU_TOKEN_KEY_FILE: options.tokenKeyFile, MARU_OPERATOR_FILE: options.operatorFile },
    gateway: { MARU_PORT: String(options.gatewayPort) },
  }
  return servicePlans.map(({ name, stopPhase, settings }) => {
    return {
      name,
      stopPhase,
      entry: path.join(root, 'services', name, 'main.ts'),
      environment: { ...pick(options.environment, [...systemSettings, ...commonSettings, ...settings]), ...own[name], DATABASE_URL: options.databaseUrls[name] },
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
