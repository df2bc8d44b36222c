import { OrderStatus } from './outcome.ts'
import { grownInts, recordBuffer } from './growth.ts'
import { OrderIndex } from './order-index.ts'

const recordBytes = 128
/** End of a list, and no slot. */
export const none = -1

/**
 * Every open order, and those that closed during the last command, as records of two cache lines in one buffer. The first has what resting,
 * cancelling and walking a queue touch; the second what fills and answers need. A slot is the place of a record. Slots of closed orders
 * are given back at the start of the next command.
 */
export class OrderStore {
  doubles: Float64Array
  ints: Int32Array
  readonly clientOrderIds: string[] = []
  readonly #index = new OrderIndex()
  #capacity = 1_024
  #used = 0
  #firstFree = none
  #closed = new Int32Array(1_024)
  #closedCount = 0
  #openCount = 0

  constructor() {
    const { doubles, ints } = recordBuffer(this.#capacity, recordBytes)
    this.doubles = doubles
    this.ints = ints
  }

  /** Orders that are open now. */
  get openCount(): number {
    return this.#openCount
  }

  /** The slot of an order that is open or closed during the last command, or -1. */
  find(id: number): number {
    return this.#index.find(id, this.doubles)
  }

  /** A fresh record with everything zero but what is given. */
  create(id: number, account: number, position: number, symbol: number, traits: number): number {
    let slot = this.#firstFree
    if (slot === none) {
      if (this.#used === this.#capacity) this.#grow()
      slot = this.#used
      this.#used += 1
    } else {
      this.#firstFree = this.ints[(slot << 5) | 10]!
    }
    const { doubles, ints } = this
    const at = slot * 16
    doubles[at] = id
    doubles[at + 2] = 0
    doubles[at + 3] = 0
    doubles[at + 10] = 0
    doubles[at + 11] = 0
    const intAt = slot * 32
    ints[intAt + 8] = position
    ints[intAt + 9] = none
    ints[intAt + 14] = traits
    ints[intAt + 15] = OrderStatus.pending
    ints[intAt + 28] = account
    ints[intAt + 29] = symbol
    this.clientOrderIds[slot] = ''
    this.#index.add(id, slot)
    this.#openCount += 1
    return slot
  }

  /** Makes an order final. It stays readable until `releaseClosed`. */
  close(slot: number, status: OrderStatus, refusal: number): void {
    this.ints[(slot << 5) | 15] = status | (refusal << 8)
    if (this.#closedCount === this.#closed.length) this.#closed = grownInts(this.#closed, this.#closed.length * 2)
    this.#closed[this.#closedCount] = slot
    this.#closedCount += 1
    this.#openCount -= 1
  }

  /** Gives back the slots of orders that closed during the command before. */
  releaseClosed(): void {
    for (let index = 0; index < this.#closedCount; index++) {
      const slot = this.#closed[index]!
      this.#index.remove(this.doubles[slot << 4]!, slot)
      this.ints[(slot << 5) | 10] = this.#firstFree
      this.#firstFree = slot
    }
    this.#closedCount = 0
  }

  // ---- doubles ------------------------------------------------------------------------------------------------------

  id(slot: number): number {
    return this.doubles[slot << 4]!
  }
  quantity(slot: number): number {
    return this.doubles[(slot << 4) | 1]!
  }
  setQuantity(slot: number, lots: number): void {
    this.doubles[(slot << 4) | 1] = lots
  }
  filled(slot: number): number {
    return this.doubles[(slot << 4) | 2]!
  }
  setFilled(slot: number, lots: number): void {
    this.doubles[(slot << 4) | 2] = lots
  }
  price(slot: number): number {
    return this.doubles[(slot << 4) | 8]!
  }
  setPrice(slot: number, ticks: number): void {
    this.doubles[(slot << 4) | 8] = ticks
  }
  stopPrice(slot: number): number {
    return this.doubles[(slot << 4) | 9]!
  }
  setStopPrice(slot: number, ticks: number): void {
    this.doubles[(slot << 4) | 9] = ticks
  }
  filledNotional(slot: number): number {
    return this.doubles[(slot << 4) | 10]!
  }
  setFilledNotional(slot: number, units: number): void {
    this.doubles[(slot << 4) | 10] = units
  }
  fee(slot: number): number {
    return this.doubles[(slot << 4) | 11]!
  }
  setFee(slot: number, units: number): void {
    this.doubles[(slot << 4) | 11] = units
  }
  /** What the order holds of its account: quote minor units of a buy, base minor units of a sell. */
  hold(slot: number): number {
    return this.doubles[(slot << 4) | 3]!
  }
  setHold(slot: number, units: number): void {
    this.doubles[(slot << 4) | 3] = units
  }
  createdAtMs(slot: number): number {
    return this.doubles[(slot << 4) | 12]!
  }
  setCreatedAtMs(slot: number, ms: number): void {
    this.doubles[(slot << 4) | 12] = ms
  }
  updatedAtMs(slot: number): number {
    return this.doubles[(slot << 4) | 13]!
  }
  setUpdatedAtMs(slot: number, ms: number): void {
    this.doubles[(slot << 4) | 13] = ms
  }

  // ---- integers -----------------------------------------------------------------------------------------------------

  account(slot: number): number {
    return this.ints[(slot << 5) | 28]!
  }
  position(slot: number): number {
    return this.ints[(slot << 5) | 8]!
  }
  /** The level it rests in, or -1. */
  level(slot: number): number {
    return this.ints[(slot << 5) | 9]!
  }
  setLevel(slot: number, level: number): void {
    this.ints[(slot << 5) | 9] = level
  }
  /** The order behind it in its level. */
  next(slot: number): number {
    return this.ints[(slot << 5) | 10]!
  }
  setNext(slot: number, next: number): void {
    this.ints[(slot << 5) | 10] = next
  }
  previous(slot: number): number {
    return this.ints[(slot << 5) | 11]!
  }
  setPrevious(slot: number, previous: number): void {
    this.ints[(slot << 5) | 11] = previous
  }
  /** The next order of its owner: of the account for an order, of the position's quotes of this side for a quote. */
  ownerNext(slot: number): number {
    return this.ints[(slot << 5) | 12]!
  }
  setOwnerNext(slot: number, next: number): void {
    this.ints[(slot << 5) | 12] = next
  }
  ownerPrevious(slot: number): number {
    return this.ints[(slot << 5) | 13]!
  }
  setOwnerPrevious(slot: number, previous: number): void {
    this.ints[(slot << 5) | 13] = previous
  }
  traits(slot: number): number {
    return this.ints[(slot << 5) | 14]!
  }
  symbol(slot: number): number {
    return this.ints[(slot << 5) | 29]!
  }
  status(slot: number): OrderStatus {
    return (this.ints[(slot << 5) | 15]! & 255) as OrderStatus
  }
  /** Of an order that is open, which has no refusal. */
  setStatus(slot: number, status: OrderStatus): void {
    this.ints[(slot << 5) | 15] = status
  }
  refusal(slot: number): number {
    return this.ints[(slot << 5) | 15]! >> 8
  }

  #grow(): void {
    this.#capacity *= 2
    const { doubles, ints } = recordBuffer(this.#capacity, recordBytes, this.doubles)
    this.doubles = doubles
    this.ints = ints
  }
}
