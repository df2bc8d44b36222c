import * as money from '../money/index.ts'
import type { AccountStore } from './accounts.ts'
import type { BalanceStore } from './balances.ts'
import { asInts, recordDoubles, roomFor } from './growth.ts'
import { none as noSlot } from './no-slot.ts'
import { PairIndex } from './pair-index.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { mulDiv } = money
const none: number = noSlot

/**
 * Record of a position, 64 bytes, one cache line: all that placing and cancelling touch. Doubles come first (`At` counts doubles), then
 * integers (`IntAt` counts integers).
 */
const recordBytes = 64
const quantityAt = 0
/** Open lots of buys, then of sells. */
const openAt = 1
const notionalMaxAt = 3
const accountIntAt = 8
const symbolIntAt = 9
/** The balance that buys hold from, then the one that sells hold from. */
const quoteBalanceIntAt = 10
const baseBalanceIntAt = 11
/** Open orders in the low half, those of them that are reduce-only in the high half. */
const openCountIntAt = 12
const openCountMask = 0xffff
const nextOfAccountIntAt = 13
/** Best quote of the bids, then of the asks. */
const firstQuoteIntAt = 14

/** Record of the same position that only fills touch, 64 bytes, in doubles. */
const entryCostAt = 0
const entryQuantityAt = 1
const openCostAt = 2
const realizedAt = 3
const feesAt = 4
const openedAt = 5
const updatedAt = 6
const entryFigures = 7
/** Quantity and limit of the first record, and the entry. */
export const positionFigures = entryFigures + 2

/**
 * Positions, one for each account and market that were ever used together, in two tables. The entry is kept as a fraction, `entryCost ÷ entryQuantity` quote
 * minor units a lot, which reducing leaves alone; a flat position keeps its last one.
 */
export class PositionStore {
  #capacity = 1_024
  #doubles = recordDoubles(this.#capacity, recordBytes)
  #ints = asInts(this.#doubles)
  #entries = recordDoubles(this.#capacity, recordBytes)
  readonly #index = new PairIndex()
  readonly #accounts: AccountStore
  readonly #balances: BalanceStore
  #count = 0

  constructor(accounts: AccountStore, balances: BalanceStore) {
    this.#accounts = accounts
    this.#balances = balances
  }

  get count(): number {
    return this.#count
  }

  /**
   * Makes room for so many; before there is any.
   * @param symbols how many markets there are
   */
  reserve(positions: number, symbols: number): void {
    this.#capacity = roomFor(positions, this.#capacity) / 2
    this.#grow()
    this.#index.reserve(this.#accounts.count, symbols)
  }

  find(account: number, symbol: number): number {
    return this.#index.find(account, symbol)
  }

  /** The position of an account in a market, made flat where there is none. */
  of(account: number, symbol: number, base: number, quote: number): number {
    const found = this.#index.find(account, symbol)
    return found === none ? this.#create(account, symbol, base, quote) : found
  }

