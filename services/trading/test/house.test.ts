import { expect, test } from 'vitest'
import { CommandKind, MarketStatus, topics, type Command } from '@maru/contracts'
import { Exchange } from '@maru/domain/exchange'
import { createMemoryEventLog, encodeJsonRecord } from '@maru/event-log'
import { createLogger } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import { genesisCommands } from '../genesis.ts'
import { runHouse } from '../house-liquidity/house.ts'
import type { Intake, Unstamped } from '../intake/intake.ts'
import type { Replica } from '../replica/replica.ts'

/** The house over an exchange that takes its commands at once. */
function given() {
  const exchange = new Exchange()
  let time = Date.UTC(2026, 0, 1)
  const quotes: Command[] = []
  const apply = (unstamped: Unstamped): void => {
    const command = { ...unstamped, time: (time += 1) } as Command
    if (command.kind === CommandKind.massQuote) quotes.push(command)
    exchange.apply(command)
  }
  for (const command of genesisCommands(exchange)) apply(command)
  const submit: Intake['submit'] = async (command, read) => {
    apply(command as Unstamped)
    return read(exchange)
  }
  const open: Accounts['open'] = async (userId) => {
    apply({ kind: CommandKind.openAccount, userId, grants: [] })
    return exchange.accountOf(userId)
  }
  const log = createMemoryEventLog()
  let appended = 0
  const stop = new AbortController()
  const house = runHouse({
    log,
    replica: { exchange } as Replica,
    intake: { submit } as Intake,
    accounts: { open } as Accounts,
    logger: createLogger({ service: 'test', instanceId: 'test', level: 'silent' }),
    quotes: true,
    signal: stop.signal,
  })
  const symbol = exchange.symbolOf('ADA/USDT')
  return {
    quotes,
    setStatus: (status: MarketStatus) =>
      apply({ kind: CommandKind.setMarketStatus, symbol, status, auctionMs: 0, actor: 'op' } as Unstamped),
    asks: () => exchange.book(symbol, 1).asks.map(({ price }) => price),
    price: async (price: string, bid: string, ask: string) => {
      const data = { symbol: 'ADA/USDT', price, bid, ask, sources: ['synthetic'] }
      const event = { id: price, type: 'price.updated', v: 1, timestamp: new Date(time).toISOString(), data }
      await log.append(topics.marketData, encodeJsonRecord([JSON.stringify(event)]), { producer: 'test', sequence: (appended += 1) })
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await house.catch(() => undefined)
    },
  }
}

test('a market that opens again is quoted at the price it had last, though that does not change', async () => {
  await using house = given()
  await house.price('0.4', '0.3999', '0.4001')
  await expect.poll(house.asks).toEqual([4_001])

  house.setStatus(MarketStatus.halted)
  await house.price('0.5', '0.4999', '0.5001')
  await expect.poll(house.asks).toEqual([])
  // While it is closed the house asks once, not with every price.
  const asked = house.quotes.length
  for (const price of ['0.6', '0.7']) await house.price(price, price, '0.7001')
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(house.quotes.length).toBe(asked)

  house.setStatus(MarketStatus.open)
  await expect.poll(house.asks, { timeout: 20_000 }).toEqual([7_001])
})
