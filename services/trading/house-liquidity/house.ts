import { CommandKind, MarketStatus, systemUserPrefix, topics, type MarketDataEvent } from '@maru/contracts'
import { refusals, type MarketView } from '@maru/domain/exchange'
import { parseDecimal } from '@maru/domain/money'
import { decodeJsonRecord, pause, systemClock, type Clock, type EventLog } from '@maru/event-log'
import type { Logger } from '@maru/service-host'
import type { Accounts } from '../accounts.ts'
import type { Intake } from '../intake/intake.ts'
import { refusalOf } from '../replica/outcome-reader.ts'
import type { Replica } from '../replica/replica.ts'
import { quoteLadders, type Reference } from './quotes.ts'

const houseUserId = `${systemUserPrefix}house`
/** Without a price for so long, quotes are withdrawn rather than left to be picked off. */
const staleAfterMs = 15_000
const checkEveryMs = 1_000

/**
 * What the house starts with, in whole units: play money like everyone's, deposited once. Worth some millions each, a long way under
 * the 90 million USDT that one amount can count, whatever a coin comes to cost.
 */
const stock: Readonly<Record<string, string>> = { USDT: '20000000', BTC: '100', ETH: '2000', ADA: '10000000', DOT: '1000000' }
const unlimited = Number.MAX_SAFE_INTEGER

interface HouseOptions {
  log: EventLog
  replica: Replica
  intake: Intake
  accounts: Accounts
  logger: Logger
  /** Quotes as well as marks; off, only marks are fed. */
  quotes: boolean
  signal: AbortSignal
  clock?: Clock
}

/**
 * Feeds the exchange its mark prices and quotes around them as an ordinary account, from the topic `market-data`. Runs where the
 * publisher leads, so that there is one; two for a moment do no harm, as each mass quote replaces the last.
 */
