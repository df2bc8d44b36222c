import { mulDiv } from '../money/index.ts'
import type { AccountStore } from './accounts.ts'
import type { BalanceStore } from './balances.ts'
import { recordBuffer } from './growth.ts'
import { none } from './orders.ts'
import { PairIndex } from './pair-index.ts'

const recordBytes = 128

/**
 * Positions as records of 128 bytes, one for each account and market that were ever used together. The entry is kept as a fraction,
 * `entryCost ÷ entryQuantity` quote minor units a lot, which reducing leaves alone; a flat position keeps its last one. The first cache line
 * of a record is what placing and cancelling touch, the second what fills change.
 */
export class PositionStore {
  doubles: Float64Array
  ints: Int32Array
  readonly #index = new PairIndex()
  readonly #accounts: AccountStore
  readonly #balances: BalanceStore
  #capacity = 1_024
  #count = 0

  constructor(accounts: AccountStore, balances: BalanceStore) {
    this.#accounts = accounts
    this.#balances = balances
    const { doubles, ints } = recordBuffer(this.#capacity, recordBytes)
    this.doubles = doubles
    this.ints = ints
  }

  get count(): number {
    return this.#count
  }

  find(account: number, symbol: number): number {
    return this.#index.find(account, symbol)
  }

  /** The position of an account in a market, made flat where there is none. */
  of(account: number, symbol: number, base: number, quote: number): number {
    const found = this.#index.find(account, symbol)
    if (found !== none) return found
    if (this.#count === this.#capacity) this.#grow()
    const position = this.#count
    this.#count += 1
    this.#index.add(account, symbol, position)
    this.doubles[(position << 4) | 3] = none
    const at = position * 32
    this.ints[at + 8] = account
    this.ints[at + 9] = symbol
    this.ints[at + 10] = this.#balances.of(account, base)
    this.ints[at + 11] = this.#balances.of(account, quote)
    this.ints[at + 12] = 0
    this.ints[at + 13] = this.#accounts.firstPosition(account)
    this.ints[at + 14] = none
    this.ints[at + 15] = none
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
    const { doubles } = this
    const at = position * 16
    const quantity = doubles[at]!
    if (quantity === 0) {
      this.#open(at, lots, unitPrice, timeMs)
      return 0
    }
    const isLong = quantity > 0
    const size = isLong ? quantity : -quantity
    const added = isLong ? lots : -lots
    const cost = doubles[at + 10]!
    if (added > 0) {
      const entryCost = cost + added * unitPrice
      doubles[at] = quantity + lots
      doubles[at + 8] = entryCost
      doubles[at + 9] = size + added
      doubles[at + 10] = entryCost
      doubles[at + 14] = timeMs
      return 0
    }
    const closed = -added < size ? -added : size
    this.#reduce(at, closed, quantity + lots, timeMs)
    const closedCost = cost - doubles[at + 10]!
    const proceeds = closed * unitPrice
    const realized = isLong ? proceeds - closedCost : closedCost - proceeds
    doubles[at + 11] = doubles[at + 11]! + realized
    if (-added > size) this.#open(at, quantity + lots, unitPrice, timeMs)
    return realized
  }

  /**
   * Takes lots that came or went without a trade. What adds enters at `unitPrice` (0: at no cost); what reduces leaves at the average, so
   * that nothing is realised; what crosses zero enters at `unitPrice`.
   */
  transfer(position: number, lots: number, unitPrice: number, timeMs: number): void {
    const at = position * 16
    const quantity = this.doubles[at]!
    const left = quantity + lots
    if (quantity === 0 || lots > 0 === quantity > 0) this.fill(position, lots, unitPrice, timeMs)
    else if (left === 0 || left > 0 === quantity > 0) this.#reduce(at, Math.abs(lots), left, timeMs)
    else this.#open(at, left, unitPrice, timeMs)
  }

  #open(at: number, lots: number, unitPrice: number, timeMs: number): void {
    const { doubles } = this
    const size = lots > 0 ? lots : -lots
    const cost = size * unitPrice
    doubles[at] = lots
    doubles[at + 8] = cost
    doubles[at + 9] = size
    doubles[at + 10] = cost
    doubles[at + 13] = timeMs
    doubles[at + 14] = timeMs
  }

  /** Leaves `left` lots after taking `closed` away; their cost follows from the average, which stays. */
  #reduce(at: number, closed: number, left: number, timeMs: number): void {
    const { doubles } = this
    const quantity = doubles[at]!
    const size = (quantity > 0 ? quantity : -quantity) - closed
    doubles[at + 10] = size === 0 ? 0 : mulDiv(doubles[at + 8]!, size, doubles[at + 9]!, 'half_even')
    doubles[at] = size === 0 ? 0 : left
    doubles[at + 14] = timeMs
  }

