import type { OrderStatus } from './outcome.ts'
import { asInts, grownInts, intTable, recordDoubles, roomFor } from './growth.ts'
import { none as noSlot } from './no-slot.ts'
import { OrderIndex } from './order-index.ts'
import type { OrderDetails } from './order-details.ts'
import { Texts, type PackedTexts } from './texts.ts'
import * as orderTraits from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { detailedTrait, hasClientOrderId, isDetailed, isPlainStop } = orderTraits
const none: number = noSlot

/**
 * Record of an order, 64 bytes, one cache line: all that placing, cancelling and walking a queue touch. Doubles come first (`At` counts
 * doubles), then integers (`IntAt` counts integers). What an order holds is not kept: it follows from its price and what is open of it.
 */
const recordBytes = 64
const idAt = 0
const quantityAt = 1
const filledAt = 2
const priceAt = 3
const createdAt = 4
const positionIntAt = 10
const levelIntAt = 11
const nextIntAt = 12
const previousIntAt = 13
const cellIntAt = 14
const traitsIntAt = 15

/** Record of the same slot that only fills and quotes touch, 32 bytes. */
const fillBytes = 32
const notionalAt = 0
const feeAt = 1
const filledAtMsAt = 2
const quoteNextIntAt = 6
const quotePreviousIntAt = 7

/** Status and refusal lie above the traits of traits.ts in the same integer. */
const statusShift = 13
const statusMask = 7
const refusalShift = statusShift + 3
const stateMask = -1 << statusShift

/**
 * Every open order, and those that closed during the last command. A slot is the place of an order in both tables. Slots of closed orders are
 * given back at the start of the next command, the last first, so that the next order finds its record in the cache.
 */
export class OrderStore {
  #capacity = 1_024
  #doubles = recordDoubles(this.#capacity, recordBytes)
  #ints = asInts(this.#doubles)
  #fills = recordDoubles(this.#capacity, fillBytes)
  #fillInts = asInts(this.#fills)
  readonly #clientOrderIds = new Texts()
  /** By slot; of orders whose traits say that they have some. */
  readonly #details = new Map<number, OrderDetails>()
  readonly #index = new OrderIndex()
  #used = 0
  #firstFree: number = none
  #closed = intTable(1_024)
  #closedCount = 0
  #openCount = 0

  /** Orders that are open now. */
  get openCount(): number {
    return this.#openCount
  }

  /** The slot of an order that is open or closed during the last command, or -1. */
  find(id: number): number {
    return this.#index.find(id, this.#doubles)
  }

  /** Where an order most likely lies; it may be another's slot. For reading ahead only. */
  likelySlot(id: number): number {
    return this.#index.likely(id)
  }

  /**
   * A fresh order with nothing filled.
   * @param price of a stop its stop price; 0 where it has none
   */
  create(id: number, position: number, traits: number, quantity: number, price: number, createdAtMs: number): number {
    let slot = this.#firstFree
    if (slot === none) slot = this.#nextUnused()
    else this.#firstFree = this.#ints[(slot << 4) | nextIntAt]!
    const doubles = this.#doubles
    const ints = this.#ints
    const at = slot << 3
    doubles[at | idAt] = id
    doubles[at | quantityAt] = quantity
    doubles[at | filledAt] = 0
    doubles[at | priceAt] = price
    doubles[at | createdAt] = createdAtMs
    const intAt = slot << 4
    ints[intAt | positionIntAt] = position
    ints[intAt | traitsIntAt] = traits
    this.#index.add(id, slot, doubles)
    this.#openCount += 1
    return slot
  }

  /** Makes room for the orders of a snapshot, which take the first slots one after another; before there is any. */
  reserve(clientOrderIds: PackedTexts): void {
    this.#clientOrderIds.restore(clientOrderIds)
    this.#capacity = roomFor(clientOrderIds.count, this.#capacity) / 2
    this.#grow()
    this.#index.reserve(clientOrderIds.count)
  }

