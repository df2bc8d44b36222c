import type { OrderStatus } from './outcome.ts'
import { grownInts, recordBuffer } from './growth.ts'
import { none } from './no-slot.ts'
import { OrderIndex } from './order-index.ts'
import { hasClientOrderId } from './traits.ts'

const recordBytes = 64
/** Status and refusal lie above the traits in the same integer. */
const statusShift = 7
const statusMask = 7
const refusalShift = 10
const stateMask = -1 << statusShift

/**
 * Every open order, and those that closed during the last command. A slot is the place of an order in two tables of one cache line an order:
 * the first has what resting, cancelling and walking a queue touch, the second what fills and answers need. Slots of closed orders are given
 * back at the start of the next command.
 */
export class OrderStore {
  /** Hot: id, quantity, filled and hold as doubles, then integers from the ninth on. */
  #doubles: Float64Array
  #ints: Int32Array
  /** Cold: price, stop price, filled notional, fee, times of creation and of the last fill. */
  #details: Float64Array
  readonly #clientOrderIds: string[] = []
  readonly #index = new OrderIndex()
  #capacity = 1_024
  #used = 0
  #firstFree = none
  #closed = new Int32Array(1_024)
  #closedCount = 0
  #openCount = 0

  constructor() {
    const { doubles, ints } = recordBuffer(this.#capacity, recordBytes)
    this.#doubles = doubles
    this.#ints = ints
    this.#details = recordBuffer(this.#capacity, recordBytes).doubles
  }

  /** Orders that are open now. */
  get openCount(): number {
    return this.#openCount
  }

  /** The slot of an order that is open or closed during the last command, or -1. */
  find(id: number): number {
    return this.#index.find(id, this.#doubles)
  }

  /** A fresh order with nothing filled and nothing held. Its terms are to be set next. */
  create(id: number, position: number, heldBalance: number, traits: number): number {
    let slot = this.#firstFree
    if (slot === none) {
      if (this.#used === this.#capacity) this.#grow()
      slot = this.#used
      this.#used += 1
    } else {
      this.#firstFree = this.next(slot)
    }
    const doubles = this.#doubles
    const ints = this.#ints
    doubles[slot << 3] = id
    doubles[(slot << 3) | 2] = 0
    doubles[(slot << 3) | 3] = 0
    ints[(slot << 4) | 8] = position
    ints[(slot << 4) | 9] = none
    ints[(slot << 4) | 14] = traits
    ints[(slot << 4) | 15] = heldBalance
    this.#index.add(id, slot)
    this.#openCount += 1
    return slot
  }

  /** What was ordered; prices it does not have are 0. */
  setTerms(slot: number, quantity: number, price: number, stopPrice: number, createdAtMs: number): void {
    const details = this.#details
    this.#doubles[(slot << 3) | 1] = quantity
    details[slot << 3] = price
    details[(slot << 3) | 1] = stopPrice
    details[(slot << 3) | 4] = createdAtMs
  }

  /** The client order id of an order whose traits say that it has one; else empty. */
  clientOrderId(slot: number): string {
    return hasClientOrderId(this.traits(slot)) ? this.#clientOrderIds[slot]! : ''
  }
  setClientOrderId(slot: number, clientOrderId: string): void {
    this.#clientOrderIds[slot] = clientOrderId
  }

  /** Makes an order final. It stays readable until `releaseClosed`. */
  close(slot: number, status: OrderStatus, refusal: number): void {
    this.#ints[(slot << 4) | 14] = (this.traits(slot) & ~stateMask) | (status << statusShift) | (refusal << refusalShift)
    if (this.#closedCount === this.#closed.length) this.#closed = grownInts(this.#closed, this.#closed.length * 2)
    this.#closed[this.#closedCount] = slot
    this.#closedCount += 1
    this.#openCount -= 1
  }

  /** Gives back the slots of orders that closed during the command before. */
  releaseClosed(): void {
    if (this.#closedCount === 0) return
    for (let index = 0; index < this.#closedCount; index++) {
      const slot = this.#closed[index]!
      this.#index.remove(this.id(slot), slot)
      this.setNext(slot, this.#firstFree)
      this.#firstFree = slot
    }
    this.#closedCount = 0
  }

  // ---- the first line -------------------------------------------------------------------------------------------------

  id(slot: number): number {
    return this.#doubles[slot << 3]!
  }
  quantity(slot: number): number {
    return this.#doubles[(slot << 3) | 1]!
  }
  setQuantity(slot: number, lots: number): void {
    this.#doubles[(slot << 3) | 1] = lots
  }
  filled(slot: number): number {
    return this.#doubles[(slot << 3) | 2]!
  }
  /** What the order holds of its account: quote minor units of a buy, base minor units of a sell. */
  hold(slot: number): number {
    return this.#doubles[(slot << 3) | 3]!
  }
  setHold(slot: number, units: number): void {
    this.#doubles[(slot << 3) | 3] = units
  }
  position(slot: number): number {
    return this.#ints[(slot << 4) | 8]!
  }
  /** The level it rests in, or -1. */
  level(slot: number): number {
    return this.#ints[(slot << 4) | 9]!
  }
  setLevel(slot: number, level: number): void {
    this.#ints[(slot << 4) | 9] = level
  }
  /** The order behind it in its level. */
  next(slot: number): number {
    return this.#ints[(slot << 4) | 10]!
  }
  setNext(slot: number, next: number): void {
    this.#ints[(slot << 4) | 10] = next
  }
  previous(slot: number): number {
    return this.#ints[(slot << 4) | 11]!
  }
  setPrevious(slot: number, previous: number): void {
    this.#ints[(slot << 4) | 11] = previous
  }
  /** The next order of its owner: of the account for an order, of the position and side for a quote. */
  ownerNext(slot: number): number {
    return this.#ints[(slot << 4) | 12]!
  }
  setOwnerNext(slot: number, next: number): void {
    this.#ints[(slot << 4) | 12] = next
  }
  ownerPrevious(slot: number): number {
    return this.#ints[(slot << 4) | 13]!
  }
  setOwnerPrevious(slot: number, previous: number): void {
    this.#ints[(slot << 4) | 13] = previous
  }
  /** Side, type and so on as `traits.ts` packs them, in the low bits; status and refusal above them. */
  traits(slot: number): number {
    return this.#ints[(slot << 4) | 14]!
  }
  status(slot: number): OrderStatus {
    return ((this.#ints[(slot << 4) | 14]! >> statusShift) & statusMask) as OrderStatus
  }
  /** Of an order that stays open. */
  setStatus(slot: number, status: OrderStatus): void {
    this.#ints[(slot << 4) | 14] = (this.traits(slot) & ~stateMask) | (status << statusShift)
  }
  refusal(slot: number): number {
    return this.#ints[(slot << 4) | 14]! >> refusalShift
  }
  /** The balance it holds from. */
  heldBalance(slot: number): number {
    return this.#ints[(slot << 4) | 15]!
  }

  // ---- the second line ------------------------------------------------------------------------------------------------

  price(slot: number): number {
    return this.#details[slot << 3]!
  }
  stopPrice(slot: number): number {
    return this.#details[(slot << 3) | 1]!
  }
  filledNotional(slot: number): number {
    return this.filled(slot) === 0 ? 0 : this.#details[(slot << 3) | 2]!
  }
  fee(slot: number): number {
    return this.filled(slot) === 0 ? 0 : this.#details[(slot << 3) | 3]!
  }
  createdAtMs(slot: number): number {
    return this.#details[(slot << 3) | 4]!
  }
  /** Time of the last fill, or of creation. */
  updatedAtMs(slot: number): number {
    return this.#details[(slot << 3) | (this.filled(slot) === 0 ? 4 : 5)]!
  }
  /** Takes a fill into the figures. Until the first, notional, fee and its time are not there. */
  addFill(slot: number, lots: number, notional: number, fee: number, timeMs: number): void {
    const details = this.#details
    const filled = this.#doubles[(slot << 3) | 2]!
    details[(slot << 3) | 2] = filled === 0 ? notional : details[(slot << 3) | 2]! + notional
    details[(slot << 3) | 3] = filled === 0 ? fee : details[(slot << 3) | 3]! + fee
    details[(slot << 3) | 5] = timeMs
    this.#doubles[(slot << 3) | 2] = filled + lots
  }

  #grow(): void {
    this.#capacity *= 2
    const { doubles, ints } = recordBuffer(this.#capacity, recordBytes, this.#doubles)
    this.#doubles = doubles
    this.#ints = ints
    this.#details = recordBuffer(this.#capacity, recordBytes, this.#details).doubles
  }
}
