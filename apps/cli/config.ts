import path from 'node:path'
import { commonSettings, readSettings, setting, SettingsError, type Environment } from '@maru/service-host/settings'

/** What the supervisor itself reads. Settings that belong to one service pass through to it and are judged there. */
export interface CliSettings {
  /** Absolute. */
  homeFolder: string
  /** 0: any free port. */
  port: number
  /** Where the gateway listens. */
  gatewayHost: string
  /** Administrator's URL of an existing PostgreSQL; undefined: Maru runs its own. */
  databaseUrl: string | undefined
  /** Whether a process is to stand by for each service that has one instance. */
  standby: boolean
}

/** The environment, with the lines of a file `.env` of this folder for what the environment leaves unset. */
export function loadEnvironment(): Environment {
  try {
    process.loadEnvFile('.env')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return process.env
}

const shape = {
  MARU_HOME: setting.text('.maru'),
  MARU_PORT: setting.integer({ min: 0, max: 65_535, fallback: 8_080 }),
  MARU_GATEWAY_HOST: setting.text('127.0.0.1'),
  MARU_STANDBY: setting.oneOf(['on', 'off'], 'on'),
  MARU_LOG: commonSettings.MARU_LOG,
  MARU_LOG_LEVEL: commonSettings.MARU_LOG_LEVEL,
  MARU_MARKET_DATA: {
    parse(text: string | undefined): string {
      if (text === undefined || text === '') return ''
      if (/^(live|replay|synthetic)(:|$)/.test(text)) return text
      throw new Error(`must be live:EXCHANGE,…, replay:FOLDER or synthetic:SEED, not "${text}"`)
    },
  },
  DATABASE_URL: {
    parse(text: string | undefined): string | undefined {
      if (text === undefined || text === '') return undefined
      // The value may hold a password, so that the message does not repeat it.
      const scheme = URL.canParse(text) ? new URL(text).protocol : ''
      if (scheme === 'postgres:' || scheme === 'postgresql:') return text
      throw new Error('must be a URL such as postgres://admin:password@host:5432/postgres')
    },
  },
}

/** Throws SettingsError that names every faulty setting. */
export function readCliSettings(environment: Environment): CliSettings {
  const values = readSettings(environment, shape)
  return {
    homeFolder: path.resolve(values.MARU_HOME),
    port: values.MARU_PORT,
    gatewayHost: values.MARU_GATEWAY_HOST,
    databaseUrl: values.DATABASE_URL,
    standby: values.MARU_STANDBY === 'on',
  }
}

export { SettingsError, type Environment }