  #nextUnused(): number {
    if (this.#used === this.#capacity) this.#grow()
    this.#used += 1
    return this.#used - 1
  }

  /** The client order id of an order whose traits say that it has one; else empty. */
  clientOrderId(slot: number): string {
    return hasClientOrderId(this.traits(slot)) ? this.#clientOrderIds.get(slot) : ''
  }
  /** Client order ids by slot, of those orders that have one. */
  get clientOrderIds(): Texts {
    return this.#clientOrderIds
  }
  setClientOrderId(slot: number, clientOrderId: string): void {
    this.#clientOrderIds.set(slot, clientOrderId)
  }

  /** Makes an order final. It stays readable until `releaseClosed`. */
  close(slot: number, status: OrderStatus, refusal: number): void {
    this.#ints[(slot << 4) | traitsIntAt] = (this.traits(slot) & ~stateMask) | (status << statusShift) | (refusal << refusalShift)
    if (this.#closedCount === this.#closed.length) this.#closed = grownInts(this.#closed, this.#closed.length * 2)
    this.#closed[this.#closedCount] = slot
    this.#closedCount += 1
    this.#openCount -= 1
  }

  /** Gives back the slots of orders that closed during the command before. */
  releaseClosed(): void {
    if (this.#closedCount > 0) this.#release()
  }
  #release(): void {
    for (let at = 0; at < this.#closedCount; at++) {
      const slot = this.#closed[at]!
      this.#index.remove(this.#doubles[(slot << 3) | idAt]!, slot)
      if (isDetailed(this.traits(slot))) this.#details.delete(slot)
      this.#ints[(slot << 4) | nextIntAt] = this.#firstFree
      this.#firstFree = slot
    }
    this.#closedCount = 0
  }

  // ---- the order ------------------------------------------------------------------------------------------------------

  id(slot: number): number {
    return this.#doubles[(slot << 3) | idAt]!
  }
  quantity(slot: number): number {
    return this.#doubles[(slot << 3) | quantityAt]!
  }
  setQuantity(slot: number, lots: number): void {
    this.#doubles[(slot << 3) | quantityAt] = lots
  }
  filled(slot: number): number {
    return this.#doubles[(slot << 3) | filledAt]!
  }
  /** Lots that are not filled. */
  remaining(slot: number): number {
    return this.#doubles[(slot << 3) | quantityAt]! - this.#doubles[(slot << 3) | filledAt]!
  }
  /** The price it rests at: limit price, of a stop its stop price; 0 of a market order. */
  price(slot: number): number {
    return this.#doubles[(slot << 3) | priceAt]!
  }
  setPrice(slot: number, price: number): void {
    this.#doubles[(slot << 3) | priceAt] = price
  }
  /** Of a plain order. */
  limitPrice(slot: number): number {
    return isPlainStop(this.traits(slot)) ? 0 : this.price(slot)
  }
  /** Of a plain order. */
  stopPrice(slot: number): number {
    return isPlainStop(this.traits(slot)) ? this.price(slot) : 0
  }
  createdAtMs(slot: number): number {
    return this.#doubles[(slot << 3) | createdAt]!
  }
  position(slot: number): number {
    return this.#ints[(slot << 4) | positionIntAt]!
  }
  /** The level it rests in. */
  level(slot: number): number {
    return this.#ints[(slot << 4) | levelIntAt]!
  }
  /** The order behind it in its level. */
  next(slot: number): number {
    return this.#ints[(slot << 4) | nextIntAt]!
  }
  previous(slot: number): number {
    return this.#ints[(slot << 4) | previousIntAt]!
  }
  /** Rests an order in a level, behind `previous` (-1: it is the first). */
  enqueue(slot: number, level: number, previous: number): void {
    const ints = this.#ints
    const at = slot << 4
    ints[at | levelIntAt] = level
    ints[at | nextIntAt] = none
    ints[at | previousIntAt] = previous
    if (previous !== none) ints[(previous << 4) | nextIntAt] = slot
  }
  /** Joins the neighbours of an order that leaves its queue. */
  dequeue(slot: number): void {
    const ints = this.#ints
    const next = ints[(slot << 4) | nextIntAt]!
    const previous = ints[(slot << 4) | previousIntAt]!
    if (next !== none) ints[(next << 4) | previousIntAt] = previous
    if (previous !== none) ints[(previous << 4) | nextIntAt] = next
  }
  /** Its cell in the list of its account (`AccountOrders`), while it rests and is no quote. */
  cell(slot: number): number {
    return this.#ints[(slot << 4) | cellIntAt]!
  }
  setCell(slot: number, cell: number): void {
    this.#ints[(slot << 4) | cellIntAt] = cell
  }
  /** Side, type and so on as `traits.ts` packs them, in the low bits; status and refusal above them. */
  traits(slot: number): number {
    return this.#ints[(slot << 4) | traitsIntAt]!
  }
  setTraits(slot: number, traits: number): void {
    this.#ints[(slot << 4) | traitsIntAt] = traits
  }
  /** What an order has that is more than plain; its traits must say that it has some. */
  details(slot: number): OrderDetails {
    return this.#details.get(slot)!
  }
  setDetails(slot: number, details: OrderDetails): void {
    this.#details.set(slot, details)
    this.#ints[(slot << 4) | traitsIntAt] = this.traits(slot) | detailedTrait
  }
  status(slot: number): OrderStatus {
    return ((this.#ints[(slot << 4) | traitsIntAt]! >> statusShift) & statusMask) as OrderStatus
  }
  /** Of an order that stays open. */
  setStatus(slot: number, status: OrderStatus): void {
    this.#ints[(slot << 4) | traitsIntAt] = (this.traits(slot) & ~stateMask) | (status << statusShift)
  }
  refusal(slot: number): number {
    return this.#ints[(slot << 4) | traitsIntAt]! >> refusalShift
  }

  // ---- its fills ------------------------------------------------------------------------------------------------------

  filledNotional(slot: number): number {
    return this.filled(slot) === 0 ? 0 : this.#fills[(slot << 2) | notionalAt]!
  }
  fee(slot: number): number {
    return this.filled(slot) === 0 ? 0 : this.#fills[(slot << 2) | feeAt]!
  }
  /** Time of the last fill, or of creation. */
  updatedAtMs(slot: number): number {
    return this.filled(slot) === 0 ? this.createdAtMs(slot) : this.#fills[(slot << 2) | filledAtMsAt]!
  }
  /** Takes a fill into the figures. Until the first, notional, fee and its time are not there. */
  addFill(slot: number, lots: number, notional: number, fee: number, timeMs: number): void {
    const fills = this.#fills
    const at = slot << 2
    const filled = this.#doubles[(slot << 3) | filledAt]!
    fills[at | notionalAt] = filled === 0 ? notional : fills[at | notionalAt]! + notional
    fills[at | feeAt] = filled === 0 ? fee : fills[at | feeAt]! + fee
    fills[at | filledAtMsAt] = timeMs
    this.#doubles[(slot << 3) | filledAt] = filled + lots
  }

  // ---- quotes ---------------------------------------------------------------------------------------------------------

  /** The next quote of the same position and side, worse in price. */
  nextQuote(slot: number): number {
    return this.#fillInts[(slot << 3) | quoteNextIntAt]!
  }
  setNextQuote(slot: number, next: number): void {
    this.#fillInts[(slot << 3) | quoteNextIntAt] = next
  }
  previousQuote(slot: number): number {
    return this.#fillInts[(slot << 3) | quotePreviousIntAt]!
  }
  setPreviousQuote(slot: number, previous: number): void {
    this.#fillInts[(slot << 3) | quotePreviousIntAt] = previous
  }

  #grow(): void {
    this.#capacity *= 2
    this.#doubles = recordDoubles(this.#capacity, recordBytes, this.#doubles)
    this.#ints = asInts(this.#doubles)
    this.#fills = recordDoubles(this.#capacity, fillBytes, this.#fills)
    this.#fillInts = asInts(this.#fills)
  }
}
