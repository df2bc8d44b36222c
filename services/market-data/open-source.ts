import type { Logger } from '@maru/service-host'
import type { MarketDataSetting } from './config.ts'
import type { MarketSource } from './source.ts'
import type { Queryable } from './store/candle-store.ts'
import { createSyntheticSource } from './synthetic/source.ts'

export type PreparedSource = MarketDataSetting

export async function prepareSource(setting: MarketDataSetting): Promise<PreparedSource> {
  return setting
}

export async function openSource(prepared: PreparedSource, _around: { database: Queryable; logger: Logger; signal: AbortSignal }): Promise<MarketSource> {
  if (prepared.kind === 'synthetic') return createSyntheticSource(prepared.seed, `The setting asks for the synthetic market of seed ${prepared.seed}.`)
  throw new Error('not yet')
}
