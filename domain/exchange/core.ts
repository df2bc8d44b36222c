import { AccountOrders } from './account-orders.ts'
import { AccountStore } from './accounts.ts'
import { BookRecords } from './book-records.ts'
import { BalanceStore } from './balances.ts'
import { LevelTree } from './level-tree.ts'
import { LevelStore } from './levels.ts'
import { BookWalk } from './book-walk.ts'
import { ForgottenIds } from './forgotten-ids.ts'
import { Borrowers } from './borrowers.ts'
import type { FeeTiers } from './fee-tiers.ts'
import { IdWindow } from './id-window.ts'
import type { Asset, Market } from './markets.ts'
import { none as noSlot } from './no-slot.ts'
import type { OrderList } from './list-legs.ts'
import { OrderStore } from './orders.ts'
import { EventKind } from './outcome.ts'
import { OutcomeWriter } from './outcome-writer.ts'
import { PositionStore } from './positions.ts'
import { Timers } from './timers.ts'
import * as orderTraits from './traits.ts'
import type { MarketView } from './views.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { isQuote } = orderTraits
const { commandRefused, commandRepeated, orderUpdated } = EventKind

const msPerDay = 86_400_000

/** The whole state of the exchange, and the outcome of the command being applied. The functions beside this file work on it. */
export class Core {
  readonly outcome = new OutcomeWriter()
  readonly assets: Asset[] = []
  readonly assetByName = new Map<string, number>()
  readonly markets: Market[] = []
  readonly marketViews: MarketView[] = []
  readonly symbolByName = new Map<string, number>()
  readonly accounts = new AccountStore()
  readonly balances = new BalanceStore(this.accounts)
  readonly positions = new PositionStore(this.accounts, this.balances)
  readonly orders = new OrderStore()
  readonly accountOrders = new AccountOrders(this.accounts)
  readonly levels = new LevelStore()
  readonly levelTree = new LevelTree()
  /** Of the bids and asks of all markets: place `symbol × 2 + side`. */
  readonly bookRecords = new BookRecords()
  /** Of all other queues by price: stops that wait. */
  readonly waitingRecords = new BookRecords()
  readonly clientOrders: IdWindow
  /** Client order ids that went out of `clientOrders`; no part of the state. */
  readonly forgottenIds = new ForgottenIds()
  readonly references: IdWindow
  /** Rules of the state machine that are switched on; a log without a switch is one of rules 1. */
  rules = 1
  readonly timers = new Timers()
  /** So many timers are worth looking through for those of orders that are gone; no part of the state. */
  pruneTimersAt = 1_024
  commandCount = 0
  timeMs = 0
  /** Days since 1970 UTC of `timeMs`. */
  day = 0
  nextDayMs = msPerDay
  lastOrder = 0
  lastTrade = 0
  /** Daily loss limit of accounts that were given none, in the risk asset; known once there is a market. */
  dailyLossMax = 0
  readonly lists = new Map<number, OrderList>()
  lastList = 0
  /** Lists of which an order was closed during this command. */
  readonly listsToAdvance: number[] = []
  readonly feeTiers: FeeTiers = new Map()
  readonly borrowers = new Borrowers()
  /** The last account that a mark has looked at for its margin; -1 before the first. */
  lastExamined: number = noSlot
  /** The kill switch of all markets is on. */
  isKilled = false
  /** When the next orders of stopped markets are cancelled; 0 where none are left. */
  sweepDueMs = 0
  /** By account: when a timer for its dead-man switch is due, which may be earlier than the switch. */
  readonly deadManTimers = new Map<number, number>()
  readonly walk = new BookWalk()
  /** What looking ahead has read; no part of the state. */
  foreseen = 0
  /** A resting order that another is about to replace: as if it were gone. */
  replaced = noSlot
  /** Positions with reduce-only orders that this command has changed. */
  readonly reduced: number[] = []
  /** Lowest and highest price traded in this command, which stops have to be compared with after it; high 0 where there is none. */
  touchedLow = 0
  touchedHigh = 0
  /** The mark that came with this command; 0 where none did. */
  marked = 0
  /** A market opened with this command: its stops are compared with the prices as they stand. */
  hasOpened = false

  constructor(idWindow: number) {
    this.clientOrders = new IdWindow(idWindow, this.forgottenIds)
    this.references = new IdWindow(idWindow)
  }

  /** Makes ready for the next command. */
  begin(): void {
    this.commandCount += 1
    this.outcome.length = 0
    this.orders.releaseClosed()
    this.forgetPrices()
  }

  /** Nothing has been traded or marked yet, as far as stops are concerned. */
  forgetPrices(): void {
    this.touchedLow = 0
    this.touchedHigh = 0
    this.marked = 0
    this.hasOpened = false
  }

  /** Moves the clock to the time of a command; never back, and never to what is no time. */
  advance(timeMs: number): void {
    if (timeMs <= this.timeMs || !Number.isSafeInteger(timeMs)) return
    this.timeMs = timeMs
    if (timeMs >= this.nextDayMs) this.startDay()
  }

  /** Finds the day of `timeMs`; after a restore too. */
  startDay(): void {
    this.day = Math.floor(this.timeMs / msPerDay)
    this.nextDayMs = (this.day + 1) * msPerDay
  }

  market(symbol: number): Market | undefined {
    return this.markets[symbol]
  }

  /** A price at which the market traded: stops may have to wake. */
  touch(price: number): void {
    if (this.touchedHigh === 0 || price > this.touchedHigh) this.touchedHigh = price
    if (this.touchedLow === 0 || price < this.touchedLow) this.touchedLow = price
  }

  positionOf(account: number, market: Market): number {
    return this.positions.of(account, market.symbol, market.base, market.quote)
  }

  /** An order that has details was closed: what depends on it is looked at once the command itself is done. */
  noteClosed(slot: number): void {
    const { list } = this.orders.details(slot)
    if (list !== 0) this.listsToAdvance.push(list)
  }

  // ---- events -------------------------------------------------------------------------------------------------------

  emitRefused(refusal: number): void {
    const at = this.outcome.begin(commandRefused, 1)
    this.outcome.data[at] = refusal
  }

  emitRepeated(): void {
    this.outcome.begin(commandRepeated, 0)
  }

  /** Accepted, rejected or triggered; `extra` is the symbol of the first, the refusal of the second, nothing of the third (-1). */
  emitOrder(kind: EventKind, account: number, order: number, extra: number): void {
    const { outcome } = this
    const at = outcome.begin(kind, extra < 0 ? 3 : 4)
    const { data } = outcome
    data[at] = account
    data[at + 1] = this.accounts.nextSequence(account)
    data[at + 2] = order
    if (extra >= 0) data[at + 3] = extra
  }

  /** The figures of an order as they are now. Quotes have no order events. */
  emitOrderUpdated(slot: number): void {
    const { orders, accounts, positions, outcome } = this
    if (isQuote(orders.traits(slot))) return
    const account = positions.account(orders.position(slot))
    const at = outcome.begin(orderUpdated, 8)
    const { data } = outcome
    data[at] = account
    data[at + 1] = accounts.nextSequence(account)
    data[at + 2] = orders.id(slot)
    data[at + 3] = orders.status(slot)
    const filled = orders.filled(slot)
    data[at + 4] = filled
    // Without a fill both are zero, and the second line of the record need not be read.
    data[at + 5] = filled === 0 ? 0 : orders.filledNotional(slot)
    data[at + 6] = filled === 0 ? 0 : orders.fee(slot)
    data[at + 7] = orders.refusal(slot)
  }
}
