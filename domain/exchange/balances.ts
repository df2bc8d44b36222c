import type { AccountStore } from './accounts.ts'
import { recordBuffer } from './growth.ts'
import { none } from './orders.ts'
import { PairIndex } from './pair-index.ts'

const recordBytes = 32

/** Balances as records of 32 bytes, one for each account and asset that were ever used together: total, and what open orders hold of it. */
export class BalanceStore {
  doubles: Float64Array
  ints: Int32Array
  readonly #index = new PairIndex()
  readonly #accounts: AccountStore
  #capacity = 1_024
  #count = 0

  constructor(accounts: AccountStore) {
    this.#accounts = accounts
    const { doubles, ints } = recordBuffer(this.#capacity, recordBytes)
    this.doubles = doubles
    this.ints = ints
  }

  get count(): number {
    return this.#count
  }

  find(account: number, asset: number): number {
    return this.#index.find(account, asset)
  }

  /** The balance of an account in an asset, made with zero where there is none. */
  of(account: number, asset: number): number {
    const found = this.#index.find(account, asset)
    if (found !== none) return found
    if (this.#count === this.#capacity) this.#grow()
    const balance = this.#count
    this.#count += 1
    this.#index.add(account, asset, balance)
    const at = balance * 8
    this.ints[at + 4] = account
    this.ints[at + 5] = asset
    this.ints[at + 6] = this.#accounts.firstBalance(account)
    this.#accounts.setFirstBalance(account, balance)
    return balance
  }

  total(balance: number): number {
    return this.doubles[balance * 4]!
  }
  setTotal(balance: number, units: number): void {
    this.doubles[balance * 4] = units
  }
  add(balance: number, units: number): void {
    this.doubles[balance * 4] = this.doubles[balance * 4]! + units
  }
  held(balance: number): number {
    return this.doubles[balance * 4 + 1]!
  }
  addHeld(balance: number, units: number): void {
    this.doubles[balance * 4 + 1] = this.doubles[balance * 4 + 1]! + units
  }
  available(balance: number): number {
    return this.doubles[balance * 4]! - this.doubles[balance * 4 + 1]!
  }
  account(balance: number): number {
    return this.ints[balance * 8 + 4]!
  }
  asset(balance: number): number {
    return this.ints[balance * 8 + 5]!
  }
  nextOfAccount(balance: number): number {
    return this.ints[balance * 8 + 6]!
  }

  #grow(): void {
    this.#capacity *= 2
    const { doubles, ints } = recordBuffer(this.#capacity, recordBytes, this.doubles)
    this.doubles = doubles
    this.ints = ints
  }
}