  /** A flat position that is kept nowhere, good until the next is made: to ask what an order would meet. */
  scratch(account: number, symbol: number, base: number, quote: number): number {
    if (this.#count === this.#capacity) this.#grow()
    const position = this.#count
    const balances = this.#balances
    const balanceOf = (asset: number, nth: number): number => {
      const found = balances.find(account, asset)
      return found === none ? balances.scratch(account, asset, nth) : found
    }
    this.#doubles[(position << 3) | notionalMaxAt] = none
    const at = position << 4
    this.#ints[at | accountIntAt] = account
    this.#ints[at | symbolIntAt] = symbol
    this.#ints[at | baseBalanceIntAt] = balanceOf(base, 0)
    this.#ints[at | quoteBalanceIntAt] = balanceOf(quote, 1)
    return position
  }

  #create(account: number, symbol: number, base: number, quote: number): number {
    if (this.#count === this.#capacity) this.#grow()
    const position = this.#count
    this.#count += 1
    this.#index.add(account, symbol, position)
    this.#doubles[(position << 3) | notionalMaxAt] = none
    const at = position << 4
    this.#ints[at | accountIntAt] = account
    this.#ints[at | symbolIntAt] = symbol
    this.#ints[at | baseBalanceIntAt] = this.#balances.of(account, base)
    this.#ints[at | quoteBalanceIntAt] = this.#balances.of(account, quote)
    this.#ints[at | openCountIntAt] = 0
    this.#ints[at | nextOfAccountIntAt] = this.#accounts.firstPosition(account)
    this.#ints[at | firstQuoteIntAt] = none
    this.#ints[(at | firstQuoteIntAt) + 1] = none
    this.#accounts.setFirstPosition(account, position)
    return position
  }

  /**
   * Takes a fill into a position by average cost: adding moves the average, reducing realises P&L and leaves the average, crossing zero
   * realises the whole and opens the rest at the fill price. The cost of what is left is rounded half-even and the realised cost is what
   * is gone from it, so the realised P&L of a position that is closed is exact, in however many parts it was closed.
   *
   * @param lots signed: positive for a buy
   * @param unitPrice quote minor units a lot
   * @returns realised P&L before fees, quote minor units
   */
  fill(position: number, lots: number, unitPrice: number, timeMs: number): number {
    const quantity = this.#doubles[(position << 3) | quantityAt]!
    if (quantity === 0) {
      this.#open(position, lots, unitPrice, timeMs)
      return 0
    }
    const entries = this.#entries
    const isLong = quantity > 0
    const size = isLong ? quantity : -quantity
    const added = isLong ? lots : -lots
    const cost = entries[(position << 3) | openCostAt]!
    if (added > 0) {
      const entryCost = cost + added * unitPrice
      this.#doubles[(position << 3) | quantityAt] = quantity + lots
      entries[(position << 3) | entryCostAt] = entryCost
      entries[(position << 3) | entryQuantityAt] = size + added
      entries[(position << 3) | openCostAt] = entryCost
      entries[(position << 3) | updatedAt] = timeMs
      return 0
    }
    const closed = -added < size ? -added : size
    this.#reduce(position, size - closed, quantity + lots, timeMs)
    const closedCost = cost - entries[(position << 3) | openCostAt]!
    const proceeds = closed * unitPrice
    const realized = isLong ? proceeds - closedCost : closedCost - proceeds
    entries[(position << 3) | realizedAt] = entries[(position << 3) | realizedAt]! + realized
    if (-added > size) this.#open(position, quantity + lots, unitPrice, timeMs)
    return realized
  }

  /**
   * Takes lots that came or went without a trade. What adds enters at `unitPrice` (0: at no cost); what reduces leaves at the average, so
   * that nothing is realised; what crosses zero enters at `unitPrice`.
   */
  transfer(position: number, lots: number, unitPrice: number, timeMs: number): void {
    const quantity = this.quantity(position)
    const left = quantity + lots
    if (quantity === 0 || lots > 0 === quantity > 0) this.fill(position, lots, unitPrice, timeMs)
    else if (left === 0 || left > 0 === quantity > 0) this.#reduce(position, Math.abs(left), left, timeMs)
    else this.#open(position, left, unitPrice, timeMs)
  }

  #open(position: number, lots: number, unitPrice: number, timeMs: number): void {
    const entries = this.#entries
    const size = lots > 0 ? lots : -lots
    const cost = size * unitPrice
    this.#doubles[(position << 3) | quantityAt] = lots
    entries[(position << 3) | entryCostAt] = cost
    entries[(position << 3) | entryQuantityAt] = size
    entries[(position << 3) | openCostAt] = cost
    entries[(position << 3) | openedAt] = timeMs
    entries[(position << 3) | updatedAt] = timeMs
  }