export async function runHouse(options: HouseOptions): Promise<void> {
  const { log, replica, intake, logger, signal, clock = systemClock } = options
  const { exchange } = replica
  const seenMs = new Map<number, number>()
  const funded = new Set<string>()
  /** What to quote where the market was not open when last quoted: once it opens, its price may not change for long. */
  const awaitingOpen = new Map<number, Reference>()
  let account = -1

  const submit = async (command: Parameters<Intake['submit']>[0]): Promise<void> => {
    const refusal = await intake.submit(command, (applied) => refusalOf(applied.outcome))
    if (refusal !== 0) logger.warn({ kind: command.kind, code: refusals[refusal] }, 'a command of the house was refused')
  }

  async function fund(asset: number): Promise<void> {
    const view = exchange.assets[asset]!
    if (funded.has(view.name)) return
    const amount = parseDecimal(stock[view.name] ?? '0', view.scale)
    if (typeof amount === 'number' && amount > 0)
      await submit({ kind: CommandKind.moveFunds, account, asset, amount, reference: `house-stock-${view.name}`, actor: houseUserId })
    funded.add(view.name)
  }

  async function prepare(): Promise<void> {
    if (account >= 0) return
    account = await options.accounts.open(houseUserId)
    await submit({
      kind: CommandKind.setLimits,
      account,
      symbol: -1,
      positionNotionalMax: unlimited,
      leverageMaxHundredths: unlimited,
      dailyLossMax: unlimited,
      actor: houseUserId,
    })
  }

  const isOpen = (symbol: number): boolean => {
    const { status, isStopped } = exchange.markets[symbol]!
    return status === MarketStatus.open && !isStopped
  }

  async function quote(symbol: number, reference: Reference | undefined): Promise<void> {
    await prepare()
    const market = exchange.markets[symbol]!
    const isWithdrawn = awaitingOpen.has(symbol)
    if (reference && !isOpen(symbol)) {
      awaitingOpen.set(symbol, reference)
      // The first quote that a closed market refuses withdraws those before it; more of them would change nothing.
      if (isWithdrawn) return
    } else awaitingOpen.delete(symbol)
    await fund(market.quote)
    // At the mark, so that the stock enters the position at what it is worth.
    if (exchange.mark(symbol) > 0) await fund(market.base)
    const ladders = reference
      ? quoteLadders(market, exchange.assets[market.quote]!.scale, reference, budget(market))
      : { bids: [], asks: [] }
    await submit({ kind: CommandKind.massQuote, account, symbol, ...ladders })
  }

  function budget(market: MarketView): { quoteUnits: number; lots: number } {
    const markets = exchange.markets.filter((other) => other.quote === market.quote).length
    const base = exchange.assets[market.base]!
    const unitsPerLot = market.lotUnits * 10 ** (base.scale - market.quantityScale)
    return {
      quoteUnits: exchange.balance(account, market.quote).total / markets,
      lots: exchange.balance(account, market.base).total / unitsPerLot,
    }
  }

  async function onPrice(event: MarketDataEvent): Promise<void> {
    const symbol = exchange.symbolOf(event.data.symbol)
    const market = exchange.markets[symbol]
    if (!market) return
    const reference = referenceOf(market, event)
    if (!reference) {
      logger.warn({ event: event.id }, 'a price that no tick can carry was left out')
      return
    }
    seenMs.set(symbol, clock.elapsedMs())
    if (exchange.mark(symbol) !== reference.mark) await submit({ kind: CommandKind.markPrice, symbol, price: reference.mark })
    if (options.quotes) await quote(symbol, reference)
  }

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      await pause(checkEveryMs, signal, clock)
      for (const [symbol, reference] of awaitingOpen) {
        if (isOpen(symbol))
          await quote(symbol, reference).catch((error: unknown) =>
            logger.warn({ err: error }, 'the house could not quote an opened market'),
          )
      }
      for (const [symbol, seen] of seenMs) {
        if (clock.elapsedMs() - seen < staleAfterMs) continue
        seenMs.delete(symbol)
        logger.warn({ symbol: exchange.markets[symbol]!.name }, 'no price for too long; the house withdraws its quotes')
        if (options.quotes)
          await quote(symbol, undefined).catch((error: unknown) => logger.warn({ err: error }, 'the house could not withdraw its quotes'))
      }
    }
  }

  async function followPrices(): Promise<void> {
    // Old prices are of no use: from the newest record on.
    const head = await log.head(topics.marketData)
    for await (const records of log.follow(topics.marketData, Math.max(0, head - 1), {
      recordsMax: 100,
      bytesMax: 1_024 * 1_024,
      signal,
    })) {
      const latest = new Map<string, MarketDataEvent>()
      for (const record of records)
        for (const event of decodeJsonRecord(record.body) as MarketDataEvent[])
          if (event.type === 'price.updated') latest.set(event.data.symbol, event)
      for (const event of latest.values()) {
        try {
          await onPrice(event)
        } catch (error) {
          if (signal.aborted) return
          logger.warn({ err: error }, 'the house could not act on a price')
        }
      }
    }
  }

  await Promise.all([followPrices(), watch()])
}

/** The price in whole ticks: the mark to the nearest, the bid down, the ask up; undefined where it is no positive price. */
function referenceOf(market: MarketView, event: MarketDataEvent): (Reference & { mark: number }) | undefined {
  const perTick = 10 ** market.priceScale / market.tickUnits
  const mark = Math.round(Number(event.data.price) * perTick)
  // A hair's breadth of floating point must not move a bid that stands on a tick.
  const bidTicks = Math.floor(Number(event.data.bid) * perTick + 1e-6)
  const askTicks = Math.max(Math.ceil(Number(event.data.ask) * perTick - 1e-6), bidTicks + 1)
  return mark > 0 && bidTicks > 0 && mark <= market.priceMaxTicks && Number.isSafeInteger(askTicks)
    ? { mark, bidTicks, askTicks }
    : undefined
}
