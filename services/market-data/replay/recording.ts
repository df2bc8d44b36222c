import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { intervalsMs, minuteMs } from '@maru/domain/candles'
import { markets, type MarketDefinition } from '../market/symbols.ts'
import { recordedSpan, type Feed } from './csv-file.ts'

export interface RecordedMarket {
  readonly definition: MarketDefinition
  readonly file: string
}

/** A folder of recorded files that has been looked at: what it holds, and the span that is replayed. */
export interface Recording {
  readonly folderName: string
  readonly feed: Feed
  readonly speed: number
  readonly markets: readonly RecordedMarket[]
  readonly fileStartMs: number
  readonly fileEndMs: number
  /** Names the stored candles: the same for the same folder and options. */
  readonly key: string
}

/**
 * Looks at a folder with `candles/<BASE><QUOTE>-1m.csv.gz` or `trades/<BASE><QUOTE>-trades.csv.gz`. By default a replay begins with the first
 * minute before which every market has 24 hours of candles (trades: with the first trade). Throws an Error that says what is wrong.
 */
export async function openRecording(options: {
  folder: string
  feed: 'candles' | 'trades'
  speed: number
  startMs: number | undefined
}): Promise<Recording> {
  const folder = path.resolve(options.folder)
  const feed: Feed = options.feed === 'candles' ? 'candle' : 'trade'
  let names: string[]
  try {
    names = await readdir(path.join(folder, options.feed))
  } catch (error) {
    throw new Error(
      `the folder "${options.folder}" has no readable folder "${options.feed}" (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
      { cause: error },
    )
  }
  const suffix = feed === 'candle' ? '1m' : 'trades'
  const found: RecordedMarket[] = []
  const spans: { firstMs: number; lastMs: number }[] = []
  for (const definition of markets) {
    const name = `${definition.base}${definition.quote}-${suffix}.csv.gz`
    if (!names.includes(name)) continue
    const file = path.join(folder, options.feed, name)
    try {
      spans.push(await recordedSpan(file, feed))
    } catch (error) {
      throw new Error(`${options.feed}/${name} cannot be replayed: ${(error as Error).message}`, { cause: error })
    }
    found.push({ definition, file })
  }
  if (found.length === 0) throw new Error(`the folder "${options.folder}" has no file such as ${options.feed}/BTCUSDT-${suffix}.csv.gz`)
  const firstMs = floorMinute(Math.max(...spans.map((span) => span.firstMs)))
  const fileEndMs = floorMinute(Math.min(...spans.map((span) => span.lastMs))) + minuteMs
  const withHistoryMs = feed === 'candle' ? firstMs + intervalsMs['1d'] : firstMs
  // A short recording has no day to spare for history: it begins where it begins.
  const defaultMs = withHistoryMs < fileEndMs ? withHistoryMs : firstMs
  const fileStartMs = options.startMs === undefined ? defaultMs : floorMinute(options.startMs)
  if (fileStartMs < firstMs || fileStartMs >= fileEndMs)
    throw new Error(
      `start must be from ${new Date(firstMs).toISOString()} and before ${new Date(fileEndMs).toISOString()}, for which every market has data`,
    )
  const key = createHash('sha256').update(`${folder}\n${fileStartMs}\n${fileEndMs}`).digest('hex').slice(0, 16)
  return {
    folderName: path.basename(folder),
    feed,
    speed: options.speed,
    markets: found,
    fileStartMs,
    fileEndMs,
    key: `replay:${options.feed}:${options.speed}:${key}`,
  }
}

function floorMinute(timeMs: number): number {
  return Math.floor(timeMs / minuteMs) * minuteMs
}
