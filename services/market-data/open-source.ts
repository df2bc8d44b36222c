import { bucketStart, minuteMs } from '@maru/domain/candles'
import { SettingsError, type Logger } from '@maru/service-host'
import { fallbackSeed, type MarketDataSetting } from './config.ts'
import { isKnownExchange, type ExchangeSetting } from './live/exchange.ts'
import { openLiveSource } from './live/source.ts'
import { openRecording, type Recording } from './replay/recording.ts'
import { createReplaySource } from './replay/source.ts'
import type { MarketSource } from './source.ts'
import { feedStart, type Queryable } from './store/candle-store.ts'
import { createSyntheticSource } from './synthetic/source.ts'

/** How long exchanges are waited for before a synthetic market takes their place. */
export const probeMs = 2_500

/** A setting whose exchanges and files have been looked at. */
export type PreparedSource =
  | { kind: 'live'; exchanges: readonly ExchangeSetting[]; fallback: boolean }
  | { kind: 'replay'; recording: Recording }
  | { kind: 'synthetic'; seed: number; reason: string }

/** Looks at what the setting names. Throws SettingsError with the fault. */
export async function prepareSource(setting: MarketDataSetting): Promise<PreparedSource> {
  switch (setting.kind) {
    case 'synthetic':
      return { ...setting, reason: `The setting asks for the synthetic market of seed ${setting.seed}.` }
    case 'replay':
      try {
        return { kind: 'replay', recording: await openRecording(setting) }
      } catch (error) {
        throw new SettingsError([`MARU_MARKET_DATA: ${(error as Error).message}`], { cause: error })
      }
    case 'live': {
      const known = await Promise.all(setting.exchanges.map(isKnownExchange))
      const unknown = setting.exchanges.filter((_, index) => known[index] === false)
      if (unknown.length > 0)
        throw new SettingsError([
          `MARU_MARKET_DATA: there is no exchange ${unknown.map((name) => `"${name}"`).join(', ')} (names are those of ccxt)`,
        ])
      return { kind: 'live', exchanges: setting.exchanges.map((name) => ({ name })), fallback: setting.fallback }
    }
  }
}

/**
 * What is to run: as the setting says, but a synthetic market where the default finds that no exchange answers in time. Asked once by a process, so
 * that prices never jump from an invented market to the real one, or back, while it runs.
 */
export async function chooseSource(prepared: PreparedSource, logger: Logger): Promise<PreparedSource> {
  if (prepared.kind !== 'live' || !prepared.fallback) return prepared
  await using live = await openLiveSource(prepared.exchanges, logger)
  if (await live.probe(probeMs)) return prepared
  const reason = `No exchange answered within ${probeMs / 1_000} s (${live.faults()}), so the market is synthetic, of seed ${fallbackSeed}, until the service starts again.`
  logger.warn({ seed: fallbackSeed }, `SYNTHETIC PRICES: ${reason}`)
  return { kind: 'synthetic', seed: fallbackSeed, reason }
}

/** Opens the source that was chosen. */
export async function openSource(chosen: PreparedSource, around: { database: Queryable; logger: Logger }): Promise<MarketSource> {
  const { database, logger } = around
  switch (chosen.kind) {
    case 'synthetic':
      return createSyntheticSource(chosen.seed, chosen.reason)
    case 'replay': {
      const { recording } = chosen
      return createReplaySource(recording, await feedStart(database, recording.key, bucketStart(Date.now(), minuteMs)))
    }
    case 'live':
      return openLiveSource(chosen.exchanges, logger)
  }
}
