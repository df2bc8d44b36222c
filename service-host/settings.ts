import { discoverySetting } from './discovery/setting.ts'
import { tracingSettings } from './tracing/settings.ts'

/** Reads settings from the environment once and reports every fault together. The only reader of `process.env` is a config.ts. */

export type Environment = Readonly<Record<string, string | undefined>>

/** Names every fault in the form in which the supervisor gathers those of all services: a line each, beginning with the setting. */
export class SettingsError extends Error {
  override name = 'SettingsError'

  constructor(faults: readonly string[], options?: ErrorOptions) {
    super(`Settings at fault:\n${faults.map((fault) => `  - ${fault}`).join('\n')}\nSee .env.example.`, options)
  }
}

export interface Parser<T> {
  parse(text: string | undefined): T
}

export const setting = {
  text: (fallback?: string): Parser<string> => ({
    parse(text) {
      const value = text === undefined || text === '' ? fallback : text
      if (value === undefined) throw new Error('is required')
      return value
    },
  }),
  optionalText: (): Parser<string | undefined> => ({ parse: (text) => (text === '' ? undefined : text) }),
  oneOf: <const T extends string>(choices: readonly T[], fallback: T): Parser<T> => ({
    parse(text) {
      if (text === undefined || text === '') return fallback
      const found = choices.find((choice) => choice === text)
      if (found === undefined) throw new Error(`must be one of ${choices.join(', ')}, not "${text}"`)
      return found
    },
  }),
  integer: (range: { min: number; max: number; fallback?: number }): Parser<number> => ({
    parse(text) {
      if (text === undefined || text === '') {
        if (range.fallback === undefined) throw new Error('is required')
        return range.fallback
      }
      const value = Number(text)
      if (!Number.isInteger(value) || value < range.min || value > range.max)
        throw new Error(`must be a whole number from ${range.min} to ${range.max}, not "${text}"`)
      return value
    },
  }),
  list: (fallback: readonly string[] = []): Parser<readonly string[]> => ({
    parse: (text) =>
      text === undefined || text === ''
        ? fallback
        : text
            .split(',')
            .map((part) => part.trim())
            .filter((part) => part !== ''),
  }),
}

export type Values<Shape> = { [Name in keyof Shape]: Shape[Name] extends Parser<infer T> ? T : never }

/** Throws SettingsError that names every faulty setting. */
export function readSettings<Shape extends Record<string, Parser<unknown>>>(environment: Environment, shape: Shape): Values<Shape> {
  const faults: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, parser] of Object.entries(shape)) {
    try {
      values[name] = parser.parse(environment[name])
    } catch (error) {
      faults.push(`${name} ${(error as Error).message}`)
    }
  }
  if (faults.length > 0) throw new SettingsError(faults)
  return values as Values<Shape>
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** What every process takes from its environment. */
export const processSettings = {
  /** postgres://role:password@host:port/database, with the role of this service. */
  DATABASE_URL: setting.text(),
  MARU_INSTANCE_ID: setting.optionalText(),
  MARU_LOG_LEVEL: setting.oneOf(logLevels, 'info'),
  /** `plain`: requests in the plain form are read on a short path, all others by Node's parser. `node`: all by Node's. */
  MARU_HTTP_PARSER: setting.oneOf(['plain', 'node'], 'plain'),
  ...tracingSettings,
}

/** How instances find each other: a setting of every process that is read beside its own, as a pod's environment says where its cluster is asked. */
export const discoverySettings = (environment: Environment) => ({ MARU_DISCOVERY: discoverySetting(environment) })

/** What every service behind the gateway takes from its environment. */
export const commonSettings = {
  ...processSettings,
  MARU_LOG: setting.oneOf(['postgres'], 'postgres'),
  MARU_HOST: setting.text('127.0.0.1'),
  /** 0: any free port, announced through discovery. */
  MARU_PORT: setting.integer({ min: 0, max: 65_535, fallback: 0 }),
  /** `yes`: a reply that does not fit its contract fails the request with `internal`; else it is only logged. */
  MARU_STRICT_REPLIES: setting.oneOf(['yes', 'no'], 'no'),
}
