import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { knownSettings, planServices, unknownSettings } from '../supervisor/platform.ts'

const root = path.resolve(import.meta.dirname, '../../..')
const example = readFileSync(path.join(root, '.env.example'), 'utf8')
const documented = new Map([...example.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name as string, value as string]))

/** What the supervisor sets by itself, and what only matters to someone who starts a service alone. */
const notForUsers = [
  'MARU_API_KEYS_KEY_FILE',
  'MARU_GATEWAY_KEY_FILE',
  'MARU_TOKEN_KEY_FILE',
  'MARU_OPERATOR_FILE',
  'MARU_INSTANCE_ID',
  'MARU_HOST',
  'MARU_STRICT_REPLIES',
  'MARU_LISTEN_FD',
]

/** OpenTelemetry's exporter reads it in the service's own environment. */
const readByTheExporter = ['OTEL_EXPORTER_OTLP_HEADERS']

test('every setting that a service reads reaches it and is documented', () => {
  const files = globSync(
    ['services/*/config.ts', 'services/*/config/*.ts', 'service-host/settings.ts', 'service-host/tracing/settings.ts'],
    { cwd: root },
  )
  expect(files.length).toBeGreaterThan(4)
  const read = new Set(
    files.flatMap((file) =>
      [
        ...readFileSync(path.join(root, file), 'utf8').matchAll(
          /^\s*(MARU_[A-Z_]+|OTEL_[A-Z_]+|SMTP_URL|DATABASE_URL):|\{ (MARU_[A-Z_]+):/gm,
        ),
      ].map((found) => (found[1] ?? found[2]) as string),
    ),
  )
  for (const name of notForUsers) read.delete(name)
  expect([...read].filter((name) => !knownSettings.has(name))).toEqual([])
  expect(
    [...knownSettings].filter((name) => !read.has(name) && !['MARU_HOME', 'MARU_STANDBY', ...readByTheExporter].includes(name)),
    'settings nobody reads',
  ).toEqual([])
})

test('.env.example lists exactly the settings there are', () => {
  expect([...documented.keys()].sort()).toEqual([...knownSettings].sort())
})

test('secrets reach only the service that needs them', () => {
  const databaseUrls = { trading: 'T', user: 'U', 'market-data': 'M', notification: 'N', analytics: 'A', gateway: 'G' }
  const environment = {
    PATH: '/bin',
    SMTP_URL: 'smtp://secret',
    DATABASE_URL: 'admin',
    MARU_PORT: '1',
    MARU_HOME: '/h',
    OTHER_SECRET: 'x',
    MARU_CORS_ORIGINS: '',
  }
  const plans = planServices({
    environment,
    databaseUrls,
    tokenKeyFile: 'key',
    operatorFile: 'operator',
    apiKeysKeyFile: 'keys',
    gatewayKeyFile: 'gateway',
    gatewayPort: 9_000,
    standby: true,
  })
  const seen = Object.fromEntries(plans.map(({ name, environment: { NODE_COMPILE_CACHE: _, ...rest } }) => [name, rest]))
  expect(seen).toEqual({
    user: {
      PATH: '/bin',
      DATABASE_URL: 'U',
      MARU_TOKEN_KEY_FILE: 'key',
      MARU_OPERATOR_FILE: 'operator',
      MARU_API_KEYS_KEY_FILE: 'keys',
      MARU_GATEWAY_KEY_FILE: 'gateway',
    },
    trading: { PATH: '/bin', DATABASE_URL: 'T' },
    'market-data': { PATH: '/bin', DATABASE_URL: 'M' },
    notification: { PATH: '/bin', DATABASE_URL: 'N', SMTP_URL: 'smtp://secret' },
    analytics: { PATH: '/bin', DATABASE_URL: 'A' },
    gateway: { PATH: '/bin', DATABASE_URL: 'G', MARU_PORT: '9000', MARU_GATEWAY_KEY_FILE: 'gateway' },
  })
})

test('a misspelt setting is noticed, those of the tests are not', () => {
  expect(unknownSettings({ MARU_PROT: '1', MARU_PORT: '1', MARU_TEST_DATA: 'x', OTHER: 'y' })).toEqual(['MARU_PROT'])
})
