/** A book as slow and plain as can be, to compare with: one list of orders, searched from the start each time. */
export interface ReferenceOrder {
  id: number
  account: number
  isBuy: boolean
  price: number
  lots: number
}

export interface ReferenceTrade {
  taker: number
  maker: number
  price: number
  lots: number
}

export class ReferenceBook {
  orders: ReferenceOrder[] = []

  /** Trades what crosses (a price of 0 crosses everything), rests the remainder if asked; stops at an order of the same account and drops the rest. */
  add(order: ReferenceOrder, rests: boolean): ReferenceTrade[] {
    const trades: ReferenceTrade[] = []
    let left = order.lots
    while (left > 0) {
      const maker = this.#best(order)
      if (!maker) break
      if (maker.account === order.account) return trades
      const lots = Math.min(left, maker.lots)
      trades.push({ taker: order.id, maker: maker.id, price: maker.price, lots })
      maker.lots -= lots
      left -= lots
      this.orders = this.orders.filter((one) => one.lots > 0)
    }
    if (left > 0 && rests) this.orders.push({ ...order, lots: left })
    return trades
  }

  cancel(id: number): void {
    this.orders = this.orders.filter((order) => order.id !== id)
  }

  levels(isBuy: boolean): { price: number; quantity: number; orders: number }[] {
    const prices = [...new Set(this.orders.filter((order) => order.isBuy === isBuy).map(({ price }) => price))]
    return prices
      .sort((a, b) => (isBuy ? b - a : a - b))
      .map((price) => {
        const here = this.orders.filter((order) => order.isBuy === isBuy && order.price === price)
        return { price, quantity: here.reduce((sum, { lots }) => sum + lots, 0), orders: here.length }
      })
  }

  /** Best price, then lowest id: ids are given in order of time. */
  #best(taker: ReferenceOrder): ReferenceOrder | undefined {
    return this.orders
      .filter(
        (order) =>
          order.isBuy !== taker.isBuy && (taker.price === 0 || (taker.isBuy ? order.price <= taker.price : order.price >= taker.price)),
      )
      .sort((a, b) => (taker.isBuy ? a.price - b.price : b.price - a.price) || a.id - b.id)[0]
  }
}
