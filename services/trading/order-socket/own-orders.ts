import { OrderStatus, type Exchange } from '@maru/domain/exchange'
import type { Placed } from '../order-management/order-entry.ts'
import { formatId, parseId } from '../wire/order-id.ts'

/** From so many on, those that are final are forgotten now and then. */
const sweepFrom = 256

/** The orders that one connection placed, as far as they may be open, and those on their way. */
export class OwnOrders {
  readonly #exchange: Exchange
  readonly #numbers = new Set<number>()
  readonly #placing = new Map<string, Promise<unknown>>()
  #sweepAt = sweepFrom

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  async placing(clientOrderId: string | undefined, placing: Promise<Placed>): Promise<Placed> {
    if (clientOrderId !== undefined) this.#placing.set(clientOrderId, placing)
    try {
      const placed = await placing
      this.add(placed.order.id)
      return placed
    } finally {
      if (clientOrderId !== undefined && this.#placing.get(clientOrderId) === placing) this.#placing.delete(clientOrderId)
    }
  }

  /** Waits for the outcome of an order on its way, so that what was sent after it finds it. */
  async placed(clientOrderId: string): Promise<void> {
    await this.#placing.get(clientOrderId)?.catch(() => undefined) // Its own answer says what became of it.
  }

  /** Ids of those that are open. */
  open(): string[] {
    return [...this.#numbers].filter((number) => this.#isOpen(number)).map(formatId)
  }

  /** Takes an order for one of this connection, as long as it is open. */
  add(id: string): void {
    const number = parseId(id)
    if (number === undefined || !this.#isOpen(number)) return
    this.#numbers.add(number)
    if (this.#numbers.size < this.#sweepAt) return
    for (const known of this.#numbers) if (!this.#isOpen(known)) this.#numbers.delete(known)
    this.#sweepAt = Math.max(sweepFrom, this.#numbers.size * 2)
  }

  #isOpen(number: number): boolean {
    const status = this.#exchange.order(number)?.status
    return status === OrderStatus.pending || status === OrderStatus.partiallyFilled
  }
}
