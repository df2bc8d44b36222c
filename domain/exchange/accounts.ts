import { AccountMode } from '@maru/contracts/commands'
import { recordBuffer } from './growth.ts'
import { none } from './no-slot.ts'

const recordBytes = 64
/** An account is 22 bits of a key in `PairIndex`, and fewer than a Map can hold. */
export const accountsMax = 2 ** 22
/** A limit that was never set: the default of the venue holds. */
export const unset = -1

/** Accounts as records of 64 bytes: numbering of their stream, results of the day, limits, mode and the heads of their lists. */
export class AccountStore {
  readonly userIds: string[] = []
  readonly #byUserId = new Map<string, number>()
  #capacity = 256
  #doubles: Float64Array
  #ints: Int32Array

  constructor() {
    const { doubles, ints } = recordBuffer(this.#capacity, recordBytes)
    this.#doubles = doubles
    this.#ints = ints
  }

  get count(): number {
    return this.userIds.length
  }

  has(account: number): boolean {
    return account >= 0 && account < this.userIds.length && Number.isInteger(account)
  }

  find(userId: string): number {
    return this.#byUserId.get(userId) ?? none
  }

  open(userId: string): number {
    const account = this.userIds.length
    if (account === this.#capacity) this.#grow()
    this.userIds.push(userId)
    this.#byUserId.set(userId, account)
    const at = account * 8
    this.#doubles.fill(0, at, at + 8)
    this.#doubles[at + 3] = unset
    this.#doubles[at + 4] = unset
    this.#doubles[at + 5] = unset
    const intAt = account * 16
    this.#ints[intAt + 12] = AccountMode.cash
    this.#ints[intAt + 13] = none
    this.#ints[intAt + 14] = none
    this.#ints[intAt + 15] = none
    return account
  }

  /** Number of the last event of the account's stream; 0 before the first. */
  sequence(account: number): number {
    return this.#doubles[account << 3]!
  }
  /** Numbers the next event of the account's stream. */
  nextSequence(account: number): number {
    const next = this.#doubles[account << 3]! + 1
    this.#doubles[account << 3] = next
    return next
  }
  setSequence(account: number, sequence: number): void {
    this.#doubles[account << 3] = sequence
  }

  /** Realised P&L after fees on `day` (days since 1970 UTC), in minor units of the risk asset. */
  dayRealized(account: number, day: number): number {
    return this.#doubles[(account << 3) | 2] === day ? this.#doubles[(account << 3) | 1]! : 0
  }
  addDayRealized(account: number, day: number, units: number): void {
    const at = account * 8
    if (this.#doubles[at + 2] !== day) {
      this.#doubles[at + 2] = day
      this.#doubles[at + 1] = units
    } else {
      this.#doubles[at + 1] = this.#doubles[at + 1]! + units
    }
  }
  /** The day that `dayRealized` was last counted for. */
  realizedDay(account: number): number {
    return this.#doubles[(account << 3) | 2]!
  }

  positionNotionalMax(account: number): number {
    return this.#doubles[(account << 3) | 3]!
  }
  setPositionNotionalMax(account: number, units: number): void {
    this.#doubles[(account << 3) | 3] = units
  }
  leverageMaxHundredths(account: number): number {
    return this.#doubles[(account << 3) | 4]!
  }
  setLeverageMaxHundredths(account: number, hundredths: number): void {
    this.#doubles[(account << 3) | 4] = hundredths
  }
  dailyLossMax(account: number): number {
    return this.#doubles[(account << 3) | 5]!
  }
  setDailyLossMax(account: number, units: number): void {
    this.#doubles[(account << 3) | 5] = units
  }

  mode(account: number): AccountMode {
    return this.#ints[(account << 4) | 12]! as AccountMode
  }
  setMode(account: number, mode: AccountMode): void {
    this.#ints[(account << 4) | 12] = mode
  }
  /** Newest open order of the account, quotes left out. */
  firstOrder(account: number): number {
    return this.#ints[(account << 4) | 13]!
  }
  setFirstOrder(account: number, slot: number): void {
    this.#ints[(account << 4) | 13] = slot
  }
  firstPosition(account: number): number {
    return this.#ints[(account << 4) | 14]!
  }
  setFirstPosition(account: number, position: number): void {
    this.#ints[(account << 4) | 14] = position
  }
  firstBalance(account: number): number {
    return this.#ints[(account << 4) | 15]!
  }
  setFirstBalance(account: number, balance: number): void {
    this.#ints[(account << 4) | 15] = balance
  }

  #grow(): void {
    this.#capacity *= 2
    const { doubles, ints } = recordBuffer(this.#capacity, recordBytes, this.#doubles)
    this.#doubles = doubles
    this.#ints = ints
  }
}
