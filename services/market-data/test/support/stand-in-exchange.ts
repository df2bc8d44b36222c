import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExchangeSetting } from '../../live/exchange.ts'

/** How the stand-in behaves: well, with an error, with no answer ever, with something that is no JSON, or with prices that make no sense. */
export type Mood = 'well' | 'failing' | 'hanging' | 'garbage' | 'absurd'

export interface StandIn extends AsyncDisposable {
  readonly setting: ExchangeSetting
  mood: Mood
  /** Price of a market now, `BTC/USDT` … */
  prices: Record<string, number>
  /** 1-minute candles by market: start, open, high, low, close, volume. */
  candles: Record<string, [number, number, number, number, number, number][]>
  trades: Record<string, { id: number; price: string; quantity: string; timeMs: number; sell: boolean }[]>
  requests: number
}

type Answer = (path: string, query: URLSearchParams, standIn: StandIn) => unknown

/** An HTTP server on loopback that speaks the public REST of an exchange, for the real client library. */
async function serve(name: string, answer: Answer, urls: (base: string) => object): Promise<StandIn> {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    standIn.requests++
    const url = new URL(request.url ?? '/', 'http://stand-in')
    if (standIn.mood === 'hanging') return
    if (standIn.mood === 'failing') return void response.writeHead(503).end('down for maintenance')
    if (standIn.mood === 'garbage')
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>log in to the hotel network</html>')
    const body = answer(url.pathname, url.searchParams, standIn)
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const standIn: StandIn = {
    setting: { name, overrides: { urls: { api: urls(base) }, timeout: 1_000, rateLimit: 1 } },
    mood: 'well',
    prices: { 'BTC/USDT': 28_000, 'ETH/USDT': 1_800, 'ADA/USDT': 0.38, 'DOT/USDT': 6 },
    candles: {},
    trades: {},
    requests: 0,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return standIn
}

const absurd = { bid: '7', ask: '-3', last: 'NaN' }

function quote(standIn: StandIn, symbol: string): { bid: string; ask: string; last: string } {
  if (standIn.mood === 'absurd') return absurd
  const price = standIn.prices[symbol]!
  return { bid: String(price * 0.9999), ask: String(price * 1.0001), last: String(price) }
}

/** Binance spot: `/exchangeInfo`, `/ticker/24hr`, `/klines`, `/aggTrades`, `/time`. Field names as in its public documentation. */
export function standInBinance(): Promise<StandIn> {
  const symbolOf = (id: string) => `${id.slice(0, -4)}/USDT`
  return serve(
    'binance',
    (path, query, standIn) => {
      switch (path) {
        case '/api/v3/time':
          return { serverTime: Date.now() }
        case '/api/v3/exchangeInfo':
          return {
            symbols: Object.keys(standIn.prices).map((symbol) => ({
              symbol: symbol.replace('/', ''),
              status: 'TRADING',
              baseAsset: symbol.split('/')[0],
              quoteAsset: 'USDT',
              baseAssetPrecision: 8,
              quotePrecision: 8,
              isSpotTradingAllowed: true,
              permissions: ['SPOT'],
              orderTypes: ['LIMIT', 'MARKET'],
              filters: [],
            })),
          }
        case '/api/v3/ticker/24hr':
          return (JSON.parse(query.get('symbols') ?? '[]') as string[]).map((id) => {
            const { bid, ask, last } = quote(standIn, symbolOf(id))
            return {
              symbol: id,
              lastPrice: last,
              bidPrice: bid,
              askPrice: ask,
              bidQty: '1',
              askQty: '1',
              volume: '10',
              quoteVolume: '10',
              openTime: Date.now() - 86_400_000,
              closeTime: Date.now(),
            }
          })
        case '/api/v3/klines':
          return (standIn.candles[symbolOf(query.get('symbol')!)] ?? [])
            .filter(([start]) => start >= Number(query.get('startTime') ?? 0))
            .slice(0, Math.min(Number(query.get('limit') ?? 500), 1_000))
            .map(([start, ...rest]) => [start, ...rest.map(String), start + 59_999, '0', 1, '0', '0', '0'])
        case '/api/v3/aggTrades':
          return (standIn.trades[symbolOf(query.get('symbol')!)] ?? []).map((trade) => ({
            a: trade.id,
            p: trade.price,
            q: trade.quantity,
            f: trade.id,
            l: trade.id,
            T: trade.timeMs,
            m: trade.sell,
            M: true,
          }))
        default:
          return undefined
      }
    },
    (base) => ({ public: `${base}/api/v3`, private: `${base}/api/v3`, v1: `${base}/api/v1`, sapi: `${base}/sapi/v1` }),
  )
}

/** Kraken: `/0/public/AssetPairs`, `Assets`, `Ticker`, `Time`. It calls bitcoin XBT. */
export function standInKraken(): Promise<StandIn> {
  const idOf = (symbol: string) => symbol.replace('BTC', 'XBT').replace('/', '')
  return serve(
    'kraken',
    (path, query, standIn) => {
      const symbols = Object.keys(standIn.prices)
      switch (path) {
        case '/0/public/Time':
          return { error: [], result: { unixtime: Math.floor(Date.now() / 1_000), rfc1123: '' } }
        case '/0/public/Assets':
          return {
            error: [],
            result: Object.fromEntries(
              ['XXBT', 'XETH', 'ADA', 'DOT', 'USDT'].map((id) => [
                id,
                { aclass: 'currency', altname: id.replace(/^X(?=XBT|ETH)/, ''), decimals: 8, display_decimals: 5, status: 'enabled' },
              ]),
            ),
          }
        case '/0/public/AssetPairs':
          return {
            error: [],
            result: Object.fromEntries(
              symbols.map((symbol) => {
                const base = symbol.split('/')[0]!
                const asset = base === 'BTC' ? 'XXBT' : base === 'ETH' ? 'XETH' : base
                return [
                  idOf(symbol),
                  {
                    altname: idOf(symbol),
                    wsname: symbol.replace('BTC', 'XBT'),
                    aclass_base: 'currency',
                    base: asset,
                    aclass_quote: 'currency',
                    quote: 'USDT',
                    lot: 'unit',
                    pair_decimals: 5,
                    lot_decimals: 8,
                    cost_decimals: 5,
                    lot_multiplier: 1,
                    leverage_buy: [],
                    leverage_sell: [],
                    fees: [[0, 0.26]],
                    fees_maker: [[0, 0.16]],
                    ordermin: '0.0001',
                    costmin: '0.5',
                    tick_size: '0.00001',
                    status: 'online',
                  },
                ]
              }),
            ),
          }
        case '/0/public/Ticker': {
          const wanted = (query.get('pair') ?? '').split(',')
          return {
            error: [],
            result: Object.fromEntries(
              symbols
                .filter((symbol) => wanted.includes(idOf(symbol)))
                .map((symbol) => {
                  const { bid, ask, last } = quote(standIn, symbol)
                  return [
                    idOf(symbol),
                    {
                      a: [ask, '1', '1'],
                      b: [bid, '1', '1'],
                      c: [last, '1'],
                      v: ['1', '1'],
                      p: ['1', '1'],
                      t: [1, 1],
                      l: ['1', '1'],
                      h: ['1', '1'],
                      o: '1',
                    },
                  ]
                }),
            ),
          }
        }
        default:
          return undefined
      }
    },
    (base) => ({ public: base, private: base }),
  )
}
