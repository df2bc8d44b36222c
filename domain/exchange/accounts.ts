import { AccountMode } from '@maru/contracts/commands'
import { flagsOf, modeFlag as modeBit, noControls, type AccountControls } from './account-controls.ts'
import { asInts, recordDoubles, roomFor } from './growth.ts'
import { none as noSlot } from './no-slot.ts'
import type { PackedTexts } from './texts.ts'
import { UserIds } from './user-ids.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { cash } = AccountMode
const modeFlag: number = modeBit
const none: number = noSlot

const recordBytes = 64
/** An account is 22 bits of a key in `PairIndex`, and fewer than a Map can hold. */
export const accountsMax = 2 ** 22
/** A limit that was never set: the default of the venue holds. */
export const unset = -1

/**
 * Record of an account, 64 bytes: doubles first (`At` counts doubles), then integers (`IntAt` counts integers).
 */
const sequenceAt = 0
const dayRealizedAt = 1
const positionMaxAt = 2
const leverageMaxAt = 3
const dailyLossMaxAt = 4
const realizedDayIntAt = 10
const flagsIntAt = 11
const orderRunIntAt = 12
const freeCellIntAt = 13
const firstPositionIntAt = 14
const firstBalanceIntAt = 15

/** Accounts: numbering of their stream, results of the day, limits, mode and where their orders, positions and balances begin. */
export class AccountStore {
  readonly userIds = new UserIds()
  #count = 0
  readonly #controls = new Map<number, AccountControls>()
  #capacity = 256
  #doubles = recordDoubles(this.#capacity, recordBytes)
  #ints = asInts(this.#doubles)

  get count(): number {
    return this.#count
  }

  has(account: number): boolean {
    return account >= 0 && account < this.#count && Number.isInteger(account)
  }

  find(userId: string): number {
    return this.userIds.find(userId)
  }

  open(userId: string): number {
    this.userIds.add(userId)
    return this.#create()
  }

