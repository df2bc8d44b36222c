import { none } from './no-slot.ts'

/**
 * Accounts that may owe, in the order of their numbers. Whoever comes to owe by a fill is noted; who owes no more is taken out when it is looked at, so a fill costs
 * a look-up and nothing else. No part of a snapshot: who owes follows from the balances.
 */
export class Borrowers {
  readonly #accounts: number[] = []

  note(account: number): void {
    const at = this.#placeOf(account)
    if (this.#accounts[at] !== account) this.#accounts.splice(at, 0, account)
  }

  forget(account: number): void {
    const at = this.#placeOf(account)
    if (this.#accounts[at] === account) this.#accounts.splice(at, 1)
  }

  /** The next account with a greater number, or -1. */
  after(account: number): number {
    return this.#accounts[this.#placeOf(account + 1)] ?? none
  }

  /** The place of the first account that is not less. */
  #placeOf(account: number): number {
    const accounts = this.#accounts
    let low = 0
    for (let high = accounts.length; low < high;) {
      const middle = (low + high) >> 1
      if (accounts[middle]! < account) low = middle + 1
      else high = middle
    }
    return low
  }
}