  /** Leaves `size` lots of a position, signed `quantity`; their cost follows from the average, which stays. Crossing zero is the caller's. */
  #reduce(position: number, size: number, quantity: number, timeMs: number): void {
    const entries = this.#entries
    entries[(position << 3) | openCostAt] =
      size === 0 ? 0 : mulDiv(entries[(position << 3) | entryCostAt]!, size, entries[(position << 3) | entryQuantityAt]!, 'half_even')
    this.#doubles[(position << 3) | quantityAt] = size === 0 ? 0 : quantity
    entries[(position << 3) | updatedAt] = timeMs
  }

  /** One of the figures that are not derived from orders: quantity and limit, then the entry. */
  figure(position: number, figure: number): number {
    if (figure === 0) return this.quantity(position)
    return figure === 1 ? this.notionalMax(position) : this.#entries[(position << 3) + figure - 2]!
  }
  /** All of them. */
  figures(position: number): number[] {
    return Array.from({ length: positionFigures }, (_, figure) => this.figure(position, figure))
  }
  /** Sets what `figure` gave, from row `nth` of so many columns. */
  setFigures(position: number, columns: readonly Float64Array[], nth: number): void {
    this.#doubles[(position << 3) | quantityAt] = columns[0]![nth]!
    this.setNotionalMax(position, columns[1]![nth]!)
    for (let figure = 0; figure < entryFigures; figure++) this.#entries[(position << 3) + figure] = columns[figure + 2]![nth]!
  }

  /** Signed lots. */
  quantity(position: number): number {
    return this.#doubles[(position << 3) | quantityAt]!
  }
  entryCost(position: number): number {
    return this.#entries[(position << 3) | entryCostAt]!
  }
  entryQuantity(position: number): number {
    return this.#entries[(position << 3) | entryQuantityAt]!
  }
  /** What the open lots cost at the average, quote minor units, half-even. */
  openCost(position: number): number {
    return this.#entries[(position << 3) | openCostAt]!
  }
  /** Reads the entry of a position, for reading ahead only. */
  lookAtEntry(position: number): number {
    return this.#entries[(position << 3) | openCostAt]! | 0
  }
  /** Realised P&L before fees. */
  realized(position: number): number {
    return this.#entries[(position << 3) | realizedAt]!
  }
  fees(position: number): number {
    return this.#entries[(position << 3) | feesAt]!
  }
  addFees(position: number, units: number): void {
    this.#entries[(position << 3) | feesAt] = this.#entries[(position << 3) | feesAt]! + units
  }
  /** When it was last opened from flat or crossed zero; 0 where it was never open. */
  openedAtMs(position: number): number {
    return this.#entries[(position << 3) | openedAt]!
  }
  updatedAtMs(position: number): number {
    return this.#entries[(position << 3) | updatedAt]!
  }
  /** Lots of open buy orders, waiting stops and quotes included. */
  openBuy(position: number): number {
    return this.#doubles[(position << 3) | openAt]!
  }
  openSell(position: number): number {
    return this.#doubles[((position << 3) | openAt) + 1]!
  }
  /** Open lots of a side (0: buy, 1: sell). */
  open(position: number, side: number): number {
    return this.#doubles[((position << 3) | openAt) + side]!
  }
  addOpen(position: number, side: number, lots: number): void {
    this.#doubles[((position << 3) | openAt) + side] = this.#doubles[((position << 3) | openAt) + side]! + lots
  }
  /** Position limit of this market alone, quote minor units; -1 where none was set. */
  notionalMax(position: number): number {
    return this.#doubles[(position << 3) | notionalMaxAt]!
  }
  setNotionalMax(position: number, units: number): void {
    this.#doubles[(position << 3) | notionalMaxAt] = units
  }

  account(position: number): number {
    return this.#ints[(position << 4) | accountIntAt]!
  }
  symbol(position: number): number {
    return this.#ints[(position << 4) | symbolIntAt]!
  }
  baseBalance(position: number): number {
    return this.#ints[(position << 4) | baseBalanceIntAt]!
  }
  quoteBalance(position: number): number {
    return this.#ints[(position << 4) | quoteBalanceIntAt]!
  }
  /** The balance that orders of a side (0: buy, 1: sell) hold from. */
  heldBalance(position: number, side: number): number {
    return this.#ints[((position << 4) | quoteBalanceIntAt) + side]!
  }
  /** Open orders, quotes left out. */
  openCount(position: number): number {
    return this.#ints[(position << 4) | openCountIntAt]! & openCountMask
  }
  hasReduceOnly(position: number): boolean {
    return this.#ints[(position << 4) | openCountIntAt]! > openCountMask
  }
  /** Counts an order that comes (1) or goes (-1). */
  countOpen(position: number, change: 1 | -1, isReduceOnly: boolean): void {
    const at = (position << 4) | openCountIntAt
    this.#ints[at] = this.#ints[at]! + (isReduceOnly ? change * (openCountMask + 2) : change)
  }
  nextOfAccount(position: number): number {
    return this.#ints[(position << 4) | nextOfAccountIntAt]!
  }
  /** Best quote of a side (0: bids, 1: asks) of the account's mass quote here, or -1. */
  firstQuote(position: number, side: number): number {
    return this.#ints[((position << 4) | firstQuoteIntAt) + side]!
  }
  setFirstQuote(position: number, side: number, slot: number): void {
    this.#ints[((position << 4) | firstQuoteIntAt) + side] = slot
  }

  #grow(): void {
    this.#capacity *= 2
    this.#doubles = recordDoubles(this.#capacity, recordBytes, this.#doubles)
    this.#ints = asInts(this.#doubles)
    this.#entries = recordDoubles(this.#capacity, recordBytes, this.#entries)
  }
}
