import { readSettings, type Environment } from '@maru/service-host'

/** Exchanges asked where none is named. */
export const defaultExchanges = ['binance', 'kraken', 'coinbase'] as const

export type MarketDataSetting =
  /** `fallback`: a synthetic market where no exchange answers. Only where the setting is unset. */
  | { kind: 'live'; exchanges: readonly string[]; fallback: boolean }
  | { kind: 'replay'; folder: string; feed: 'candles' | 'trades'; speed: number; startMs: number | undefined }
  | { kind: 'synthetic'; seed: number }

export const fallbackSeed = 1
const speedMax = 3_600
const exchangesMax = 10

/** Reads the settings of this service. Throws SettingsError that names every fault. */
export function readConfig(environment: Environment): { marketData: MarketDataSetting } {
  const values = readSettings(environment, { MARU_MARKET_DATA: { parse: parseMarketData } })
  return { marketData: values.MARU_MARKET_DATA }
}

/** The form of the setting; whether folders and exchanges exist is seen when they are opened. Throws an Error with the fault. */
export function parseMarketData(text: string | undefined): MarketDataSetting {
  if (text === undefined || text.trim() === '') return { kind: 'live', exchanges: defaultExchanges, fallback: true }
  const colon = text.indexOf(':')
  const kind = colon < 0 ? text : text.slice(0, colon)
  const rest = colon < 0 ? '' : text.slice(colon + 1)
  switch (kind) {
    case 'live':
      return parseLive(rest, text)
    case 'replay':
      return parseReplay(rest)
    case 'synthetic':
      return { kind, seed: parseSeed(rest) }
    default:
      throw new Error(`must be live:EXCHANGE,…, replay:FOLDER or synthetic:SEED, not "${text}"`)
  }
}

function parseLive(rest: string, text: string): MarketDataSetting {
  if (rest === '') {
    if (text === 'live') return { kind: 'live', exchanges: defaultExchanges, fallback: false }
    throw new Error('names no exchange after "live:"')
  }
  const exchanges = rest.split(',').map((name) => name.trim().toLowerCase())
  for (const name of exchanges) {
    if (!/^[a-z0-9]{2,32}$/.test(name)) throw new Error(`"${name}" is not the name of an exchange`)
  }
  if (new Set(exchanges).size < exchanges.length) throw new Error('names an exchange twice')
  if (exchanges.length > exchangesMax) throw new Error(`names more than ${exchangesMax} exchanges`)
  return { kind: 'live', exchanges, fallback: false }
}

function parseSeed(rest: string): number {
  const seed = Number(rest)
  if (!/^[0-9]{1,10}$/.test(rest) || seed > 4_294_967_295)
    throw new Error(`needs a whole number from 0 to 4294967295 after "synthetic:", not "${rest}"`)
  return seed
}

function parseReplay(rest: string): MarketDataSetting {
  const mark = rest.indexOf('?')
  const folder = mark < 0 ? rest : rest.slice(0, mark)
  if (folder === '') throw new Error('names no folder after "replay:"')
  const query = new URLSearchParams(mark < 0 ? '' : rest.slice(mark + 1))
  for (const name of query.keys()) {
    if (!['speed', 'feed', 'start'].includes(name)) throw new Error(`replay knows speed, feed and start, not "${name}"`)
  }
  const speedText = query.get('speed') ?? '1'
  const speed = Number(speedText)
  if (!/^[0-9]{1,4}$/.test(speedText) || speed < 1 || speed > speedMax)
    throw new Error(`speed must be a whole number from 1 to ${speedMax}, not "${speedText}"`)
  const feed = query.get('feed') ?? 'candles'
  if (feed !== 'candles' && feed !== 'trades') throw new Error(`feed must be candles or trades, not "${feed}"`)
  const startText = query.get('start')
  // A time without a zone is UTC, like the files.
  const startMs =
    startText === null
      ? undefined
      : Date.parse(/(Z|[+-][0-9]{2}:?[0-9]{2})$/.test(startText) || !startText.includes('T') ? startText : `${startText}Z`)
  if (startMs !== undefined && !Number.isFinite(startMs)) throw new Error(`start must be a time in ISO 8601, not "${startText}"`)
  return { kind: 'replay', folder, feed, speed, startMs }
}