  /** Opens the accounts of a snapshot; before any other. */
  restore(userIds: PackedTexts): void {
    this.userIds.restore(userIds)
    this.#capacity = roomFor(userIds.count, this.#capacity)
    const doubles = recordDoubles(this.#capacity, recordBytes)
    const ints = asInts(doubles)
    this.#doubles = doubles
    this.#ints = ints
    for (let left = userIds.count; left > 0; left--) this.#create()
  }

  #create(): number {
    if (this.#count === this.#capacity) this.#grow()
    const account = this.#count
    this.#count += 1
    const at = account << 3
    this.#doubles[at | sequenceAt] = 0
    this.#doubles[at | dayRealizedAt] = 0
    this.#doubles[at | positionMaxAt] = unset
    this.#doubles[at | leverageMaxAt] = unset
    this.#doubles[at | dailyLossMaxAt] = unset
    const intAt = account << 4
    this.#ints[intAt | realizedDayIntAt] = 0
    this.#ints[intAt | flagsIntAt] = cash
    this.#ints[intAt | orderRunIntAt] = none
    this.#ints[intAt | freeCellIntAt] = none
    this.#ints[intAt | firstPositionIntAt] = none
    this.#ints[intAt | firstBalanceIntAt] = none
    return account
  }

  /** Number of the last event of the account's stream; 0 before the first. */
  sequence(account: number): number {
    return this.#doubles[(account << 3) | sequenceAt]!
  }
  setSequence(account: number, sequence: number): void {
    this.#doubles[(account << 3) | sequenceAt] = sequence
  }
  /** Numbers the next event of the account's stream. */
  nextSequence(account: number): number {
    const next = this.#doubles[(account << 3) | sequenceAt]! + 1
    this.#doubles[(account << 3) | sequenceAt] = next
    return next
  }

  /** Realised P&L after fees on `day` (days since 1970 UTC), in minor units of the risk asset. */
  dayRealized(account: number, day: number): number {
    return this.#ints[(account << 4) | realizedDayIntAt] === day ? this.#doubles[(account << 3) | dayRealizedAt]! : 0
  }
  addDayRealized(account: number, day: number, units: number): void {
    const at = (account << 3) | dayRealizedAt
    if (this.#ints[(account << 4) | realizedDayIntAt] !== day) {
      this.#ints[(account << 4) | realizedDayIntAt] = day
      this.#doubles[at] = units
    } else {
      this.#doubles[at] = this.#doubles[at]! + units
    }
  }
  /** The day that `dayRealized` was last counted for. */
  realizedDay(account: number): number {
    return this.#ints[(account << 4) | realizedDayIntAt]!
  }

  positionNotionalMax(account: number): number {
    return this.#doubles[(account << 3) | positionMaxAt]!
  }
  setPositionNotionalMax(account: number, units: number): void {
    this.#doubles[(account << 3) | positionMaxAt] = units
  }
  leverageMaxHundredths(account: number): number {
    return this.#doubles[(account << 3) | leverageMaxAt]!
  }
  setLeverageMaxHundredths(account: number, hundredths: number): void {
    this.#doubles[(account << 3) | leverageMaxAt] = hundredths
  }
  dailyLossMax(account: number): number {
    return this.#doubles[(account << 3) | dailyLossMaxAt]!
  }
  setDailyLossMax(account: number, units: number): void {
    this.#doubles[(account << 3) | dailyLossMaxAt] = units
  }

  mode(account: number): AccountMode {
    return (this.#ints[(account << 4) | flagsIntAt]! & modeFlag) as AccountMode
  }
  setMode(account: number, mode: AccountMode): void {
    this.#ints[(account << 4) | flagsIntAt] = (this.flags(account) & ~modeFlag) | mode
  }
  /** The mode, and which of the controls it has that few accounts have. */
  flags(account: number): number {
    return this.#ints[(account << 4) | flagsIntAt]!
  }
  /** Controls that operators gave it; those of an account that was given none. */
  controls(account: number): Readonly<AccountControls> {
    return this.#controls.get(account) ?? noControls
  }
  /** Every account that has some, in the order of accounts. */
  controlled(): number[] {
    return [...this.#controls.keys()].sort((a, b) => a - b)
  }
  changeControls(account: number, changes: Partial<AccountControls>): void {
    this.setControls(account, { ...this.controls(account), ...changes })
  }
  setControls(account: number, controls: AccountControls): void {
    this.#controls.set(account, controls)
    this.#ints[(account << 4) | flagsIntAt] = (this.flags(account) & modeFlag) | flagsOf(controls)
  }
  /** Where the list of its open orders lies (`AccountOrders`), or -1. */
  orderRun(account: number): number {
    return this.#ints[(account << 4) | orderRunIntAt]!
  }
  setOrderRun(account: number, run: number): void {
    this.#ints[(account << 4) | orderRunIntAt] = run
  }
  /** First free cell of that list, or -1. */
  freeCell(account: number): number {
    return this.#ints[(account << 4) | freeCellIntAt]!
  }
  setFreeCell(account: number, cell: number): void {
    this.#ints[(account << 4) | freeCellIntAt] = cell
  }
  firstPosition(account: number): number {
    return this.#ints[(account << 4) | firstPositionIntAt]!
  }
  setFirstPosition(account: number, position: number): void {
    this.#ints[(account << 4) | firstPositionIntAt] = position
  }
  firstBalance(account: number): number {
    return this.#ints[(account << 4) | firstBalanceIntAt]!
  }
  setFirstBalance(account: number, balance: number): void {
    this.#ints[(account << 4) | firstBalanceIntAt] = balance
  }

  #grow(): void {
    this.#capacity *= 2
    this.#doubles = recordDoubles(this.#capacity, recordBytes, this.#doubles)
    this.#ints = asInts(this.#doubles)
  }
}
