import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CommandKind } from '@maru/contracts'
import { Exchange, refusals } from '@maru/domain/exchange'
import { genesisCommands } from '../genesis.ts'
import { refusalOf } from '../replica/outcome-reader.ts'
import { quoteLadders } from '../house-liquidity/quotes.ts'

function builtIn(): Exchange {
  const exchange = new Exchange()
  for (const command of genesisCommands(exchange)) exchange.apply({ ...command, time: 0 } as never)
  return exchange
}

test('ladders stand in order on both sides of the reference, never crossed, and within the budget', () => {
  const exchange = builtIn()
  fc.assert(
    fc.property(
      fc.nat({ max: 3 }),
      fc.integer({ min: 1, max: 10_000_000 }),
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 0, max: 9_000_000_000_000_000 }),
      fc.integer({ min: 0, max: 1_000_000_000 }),
      (symbol, bidTicks, spread, quoteUnits, lots) => {
        const market = exchange.markets[symbol]!
        const { bids, asks } = quoteLadders(market, 8, { bidTicks, askTicks: bidTicks + spread }, { quoteUnits, lots })
        const prices = (side: number[]): number[] => side.filter((_, index) => index % 2 === 0)
        const quantities = (side: number[]): number[] => side.filter((_, index) => index % 2 === 1)
        expect(prices(bids)).toEqual([...new Set(prices(bids))].sort((a, b) => b - a))
        expect(prices(asks)).toEqual([...new Set(prices(asks))].sort((a, b) => a - b))
        for (const price of prices(bids)) expect(price).toBeLessThanOrEqual(bidTicks)
        for (const price of prices(asks)) expect(price).toBeGreaterThanOrEqual(bidTicks + spread)
        for (const value of [...bids, ...asks]) expect(Number.isSafeInteger(value) && value > 0).toBe(true)
        expect(quantities(asks).reduce((sum, quantity) => sum + quantity, 0)).toBeLessThanOrEqual(lots)
        const cost = prices(bids).reduce((sum, price, index) => sum + price * quantities(bids)[index]! * market.notionalFactor, 0)
        expect(cost).toBeLessThanOrEqual(quoteUnits)
      },
    ),
  )
})

test('the house can quote every built-in market with what it starts with', () => {
  const exchange = builtIn()
  const house = 0
  exchange.apply({
    kind: CommandKind.openAccount,
    time: 0,
    userId: 'system-house',
    grants: exchange.assets.map((_, asset) => ({ asset, amount: 400_000 * 1e8 })),
  })
  for (const [symbol, market] of exchange.markets.entries()) {
    exchange.apply({
      kind: CommandKind.setLimits,
      time: 0,
      account: house,
      symbol: -1,
      positionNotionalMax: Number.MAX_SAFE_INTEGER,
      leverageMaxHundredths: Number.MAX_SAFE_INTEGER,
      dailyLossMax: Number.MAX_SAFE_INTEGER,
      actor: 'test',
    })
    const ticks = 100 * 10 ** market.priceScale
    exchange.apply({ kind: CommandKind.markPrice, time: 0, symbol, price: ticks })
    const ladders = quoteLadders(
      market,
      8,
      { bidTicks: ticks, askTicks: ticks + 1 },
      { quoteUnits: 100_000 * 1e8, lots: 10_000 * 10 ** market.quantityScale },
    )
    exchange.apply({ kind: CommandKind.massQuote, time: 0, account: house, symbol, ...ladders })
    expect(refusals[refusalOf(exchange.outcome)]).toBe(refusals[0])
    const book = exchange.book(symbol, 20)
    expect(book.bids.length * 2).toBe(ladders.bids.length)
    expect(book.asks.length * 2).toBe(ladders.asks.length)
    expect(book.bids.length).toBeGreaterThan(1)
  }
})
