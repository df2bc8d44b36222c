import type { OrderDetailsView, OrderView } from '@maru/domain/exchange'

/** Doubles of a record: all of a view but its texts and details. */
const figures = 16
const roomAtFirst = 1_024

/**
 * Views of the orders that closed last, at most so many: one more and the first is forgotten. As figures in tables: as objects each would be copied by the
 * collector twice, and be looked at by it again and again as long as it is kept.
 */
export class ClosedOrders {
  readonly #max: number
  readonly #onForgotten: (account: number, order: number) => void
  #room: number
  #records: Float64Array
  #clientOrderIds: string[] = []
  readonly #details = new Map<number, OrderDetailsView>()
  /** Places + 1 by a hash of the order's number, two at least for each record. */
  #index: Int32Array
  #shift: number
  #size = 0
  /** Where the next one goes; once all places are taken, where the oldest is. */
  #next = 0

  /** @param onForgotten told of each that gives way to another */
  constructor(max: number, onForgotten: (account: number, order: number) => void) {
    if (!Number.isSafeInteger(max) || max < 1) throw new RangeError(`${max} orders that closed`)
    this.#max = max
    this.#onForgotten = onForgotten
    this.#room = Math.min(max, roomAtFirst)
    this.#records = new Float64Array(this.#room * figures)
    const bits = indexBits(this.#room)
    this.#index = new Int32Array(2 ** bits)
    this.#shift = 32 - bits
  }

  get size(): number {
    return this.#size
  }

  get(order: number): OrderView | undefined {
    const place = this.#find(order)
    if (place < 0) return undefined
    const at = place * figures
    const records = this.#records
    return {
      order,
      account: records[at + 1]!,
      symbol: records[at + 2]!,
      side: records[at + 3]! as OrderView['side'],
      orderType: records[at + 4]! as OrderView['orderType'],
      timeInForce: records[at + 5]! as OrderView['timeInForce'],
      quantity: records[at + 6]!,
      filled: records[at + 7]!,
      price: records[at + 8]!,
      stopPrice: records[at + 9]!,
      filledNotional: records[at + 10]!,
      fee: records[at + 11]!,
      status: records[at + 12]! as OrderView['status'],
      refusal: records[at + 13]!,
      clientOrderId: this.#clientOrderIds[place]!,
      createdAtMs: records[at + 14]!,
      updatedAtMs: records[at + 15]!,
      details: this.#details.get(order),
    }
  }

  /** One that is there keeps its place. */
  set(view: OrderView): void {
    const known = this.#find(view.order)
    const place = known < 0 ? this.#take(view.order) : known
    const at = place * figures
    const records = this.#records
    records[at] = view.order
    records[at + 1] = view.account
    records[at + 2] = view.symbol
    records[at + 3] = view.side
    records[at + 4] = view.orderType
    records[at + 5] = view.timeInForce
    records[at + 6] = view.quantity
    records[at + 7] = view.filled
    records[at + 8] = view.price
    records[at + 9] = view.stopPrice
    records[at + 10] = view.filledNotional
    records[at + 11] = view.fee
    records[at + 12] = view.status
    records[at + 13] = view.refusal
    records[at + 14] = view.createdAtMs
    records[at + 15] = view.updatedAtMs
    this.#clientOrderIds[place] = view.clientOrderId
    if (view.details) this.#details.set(view.order, view.details)
  }

  #take(order: number): number {
    const place = this.#next
    if (this.#size === this.#room && this.#room < this.#max) this.#grow()
    if (this.#size === this.#max) {
      const oldest = this.#records[place * figures]!
      const account = this.#records[place * figures + 1]!
      this.#remove(oldest, place)
      this.#details.delete(oldest)
      this.#onForgotten(account, oldest)
    } else this.#size += 1
    this.#next = place + 1 === this.#max ? 0 : place + 1
    this.#put(order, place)
    return place
  }

  #home(order: number): number {
    return Math.imul(order, 0x9e3779b1) >>> this.#shift
  }

  #find(order: number): number {
    const index = this.#index
    const mask = index.length - 1
    for (let at = this.#home(order); ; at = (at + 1) & mask) {
      const place = index[at]! - 1
      if (place < 0 || this.#records[place * figures] === order) return place
    }
  }

  #put(order: number, place: number): void {
    const index = this.#index
    const mask = index.length - 1
    let at = this.#home(order)
    while (index[at] !== 0) at = (at + 1) & mask
    index[at] = place + 1
  }

  #remove(order: number, place: number): void {
    const index = this.#index
    const mask = index.length - 1
    let gap = this.#home(order)
    while (index[gap] !== place + 1) gap = (gap + 1) & mask
    // Those behind it that were to be where it was, or before, move up.
    for (let at = (gap + 1) & mask; index[at] !== 0; at = (at + 1) & mask) {
      const home = this.#home(this.#records[(index[at]! - 1) * figures]!)
      if (((at - home) & mask) < ((at - gap) & mask)) continue
      index[gap] = index[at]!
      gap = at
    }
    index[gap] = 0
  }

  /** Only before any is forgotten, so places are taken in order. */
  #grow(): void {
    this.#room = Math.min(this.#max, this.#room * 2)
    const records = new Float64Array(this.#room * figures)
    records.set(this.#records)
    this.#records = records
    const bits = indexBits(this.#room)
    this.#index = new Int32Array(2 ** bits)
    this.#shift = 32 - bits
    for (let place = 0; place < this.#size; place++) this.#put(records[place * figures]!, place)
  }
}

function indexBits(room: number): number {
  return Math.ceil(Math.log2(room)) + 1
}
