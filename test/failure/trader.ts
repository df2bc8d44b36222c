import type { Answer, Client } from '../support/client.ts'

/** What a trader was told of an order in the end. */
export type Told = { id: string; status: string } | { refusal: string }

/** Asks the trading service; undefined where there was no answer worth the name, which has been noted by who asked. */
export type Ask = <T>(method: string, path: string, body?: unknown) => Promise<Answer<T> | undefined>

interface OrderAnswer {
  id: string
  status: string
  code?: string
}

/** Refusals an order may meet for a reason of its own. Any other answer than these and success is a broken promise. */
const refusals = new Set([
  'insufficient_funds',
  'no_liquidity',
  'no_reference_price',
  'self_trade_prevented',
  'open_order_limit',
  'position_limit',
])
const openMax = 20

/** A bot that places and cancels orders, and keeps what it was told, to be held against the platform later. */
export class Trader {
  readonly told = new Map<string, Told>()
  /** Every client order id it ever sent. */
  readonly sent = new Set<string>()
  readonly faults: string[] = []
  readonly client: Client
  /** Its orders go around this price of BTC/USDT, by whole `tick`s. */
  middle = 30_000
  tick = 1
  readonly #name: string
  readonly #random: () => number
  readonly #open: string[] = []
  #orders = 0

  /** @param client its `url` with the path of the trading service in it */
  constructor(client: Client, name: string, random: () => number) {
    this.client = client
    this.#name = name
    this.#random = random
  }

  /** Places an order, or cancels one of those that are open. */
  async act(ask: Ask): Promise<void> {
    if (this.#open.length > openMax || (this.#open.length > 0 && this.#random() < 0.2)) await this.#cancel(ask)
    else await this.#place(ask)
  }

  async #place(ask: Ask): Promise<void> {
    this.#orders += 1
    const clientOrderId = `${this.#name}-${this.#orders}`
    const side = this.#random() < 0.5 ? 'BUY' : 'SELL'
    const isMarket = this.#random() < 0.1
    const away = (Math.floor(this.#random() * 20) - 2) * this.tick
    const price = isMarket ? {} : { price: String(side === 'BUY' ? this.middle - away : this.middle + away) }
    const order = { symbol: 'BTC/USDT', side, order_type: isMarket ? 'MARKET' : 'LIMIT', quantity: '0.001', ...price }
    this.sent.add(clientOrderId)
    const answer = await ask<OrderAnswer>('POST', '/orders', { ...order, client_order_id: clientOrderId })
    if (!answer) return
    const { status, body } = answer
    if (status === 201) {
      this.told.set(clientOrderId, { id: body.id, status: body.status })
      if (body.status === 'PENDING' || body.status === 'PARTIALLY_FILLED') this.#open.push(body.id)
    } else if (status === 422 && refusals.has(body.code ?? '')) this.told.set(clientOrderId, { refusal: body.code! })
    else this.faults.push(`${clientOrderId}: ${status} ${JSON.stringify(body)}`)
  }

  async #cancel(ask: Ask): Promise<void> {
    const [id] = this.#open.splice(Math.floor(this.#random() * this.#open.length), 1)
    const answer = await ask<OrderAnswer>('DELETE', `/orders/${id}`)
    if (!answer) return
    const { status, body } = answer
    // Filled meanwhile, or cancelled by the try before whose answer was lost.
    if (status === 200 || (status === 409 && body.code === 'order_not_open')) return
    this.faults.push(`cancel ${id}: ${status} ${JSON.stringify(body)}`)
  }
}
