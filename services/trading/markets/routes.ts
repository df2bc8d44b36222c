import { symbolFromPath, symbolToPath } from '@maru/contracts'
import { tradingEndpoints } from '@maru/contracts/http/trading'
import { pageOf, Problem, type HttpService } from '@maru/service-host'
import type { Replica } from '../replica/replica.ts'
import { priceText, quantityText, time } from '../wire/wire.ts'
import { marketAnswer } from './market-answer.ts'

export function serveMarkets({ http, replica }: { http: HttpService; replica: Replica }): void {
  const { exchange } = replica

  function symbolOf(text: string): number {
    const name = symbolFromPath(text)
    const symbol = exchange.symbolOf(name)
    if (symbol < 0) throw new Problem('symbol_not_found', `There is no market ${name}.`)
    return symbol
  }

  http.serve(tradingEndpoints.markets, ({ query }) =>
    pageOf(
      exchange.markets.map((_, symbol) => marketAnswer(exchange, symbol)),
      query,
      ({ symbol }) => symbolToPath(symbol),
    ),
  )
  http.serve(tradingEndpoints.market, ({ params }) => marketAnswer(exchange, symbolOf(params.symbol)))
  http.serve(tradingEndpoints.book, ({ params, query }) => {
    const symbol = symbolOf(params.symbol)
    const market = exchange.markets[symbol]!
    const book = exchange.book(symbol, query.depth ?? 20)
    const level = ({ price, quantity }: { price: number; quantity: number }): [string, string] => [
      priceText(market, price),
      quantityText(market, quantity),
    ]
    return {
      symbol: market.name,
      position: exchange.commandCount,
      bids: book.bids.map(level),
      asks: book.asks.map(level),
      timestamp: time(exchange.timeMs),
    }
  })
}
