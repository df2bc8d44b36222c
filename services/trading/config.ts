import { readSettings, setting, type Environment } from '@maru/service-host'

/** Settings of the trading service; the only reader of its environment. */
export interface TradingConfig {
  /** Play money a new user is granted, in whole units of `grantAsset`; 0 grants nothing. */
  grantAmount: string
  grantAsset: string
  houseLiquidity: boolean
  /** Commands waiting for a place in a record; beyond it a request is refused with `overloaded`. */
  intakeQueueMax: number
  /** How long a request waits for its outcome before `outcome_pending`. */
  outcomeTimeoutMs: number
  snapshotEveryCommands: number
  snapshotEveryMs: number
}

export function readTradingConfig(environment: Environment): TradingConfig {
  const values = readSettings(environment, {
    MARU_GRANT_AMOUNT: { parse: parseGrant },
    MARU_HOUSE_LIQUIDITY: setting.oneOf(['on', 'off'], 'on'),
    MARU_INTAKE_QUEUE_MAX: setting.integer({ min: 1, max: 1_000_000, fallback: 20_000 }),
    MARU_OUTCOME_TIMEOUT_MS: setting.integer({ min: 100, max: 60_000, fallback: 10_000 }),
    MARU_SNAPSHOT_EVERY_COMMANDS: setting.integer({ min: 1, max: 100_000_000, fallback: 50_000 }),
    MARU_SNAPSHOT_EVERY_MS: setting.integer({ min: 100, max: 86_400_000, fallback: 300_000 }),
  })
  return {
    grantAmount: values.MARU_GRANT_AMOUNT,
    grantAsset: 'USDT',
    houseLiquidity: values.MARU_HOUSE_LIQUIDITY === 'on',
    intakeQueueMax: values.MARU_INTAKE_QUEUE_MAX,
    outcomeTimeoutMs: values.MARU_OUTCOME_TIMEOUT_MS,
    snapshotEveryCommands: values.MARU_SNAPSHOT_EVERY_COMMANDS,
    snapshotEveryMs: values.MARU_SNAPSHOT_EVERY_MS,
  }
}

/** One balance can hold 90 million USDT. */
const grantMax = 90_000_000

function parseGrant(text: string | undefined): string {
  if (text === undefined || text === '') return '100000'
  if (!/^[0-9]{1,8}(\.[0-9]{1,8})?$/.test(text) || Number(text) > grantMax)
    throw new Error(`must be a number of USDT from 0 to ${grantMax}, not "${text}"`)
  return text
}
