import { access } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Candle } from '@maru/domain/candles'
import { unitsOfNumber } from '../market/units.ts'

/** What one exchange says of a market now, in units of 10^-8. */
export interface Quote {
  symbol: string
  price: number
  bid: number
  ask: number
}

export interface ExchangeTrade {
  id: string
  timeMs: number
  price: number
  quantity: number
  side: 'BUY' | 'SELL'
}

/** The part of a ccxt exchange that is used here. Figures come from outside and are judged one by one. */
interface CcxtExchange {
  timeout: number
  has: Record<string, unknown>
  markets?: Record<string, { active?: boolean; spot?: boolean } | undefined>
  fetchTime(): Promise<unknown>
  loadMarkets(): Promise<unknown>
  fetchTicker(symbol: string): Promise<Ticker>
  fetchTickers(symbols: string[]): Promise<Record<string, Ticker | undefined>>
  fetchTrades(
    symbol: string,
    since?: number,
    limit?: number,
  ): Promise<{ id?: unknown; timestamp?: unknown; price?: unknown; amount?: unknown; side?: unknown }[]>
  fetchOHLCV(symbol: string, timeframe: string, since: number, limit: number): Promise<unknown[][]>
}

interface Ticker {
  last?: unknown
  bid?: unknown
  ask?: unknown
}

export interface ExchangeSetting {
  name: string
  /** Overrides of the library's settings, such as `urls`. */
  overrides?: Record<string, unknown>
}

const requestMs = 4_000
const candlePageMax = 1_000
const tradePageMax = 200

/** Folder of the library's single exchanges: the package as a whole takes half a second and 150 MB to load. */
const exchangesFolder = path.join(path.dirname(createRequire(import.meta.url).resolve('ccxt')), '..', 'js', 'src')

/** Whether the library knows an exchange of this name. */
export async function isKnownExchange(name: string): Promise<boolean> {
  if (!/^[a-z0-9]+$/.test(name) || name === 'ccxt') return false
  return access(path.join(exchangesFolder, `${name}.js`)).then(
    () => true,
    () => false,
  )
}

/** One exchange through ccxt, by its public REST. Every call may throw; nothing here retries. */
export class Exchange {
  readonly name: string
  readonly #client: CcxtExchange
  #markets: Promise<unknown> | undefined

  private constructor(name: string, client: CcxtExchange) {
    this.name = name
    this.#client = client
  }

  static async open(setting: ExchangeSetting): Promise<Exchange> {
    const module = (await import(pathToFileURL(path.join(exchangesFolder, `${setting.name}.js`)).href)) as {
      default: new (options: object) => CcxtExchange
    }
    const client = new module.default({
      timeout: requestMs,
      enableRateLimit: true,
      // Spot alone: the lists of futures are large and are asked from other hosts.
      options: { defaultType: 'spot', ...(setting.name === 'binance' ? { fetchMarkets: { types: ['spot'] } } : {}) },
      ...setting.overrides,
    })
    return new Exchange(setting.name, client)
  }

  /** Resolves when the exchange has answered anything that makes sense. */
  async probe(): Promise<void> {
    if (this.#client.has['fetchTime'] !== true) return this.#load()
    const time = await this.#client.fetchTime()
    if (typeof time !== 'number') throw new Error('the answer is not a time')
  }

  /** Which of `symbols` the exchange trades. */
  async symbols(symbols: readonly string[]): Promise<string[]> {
    await this.#load()
    return symbols.filter((symbol) => {
      const market = this.#client.markets?.[symbol]
      return market !== undefined && market.active !== false && market.spot !== false
    })
  }

  /** Prices of `symbols`, which it trades; what makes no sense is left out. */
  async quotes(symbols: readonly string[]): Promise<Quote[]> {
    const tickers: Record<string, Ticker | undefined> = {}
    if (this.#client.has['fetchTickers'] === true) Object.assign(tickers, await this.#client.fetchTickers([...symbols]))
    else for (const symbol of symbols) tickers[symbol] = await this.#client.fetchTicker(symbol)
    return symbols.flatMap((symbol) => quoteOf(symbol, tickers[symbol]) ?? [])
  }

  /** Recent trades, oldest first; empty where the exchange does not tell. */
  async trades(symbol: string): Promise<ExchangeTrade[]> {
    if (this.#client.has['fetchTrades'] !== true) return []
    const list = await this.#client.fetchTrades(symbol, undefined, tradePageMax)
    return list
      .flatMap((entry): ExchangeTrade[] => {
        const price = unitsOfNumber(entry.price)
        const quantity = unitsOfNumber(entry.amount)
        const { timestamp, side } = entry
        if (price === undefined || quantity === undefined || typeof timestamp !== 'number' || !Number.isSafeInteger(timestamp)) return []
        const id = typeof entry.id === 'string' ? entry.id : `${timestamp}-${price}-${quantity}`
        return [{ id, timeMs: timestamp, price, quantity, side: side === 'sell' ? 'SELL' : 'BUY' }]
      })
      .sort((a, b) => a.timeMs - b.timeMs)
  }

  /** 1-minute candles from `fromMs` on, oldest first, at most what the exchange gives at once. */
  async candles(symbol: string, fromMs: number): Promise<Candle[]> {
    if (this.#client.has['fetchOHLCV'] !== true) return []
    await this.#load()
    const rows = await this.#client.fetchOHLCV(symbol, '1m', fromMs, candlePageMax)
    return rows.flatMap((row) => candleOfRow(row) ?? []).sort((a, b) => a.startMs - b.startMs)
  }

  #load(): Promise<void> {
    this.#markets ??= this.#client.loadMarkets().catch((error: unknown) => {
      // A failed try must not be remembered.
      this.#markets = undefined
      throw error
    })
    return this.#markets.then(() => undefined)
  }
}

function quoteOf(symbol: string, ticker: Ticker | undefined): Quote | undefined {
  if (ticker === undefined) return undefined
  const bid = unitsOfNumber(ticker.bid)
  const ask = unitsOfNumber(ticker.ask)
  const crossed = bid !== undefined && ask !== undefined && bid > ask
  if (crossed) return undefined
  const last = unitsOfNumber(ticker.last)
  const middle = bid !== undefined && ask !== undefined ? Math.round((bid + ask) / 2) : undefined
  const price = last ?? middle
  if (price === undefined) return undefined
  // The last trade may be long ago: it counts only within the spread of now.
  const within = Math.min(Math.max(price, bid ?? price), ask ?? price)
  return { symbol, price: within, bid: bid ?? within, ask: ask ?? within }
}

function candleOfRow(row: unknown): Candle | undefined {
  if (!Array.isArray(row)) return undefined
  const [startMs, ...rest] = row as unknown[]
  const [open, high, low, close] = rest.slice(0, 4).map(unitsOfNumber)
  const volume = rest[4] === 0 ? 0 : unitsOfNumber(rest[4])
  if (typeof startMs !== 'number' || startMs % 60_000 !== 0) return undefined
  if (open === undefined || high === undefined || low === undefined || close === undefined || volume === undefined) return undefined
  if (low > Math.min(open, close) || high < Math.max(open, close)) return undefined
  return { startMs, open, high, low, close, volume: BigInt(volume), trades: null }
}

/** A fault of an exchange in a few words, without what it answered. */
export function faultOf(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  const hint =
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|CERT_[A-Z_]+|timed out|\b[45][0-9]{2}\b/.exec(
      message,
    )?.[0]
  return hint === undefined ? name : `${name} (${hint})`
}
