import type { AccountStore } from './accounts.ts'
import { asInts, recordDoubles } from './growth.ts'
import { none as noSlot } from './no-slot.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const none: number = noSlot

/** The size of the first run of an account, one cache line; each next one is twice as large. */
const sizeAtFirst = 16

/** A free cell is the number of the next free one, or `none`, below all slots. The function is its own inverse. */
const chained = (next: number): number => -2 - next

/**
 * The open orders of accounts, quotes left out. An account has a run of integers: its size, then cells, one an order. An order knows its cell,
 * so it comes and goes without a look at other orders. Free cells of a run are chained from the account's record.
 */
export class AccountOrders {
  // As in `BookSide`: a private name would be `undefined` first.
  declare private readonly accounts: AccountStore
  /** A power of two of them. */
  #cells = asInts(recordDoubles(16, 64))
  #used = 0
  /** Runs that were outgrown, by size. */
  readonly #outgrown = new Map<number, number[]>()

  constructor(accounts: AccountStore) {
    this.accounts = accounts
  }

  /** Makes room for the first runs of so many accounts; before there is any. */
  reserve(accounts: number): void {
    this.#cells = asInts(recordDoubles(Math.max(sizeAtFirst, accounts), sizeAtFirst * 4))
  }

  /** Lists an order and returns its cell. */
  add(account: number, slot: number): number {
    const accounts = this.accounts
    let cell = accounts.freeCell(account)
    if (cell === none) cell = this.#widen(account)
    const at = accounts.orderRun(account) + cell
    accounts.setFreeCell(account, chained(this.#cells[at]!))
    this.#cells[at] = slot
    return cell
  }

  /** Reads a cell of an account, or any other, for reading ahead only. */
  look(account: number, cell: number): number {
    return this.#cells[(this.accounts.orderRun(account) + cell) & (this.#cells.length - 1)]!
  }

  remove(account: number, cell: number): void {
    const accounts = this.accounts
    this.#cells[accounts.orderRun(account) + cell] = chained(accounts.freeCell(account))
    accounts.setFreeCell(account, cell)
  }

  /** Slots of all orders of an account, in no order. */
  slots(account: number): number[] {
    const run = this.accounts.orderRun(account)
    if (run === none) return []
    const cells = this.#cells
    return [...cells.subarray(run + 1, run + cells[run]!)].filter((cell) => cell >= 0)
  }

  /** Gives an account whose run is full one of twice the size, and returns the first free cell. Cells keep their numbers. */
  #widen(account: number): number {
    const accounts = this.accounts
    const old = accounts.orderRun(account)
    const oldSize = old === none ? 1 : this.#cells[old]!
    const size = old === none ? sizeAtFirst : oldSize * 2
    const run = this.#take(size)
    const cells = this.#cells
    if (old !== none) {
      cells.copyWithin(run, old, old + oldSize)
      this.#freed(oldSize).push(old)
    }
    cells[run] = size
    for (let cell = oldSize; cell < size; cell++) cells[run + cell] = chained(cell + 1 < size ? cell + 1 : none)
    accounts.setOrderRun(account, run)
    return oldSize
  }

  #take(size: number): number {
    const freed = this.#freed(size).pop()
    if (freed !== undefined) return freed
    const run = this.#used
    this.#used += size
    let { length } = this.#cells
    if (this.#used > length) {
      while (this.#used > length) length *= 2
      const wider = asInts(recordDoubles(length >> 4, 64))
      wider.set(this.#cells)
      this.#cells = wider
    }
    return run
  }

  #freed(size: number): number[] {
    let runs = this.#outgrown.get(size)
    if (!runs) this.#outgrown.set(size, (runs = []))
    return runs
  }
}
