/** Reads settings from the environment once and reports every fault together. The only reader of `process.env` is a config.ts. */

export type Environment = Readonly<Record<string, string | undefined>>

export class SettingsError extends Error {
  override name = 'SettingsError'
}

interface Parser<T> {
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
    parse: (text) => (text === undefined || text === '' ? fallback : text.split(',').map((part) => part.trim()).filter((part) => part !== '')),
  }),
}

type Values<Shape> = { [Name in keyof Shape]: Shape[Name] extends Parser<infer T> ? T : never }

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
  if (faults.length > 0) throw new SettingsError(`Settings at fault:\n${faults.map((fault) => `  - ${fault}`).join('\n')}\nSee .env.example.`)
  return values as Values<Shape>
}

/** What every service takes from its environment. */
export const commonSettings = {
  /** postgres://role:password@host:port/database, with the role of this service. */
  DATABASE_URL: setting.text(),
  MARU_LOG: setting.text('postgres'),
  MARU_HOST: setting.text('127.0.0.1'),
  /** 0: any free port, announced through discovery. */
  MARU_PORT: setting.integer({ min: 0, max: 65_535, fallback: 0 }),
  MARU_INSTANCE_ID: setting.optionalText(),
  MARU_LOG_LEVEL: setting.text('info'),
}
