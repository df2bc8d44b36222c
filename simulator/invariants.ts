import { AccountMode, CommandKind, MarketStatus, Side, type Command, type PlaceOrder } from '@maru/contracts'
import { EventKind, type Exchange } from '@maru/domain/exchange'
import type { Verdict } from './violation.ts'

/** What must hold of any exchange after any command. Walks all balances. */
export function checkBalances(exchange: Exchange, verdict: Verdict, who: string): void {
  for (const { asset, difference } of exchange.reconciliation())
    if (difference !== 0n) verdict.fail(`${who}: after command ${exchange.commandCount} asset ${asset} is off by ${difference}`)
  for (let account = 0; account < exchange.accountCount; account++) {
    if (exchange.mode(account) === AccountMode.margin) continue
    for (let asset = 0; asset < exchange.assets.length; asset++) {
      const { total, held } = exchange.balance(account, asset)
      if (total < 0 || total < held)
        verdict.fail(
          `${who}: after command ${exchange.commandCount} cash account ${account} has ${total} of asset ${asset}, of which ${held} are held`,
        )
    }
  }
}

/** What must hold of every market, and of the numbers that the command's events were given. `sequences`: the last number of each account. */
export function checkStreams(exchange: Exchange, sequences: Map<number, number>, verdict: Verdict): void {
  for (const { symbol, status } of exchange.markets) {
    // Before an auction orders come together without being matched.
    if (status !== MarketStatus.open) continue
    const { bids, asks } = exchange.book(symbol, 1)
    if (bids[0] && asks[0] && bids[0].price >= asks[0].price)
      verdict.fail(`after command ${exchange.commandCount} the book of market ${symbol} is crossed`)
  }
  const { data, length } = exchange.outcome
  for (let at = 0; at < length; at += data[at + 1]!) {
    for (const place of numberedPlaces(data[at]!)) {
      const account = data[at + place]!
      const sequence = data[at + place + 1]!
      const expected = (sequences.get(account) ?? 0) + 1
      if (sequence !== expected)
        verdict.fail(`command ${exchange.commandCount}: an event of account ${account} is numbered ${sequence}, not ${expected}`)
      sequences.set(account, sequence)
    }
  }
}

/** Where in an event the accounts stand that it numbers; the number follows. Of kinds that are not known here nothing is said. */
function numberedPlaces(kind: number): readonly number[] {
  if (kind === EventKind.trade || kind === EventKind.auctionTrade) return [9, 14]
  return singlyNumbered.has(kind) ? [2] : []
}

const singlyNumbered = new Set<number>([
  EventKind.accountOpened,
  EventKind.orderAccepted,
  EventKind.orderRejected,
  EventKind.orderTriggered,
  EventKind.orderUpdated,
  EventKind.fundsMoved,
  EventKind.fillBooked,
  EventKind.limitsChanged,
  EventKind.modeChanged,
  EventKind.orderAmended,
  EventKind.listAccepted,
  EventKind.controlsChanged,
  EventKind.fundsTransferred,
  EventKind.accountLiquidated,
  EventKind.liquidationFeePaid,
  EventKind.insurancePaid,
])

/**
 * Judges from outside whether an order was let through that passes a limit. Made before the order is applied; the answer is looked at after. It
 * errs on the side of the exchange: prices at the mark, what has already traded at the figures of before.
 */
export function limitCheck(exchange: Exchange, command: Command): ((verdict: Verdict) => void) | undefined {
  // A reduce-only order passes the limits: it cannot make a position larger.
  if (command.kind !== CommandKind.placeOrder || command.extras?.isReduceOnly) return undefined
  const { account, symbol, side, quantity } = command
  const market = exchange.markets[symbol]
  if (!market || exchange.userIdOf(account) === '') return undefined
  const before = exchange.position(account, symbol)
  const limits = exchange.limits(account)
  const { equity, dailyRealized } = exchange.risk(account)
  const mark = exchange.mark(symbol)
  const day = dayOf(exchange)
  const [held, openBefore] = [before?.quantity ?? 0, (side === Side.buy ? before?.openBuy : before?.openSell) ?? 0]
  const signed = side === Side.buy ? 1 : -1
  const isReducing = held * signed < 0 && (held + signed * (openBefore + quantity)) * signed <= 0
  return (verdict) => {
    if (isReducing || !wasAccepted(exchange, command)) return
    const after = exchange.position(account, symbol)
    // In the direction of the order: a position that was too large on the other side is not its doing.
    const open = (side === Side.buy ? after?.openBuy : after?.openSell) ?? 0
    const worst = Math.max(0, signed * (after?.quantity ?? 0) + open)
    const notional = worst * Math.max(mark, command.price, command.stopPrice) * market.notionalFactor
    const positionMax = limits.bySymbol.get(symbol) ?? limits.positionNotionalMax
    const order = `command ${exchange.commandCount}: an order of account ${account}`
    if (notional > positionMax) verdict.fail(`${order} brings its position to ${notional}, beyond its limit of ${positionMax}`)
    // The loss of the day before counts no more.
    if (day === dayOf(exchange) && -dailyRealized >= limits.dailyLossMax)
      verdict.fail(`${order} was accepted after a loss of ${-dailyRealized} today, its limit is ${limits.dailyLossMax}`)
    if (exchange.mode(account) !== AccountMode.margin) return
    const { exposure } = exchange.risk(account)
    if (exposure * 100 > limits.leverageMaxHundredths * equity)
      verdict.fail(
        `${order} brings its exposure to ${exposure} with an equity of ${equity}, beyond its leverage of ${limits.leverageMaxHundredths} hundredths`,
      )
  }
}

function dayOf(exchange: Exchange): number {
  return Math.floor(exchange.timeMs / 86_400_000)
}

function wasAccepted(exchange: Exchange, { account }: PlaceOrder): boolean {
  const { data, length } = exchange.outcome
  return length > 0 && data[0] === EventKind.orderAccepted && data[2] === account
}
