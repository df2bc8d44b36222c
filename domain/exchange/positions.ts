import { mulDiv } from '../money/index.ts'
import type { AccountStore } from './accounts.ts'
import type { BalanceStore } from './balances.ts'
import { recordBuffer } from './growth.ts'
import { none } from './orders.ts'
import { PairIndex } from './pair-index.ts'

const recordBytes = 128

/**
 * Positions as records of 128 bytes, one for each account and market that were ever used together. The entry is kept as a fraction,
 * `entryCost ÷ entryQuantity` quote minor units a lot, which reducing leaves alone; a flat position keeps its last one.
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
    this.doubles[position * 16 + 9] = none
    const at = position * 32
    this.ints[at + 20] = account
    this.ints[at + 21] = symbol
    this.ints[at + 22] = this.#balances.of(account, base)
    this.ints[at + 23] = this.#balances.of(account, quote)
    this.ints[at + 24] = 0
    this.ints[at + 25] = this.#accounts.firstPosition(account)
    this.ints[at + 26] = none
    this.ints[at + 27] = none
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
    doubles[at + 6] = timeMs
    if (quantity === 0) {
      this.#open(at, lots, unitPrice, timeMs)
      return 0
    }
    const isLong = quantity > 0
    const size = isLong ? quantity : -quantity
    const added = isLong ? lots : -lots
    const cost = this.cost(position, size)
    if (added > 0) {
      doubles[at] = quantity + lots
      doubles[at + 1] = cost + added * unitPrice
      doubles[at + 2] = size + added
      return 0
    }
    const closed = -added < size ? -added : size
    const closedCost = closed === size ? cost : cost - this.cost(position, size - closed)
    const proceeds = closed * unitPrice
    const realized = isLong ? proceeds - closedCost : closedCost - proceeds
    doubles[at + 3] = doubles[at + 3]! + realized
    if (-added > size) this.#open(at, quantity + lots, unitPrice, timeMs)
    else doubles[at] = quantity + lots
    return realized
  }

  /**
   * Takes lots that came or went without a trade. What adds enters at `unitPrice` (0: at no cost); what reduces leaves at the average, so
   * that nothing is realised; what crosses zero enters at `unitPrice`.
   */
  transfer(position: number, lots: number, unitPrice: number, timeMs: number): void {
    const { doubles } = this
    const at = position * 16
    const quantity = doubles[at]!
    const left = quantity + lots
    const isReduced = quantity !== 0 && lots > 0 !== quantity > 0
    if (isReduced && (left === 0 || left > 0 === quantity > 0)) {
      doubles[at] = left
      doubles[at + 6] = timeMs
    } else if (isReduced) {
      this.#open(at, left, unitPrice, timeMs)
      doubles[at + 6] = timeMs
    } else {
      this.fill(position, lots, unitPrice, timeMs)
    }
  }

  /** What `size` lots of a position cost at its average, quote minor units, half-even. */
  cost(position: number, size: number): number {
    const at = position * 16
    const entryQuantity = this.doubles[at + 2]!
    const entryCost = this.doubles[at + 1]!
    return size === entryQuantity ? entryCost : mulDiv(entryCost, size, entryQuantity, 'half_even')
  }

  #open(at: number, lots: number, unitPrice: number, timeMs: number): void {
    const { doubles } = this
    const size = lots > 0 ? lots : -lots
    doubles[at] = lots
    doubles[at + 1] = size * unitPrice
    doubles[at + 2] = size
    doubles[at + 5] = timeMs
    doubles[at + 6] = timeMs
  }

  /** Signed lots. */
  quantity(position: number): number {
    return this.doubles[position * 16]!
  }
  entryCost(position: number): number {
    return this.doubles[position * 16 + 1]!
  }
  entryQuantity(position: number): number {
    return this.doubles[position * 16 + 2]!
  }
  /** Realised P&L before fees. */
  realized(position: number): number {
    return this.doubles[position * 16 + 3]!
  }
  fees(position: number): number {
    return this.doubles[position * 16 + 4]!
  }
  addFees(position: number, units: number): void {
    this.doubles[position * 16 + 4] = this.doubles[position * 16 + 4]! + units
  }
  /** When it was last opened from flat or crossed zero; 0 where it was never open. */
  openedAtMs(position: number): number {
    return this.doubles[position * 16 + 5]!
  }
  updatedAtMs(position: number): number {
    return this.doubles[position * 16 + 6]!
  }
  /** Lots of open buy orders, waiting stops and quotes included. */
  openBuy(position: number): number {
    return this.doubles[position * 16 + 7]!
  }
  openSell(position: number): number {
    return this.doubles[position * 16 + 8]!
  }
  /** Open lots of a side (0: buy, 1: sell). */
  open(position: number, side: number): number {
    return this.doubles[position * 16 + 7 + side]!
  }
  addOpen(position: number, side: number, lots: number): void {
    this.doubles[position * 16 + 7 + side] = this.doubles[position * 16 + 7 + side]! + lots
  }
  /** Position limit of this market alone, quote minor units; -1 where none was set. */
  notionalMax(position: number): number {
    return this.doubles[position * 16 + 9]!
  }
  setNotionalMax(position: number, units: number): void {
    this.doubles[position * 16 + 9] = units
  }

  account(position: number): number {
    return this.ints[position * 32 + 20]!
  }
  symbol(position: number): number {
    return this.ints[position * 32 + 21]!
  }
  baseBalance(position: number): number {
    return this.ints[position * 32 + 22]!
  }
  quoteBalance(position: number): number {
    return this.ints[position * 32 + 23]!
  }
  /** Open orders, quotes left out. */
  openCount(position: number): number {
    return this.ints[position * 32 + 24]!
  }
  addOpenCount(position: number, orders: number): void {
    this.ints[position * 32 + 24] = this.ints[position * 32 + 24]! + orders
  }
  nextOfAccount(position: number): number {
    return this.ints[position * 32 + 25]!
  }
  /** Best quote of a side (0: bids, 1: asks) of the account's mass quote here, or -1. */
  firstQuote(position: number, side: number): number {
    return this.ints[position * 32 + 26 + side]!
  }
  setFirstQuote(position: number, side: number, slot: number): void {
    this.ints[position * 32 + 26 + side] = slot
  }

  #grow(): void {
    this.#capacity *= 2
    const { doubles, ints } = recordBuffer(this.#capacity, recordBytes, this.doubles)
    this.doubles = doubles
    this.ints = ints
  }
}