  /** Signed lots. */
  quantity(position: number): number {
    return this.doubles[position << 4]!
  }
  entryCost(position: number): number {
    return this.doubles[(position << 4) | 8]!
  }
  entryQuantity(position: number): number {
    return this.doubles[(position << 4) | 9]!
  }
  /** What the open lots cost at the average, quote minor units, half-even. */
  openCost(position: number): number {
    return this.doubles[(position << 4) | 10]!
  }
  /** Realised P&L before fees. */
  realized(position: number): number {
    return this.doubles[(position << 4) | 11]!
  }
  fees(position: number): number {
    return this.doubles[(position << 4) | 12]!
  }
  addFees(position: number, units: number): void {
    this.doubles[(position << 4) | 12] = this.doubles[(position << 4) | 12]! + units
  }
  /** When it was last opened from flat or crossed zero; 0 where it was never open. */
  openedAtMs(position: number): number {
    return this.doubles[(position << 4) | 13]!
  }
  updatedAtMs(position: number): number {
    return this.doubles[(position << 4) | 14]!
  }
  /** Lots of open buy orders, waiting stops and quotes included. */
  openBuy(position: number): number {
    return this.doubles[(position << 4) | 1]!
  }
  openSell(position: number): number {
    return this.doubles[(position << 4) | 2]!
  }
  /** Open lots of a side (0: buy, 1: sell). */
  open(position: number, side: number): number {
    return this.doubles[position * 16 + 1 + side]!
  }
  addOpen(position: number, side: number, lots: number): void {
    this.doubles[position * 16 + 1 + side] = this.doubles[position * 16 + 1 + side]! + lots
  }
  /** Position limit of this market alone, quote minor units; -1 where none was set. */
  notionalMax(position: number): number {
    return this.doubles[(position << 4) | 3]!
  }
  setNotionalMax(position: number, units: number): void {
    this.doubles[(position << 4) | 3] = units
  }

  account(position: number): number {
    return this.ints[(position << 5) | 8]!
  }
  symbol(position: number): number {
    return this.ints[(position << 5) | 9]!
  }
  baseBalance(position: number): number {
    return this.ints[(position << 5) | 10]!
  }
  quoteBalance(position: number): number {
    return this.ints[(position << 5) | 11]!
  }
  /** Open orders, quotes left out. */
  openCount(position: number): number {
    return this.ints[(position << 5) | 12]!
  }
  addOpenCount(position: number, orders: number): void {
    this.ints[(position << 5) | 12] = this.ints[(position << 5) | 12]! + orders
  }
  nextOfAccount(position: number): number {
    return this.ints[(position << 5) | 13]!
  }
  /** Best quote of a side (0: bids, 1: asks) of the account's mass quote here, or -1. */
  firstQuote(position: number, side: number): number {
    return this.ints[position * 32 + 14 + side]!
  }
  setFirstQuote(position: number, side: number, slot: number): void {
    this.ints[position * 32 + 14 + side] = slot
  }

  #grow(): void {
    this.#capacity *= 2
    const { doubles, ints } = recordBuffer(this.#capacity, recordBytes, this.doubles)
    this.doubles = doubles
    this.ints = ints
  }
}
