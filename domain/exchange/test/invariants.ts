import { AccountMode, MarketStatus, OrderType, Side } from '@maru/contracts/commands'
import { expect } from 'vitest'
import type { EventKind, Exchange, OrderView } from '../index.ts'
import type { SeenEvent } from './venue.ts'

/** Follows an exchange from outside and checks, after each command, what must always be so. */
export class Auditor {
  readonly #exchange: Exchange
  readonly #sequences: number[] = []

  constructor(exchange: Exchange) {
    this.#exchange = exchange
    for (let account = 0; account < exchange.accountCount; account++) this.#sequences.push(exchange.accountSequence(account))
  }

  /** Takes the numbers of streams as they are now for right. */
  startHere(): void {
    for (let account = 0; account < this.#exchange.accountCount; account++)
      this.#sequences[account] = this.#exchange.accountSequence(account)
  }

  check(events: readonly SeenEvent[]): void {
    this.#checkStreams(events)
    this.#checkAssets()
    this.#checkHolds()
    for (const { symbol } of this.#exchange.markets) {
      const { bids, asks } = this.#exchange.book(symbol, 1)
      // An auction, and a halt that followed one, collect orders without matching them.
      if (this.#exchange.markets[symbol]!.status !== MarketStatus.open) continue
      if (bids[0] && asks[0]) expect(bids[0].price, 'the book is not crossed').toBeLessThan(asks[0].price)
    }
  }

  /** Every account's events are numbered 1, 2, 3 … */
  #checkStreams(events: readonly SeenEvent[]): void {
    const count = (account: number, sequence: number): void => {
      expect(sequence).toBe((this.#sequences[account] ?? 0) + 1)
      this.#sequences[account] = sequence
    }
    for (const { kind, fields } of events) {
      if (kind === 'trade' || kind === 'auctionTrade') {
        count(fields[7]!, fields[8]!)
        count(fields[12]!, fields[13]!)
      } else if (numbered.has(kind)) count(fields[0]!, fields[1]!)
    }
    for (let account = 0; account < this.#exchange.accountCount; account++) {
      check(this.#exchange.accountSequence(account), this.#sequences[account] ?? 0, `the last event of account ${account}`)
    }
  }

  #checkAssets(): void {
    const exchange = this.#exchange
    for (const { asset, difference } of exchange.reconciliation()) check(difference, 0n, `asset ${asset} adds up`)
    for (let account = 0; account < exchange.accountCount; account++) {
      if (exchange.mode(account) === AccountMode.margin) continue
      for (let asset = 0; asset < exchange.assets.length; asset++) {
        const { total, held } = exchange.balance(account, asset)
        check(total >= 0, true, `cash account ${account} owes nothing of asset ${asset}`)
        check(total - held >= 0, true, `cash account ${account} has what it holds of asset ${asset}`)
      }
    }
  }

  /** What is held is what the open orders need; quotes are counted from the book, whose other orders are known. */
  #checkHolds(): void {
    const exchange = this.#exchange
    for (let account = 0; account < exchange.accountCount; account++) {
      const held = exchange.assets.map(() => 0)
      const open = exchange.openOrders(account)
      for (const order of open) {
        const market = exchange.markets[order.symbol]!
        const lots = openLots(order)
        check(order.filled < order.quantity, true, 'an open order has something left')
        if (!isBacked(order)) continue
        const notional = heldPrice(order) * lots * market.notionalFactor
        const fee = Number((BigInt(notional) * BigInt(Math.max(market.makerFeePpm, market.takerFeePpm))) / 1_000_000n)
        if (order.side === Side.buy) held[market.quote] = held[market.quote]! + notional + fee
        else held[market.base] = held[market.base]! + lots * market.lotFactor
      }
      if (this.hasQuotes.has(account)) continue
      held.forEach((units, asset) => check(exchange.balance(account, asset).held, units, `account ${account} holds of asset ${asset}`))
      for (const position of exchange.positions(account)) {
        const lots = (side: Side): number =>
          open
            .filter((order) => order.symbol === position.symbol && order.side === side && isBacked(order))
            .reduce((sum, order) => sum + openLots(order), 0)
        check(position.openBuy, lots(Side.buy), `account ${account}, open to buy`)
        check(position.openSell, lots(Side.sell), `account ${account}, open to sell`)
      }
    }
  }

  /** Accounts that send mass quotes: what those hold is not listed order by order. */
  readonly hasQuotes = new Set<number>()
}

/** A stop with a limit holds for its limit, a trailing one for where its stop stood when it was placed. */
function heldPrice(order: OrderView): number {
  return order.details?.heldPrice ?? (order.orderType === OrderType.stop ? order.stopPrice : order.price)
}

/** Asks the test library only where something is wrong: so much is looked at after every command that its own time would be most of it. */
function check(actual: unknown, expected: unknown, message: string): void {
  if (actual !== expected) expect(actual, message).toBe(expected)
}

/** What is still to be traded; of a quantity, some may have been taken off rather than traded with the same owner. */
function openLots({ quantity, filled, details }: OrderView): number {
  return quantity - filled - (details?.prevented ?? 0)
}

/** An order that waits for another of its list, or for which another holds, holds nothing. */
function isBacked({ details }: OrderView): boolean {
  return !details?.isPending && !details?.isShared
}

const numbered = new Set<keyof typeof EventKind>([
  'accountOpened',
  'orderAccepted',
  'orderRejected',
  'orderTriggered',
  'orderUpdated',
  'fundsMoved',
  'fillBooked',
  'limitsChanged',
  'modeChanged',
  'orderAmended',
  'listAccepted',
  'controlsChanged',
  'fundsTransferred',
  'accountLiquidated',
  'liquidationFeePaid',
  'insurancePaid',
])
