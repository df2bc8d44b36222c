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
    MARU_GRANT_AMOUNT: setting.text('100000'),
    MARU_HOUSE_LIQUIDITY: setting.text('on'),
    MARU_INTAKE_QUEUE_MAX: setting.integer({ min: 1, max: 1_000_000, fallback: 20_000 }),
    MARU_OUTCOME_TIMEOUT_MS: setting.integer({ min: 100, max: 60_000, fallback: 10_000 }),
    MARU_SNAPSHOT_EVERY_COMMANDS: setting.integer({ min: 1, max: 100_000_000, fallback: 50_000 }),
    MARU_SNAPSHOT_EVERY_MS: setting.integer({ min: 100, max: 86_400_000, fallback: 300_000 }),
  })
  return {
    grantAmount: values.MARU_GRANT_AMOUNT,
    grantAsset: 'USDT',
    houseLiquidity: values.MARU_HOUSE_LIQUIDITY !== 'off',
    intakeQueueMax: values.MARU_INTAKE_QUEUE_MAX,
    outcomeTimeoutMs: values.MARU_OUTCOME_TIMEOUT_MS,
    snapshotEveryCommands: values.MARU_SNAPSHOT_EVERY_COMMANDS,
    snapshotEveryMs: values.MARU_SNAPSHOT_EVERY_MS,
  }
}
