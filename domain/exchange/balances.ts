import type { AccountStore } from './accounts.ts'
import { SnapshotError } from './bytes.ts'
import { doubleTable, grownDoubles, grownInts, intTable, roomFor } from './growth.ts'
import { none as noSlot } from './no-slot.ts'
import { PairIndex } from './pair-index.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const none: number = noSlot

/** Balances, one for each account and asset that were ever used together: total, and what open orders hold of it. */
export class BalanceStore {
  /** Total and held of each balance side by side. */
  #units = doubleTable(2_048)
  /** Account, asset and next balance of the account. */
  #owners = intTable(4_096)
  readonly #index = new PairIndex()
  readonly #accounts: AccountStore
  #count = 0

  constructor(accounts: AccountStore) {
    this.#accounts = accounts
  }

  get count(): number {
    return this.#count
  }

  /**
   * Takes the balances of a snapshot; before there is any. Throws SnapshotError where an account has two in an asset.
   * @param assetCount how many assets there are
   */
  restore(owners: Float64Array, assets: Float64Array, totals: Float64Array, assetCount: number): void {
    const room = roomFor(owners.length, this.#units.length / 2)
    this.#units = doubleTable(room * 2)
    this.#owners = intTable(room * 4)
    this.#index.reserve(this.#accounts.count, assetCount)
    for (let nth = 0; nth < owners.length; nth++) {
      const account = owners[nth]!
      const asset = assets[nth]!
      if (this.#index.find(account, asset) !== none) throw new SnapshotError('the snapshot has a balance twice')
      this.setTotal(this.#create(account, asset), totals[nth]!)
    }
  }

  find(account: number, asset: number): number {
    return this.#index.find(account, asset)
  }

  /** The balance of an account in an asset, made with zero where there is none. */
  of(account: number, asset: number): number {
    const found = this.#index.find(account, asset)
    if (found !== none) return found
    return this.#create(account, asset)
  }

  #create(account: number, asset: number): number {
    const balance = this.#count
    if (balance * 2 === this.#units.length) {
      this.#units = grownDoubles(this.#units, balance << 2)
      this.#owners = grownInts(this.#owners, balance << 3)
    }
    this.#count += 1
    this.#index.add(account, asset, balance)
    this.#owners[balance << 2] = account
    this.#owners[(balance << 2) | 1] = asset
    this.#owners[(balance << 2) | 2] = this.#accounts.firstBalance(account)
    this.#accounts.setFirstBalance(account, balance)
    return balance
  }

  /** A place for a balance of nothing that is kept nowhere, good until the next is made; `nth` tells several apart. */
  scratch(account: number, asset: number, nth: number): number {
    const balance = this.#count + nth
    while (balance * 2 >= this.#units.length) {
      this.#units = grownDoubles(this.#units, this.#units.length * 2)
      this.#owners = grownInts(this.#owners, this.#owners.length * 2)
    }
    this.#owners[balance << 2] = account
    this.#owners[(balance << 2) | 1] = asset
    return balance
  }

  total(balance: number): number {
    return this.#units[balance << 1]!
  }
  setTotal(balance: number, units: number): void {
    this.#units[balance << 1] = units
  }
  add(balance: number, units: number): void {
    this.#units[balance << 1] = this.#units[balance << 1]! + units
  }
  held(balance: number): number {
    return this.#units[(balance << 1) | 1]!
  }
  addHeld(balance: number, units: number): void {
    this.#units[(balance << 1) | 1] = this.#units[(balance << 1) | 1]! + units
  }
  /** Reads a balance, for reading ahead only. */
  look(balance: number): number {
    return this.#units[balance << 1]! | 0
  }
  available(balance: number): number {
    return this.#units[balance << 1]! - this.#units[(balance << 1) | 1]!
  }
  account(balance: number): number {
    return this.#owners[balance << 2]!
  }
  asset(balance: number): number {
    return this.#owners[(balance << 2) | 1]!
  }
  nextOfAccount(balance: number): number {
    return this.#owners[(balance << 2) | 2]!
  }
}
