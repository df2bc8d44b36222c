import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer, Client } from '../support/client.ts'

/** What a trader was told of an order in the end. */
export type Told = { id: string; status: string } | { refusal: string }

interface OrderAnswer {
  id: string
  status: string
  code?: string
}

/** Refusals an order may meet here for a reason of its own. Any other answer than these and success is a broken promise. */
const refusals = new Set([
  'insufficient_funds',
  'no_liquidity',
  'no_reference_price',
  'self_trade_prevented',
  'open_order_limit',
  'position_limit',
])
const middle = 30_000

/**
 * A bot that places and cancels orders without end and asks again once, with the same client order id, where it got no answer or one that says so. It
 * keeps what it was told, to be held against the platform later.
 */
export class RetryingTrader {
  readonly told = new Map<string, Told>()
  /** Every client order id it ever sent. */
  readonly sent = new Set<string>()
  readonly faults: string[] = []
  readonly latenciesMs: number[] = []
  retries = 0
  /** When it last got an answer that was a success, by the clock of `performance.now`. */
  onSuccess: () => void = () => undefined
  readonly client: Client
  readonly #name: string
  readonly #random: () => number
  readonly #open: string[] = []

  /** @param client its `url` with the path of the trading service in it */
  constructor(client: Client, name: string, random: () => number) {
    this.client = client
    this.#name = name
    this.#random = random
  }

  async run(signal: AbortSignal): Promise<void> {
    for (let number = 1; !signal.aborted; number++) {
      if (this.#open.length > 20 || (this.#open.length > 0 && this.#random() < 0.2)) await this.#cancel()
      else await this.#place(`${this.#name}-${number}`)
      await sleep(this.#random() * 10)
    }
  }

  async #place(clientOrderId: string): Promise<void> {
    const side = this.#random() < 0.5 ? 'BUY' : 'SELL'
    const isMarket = this.#random() < 0.1
    const away = Math.floor(this.#random() * 20) - 2
    const price = isMarket ? {} : { price: String(side === 'BUY' ? middle - away : middle + away) }
    const order = { symbol: 'BTC/USDT', side, order_type: isMarket ? 'MARKET' : 'LIMIT', quantity: '0.001', ...price }
    this.sent.add(clientOrderId)
    const answer = await this.#ask<OrderAnswer>('POST', '/orders', { ...order, client_order_id: clientOrderId })
    if (!answer) return
    const { status, body } = answer
    if (status === 201) {
      this.told.set(clientOrderId, { id: body.id, status: body.status })
      if (body.status === 'PENDING' || body.status === 'PARTIALLY_FILLED') this.#open.push(body.id)
    } else if (status === 422 && refusals.has(body.code ?? '')) this.told.set(clientOrderId, { refusal: body.code! })
    else this.faults.push(`${clientOrderId}: ${status} ${JSON.stringify(body)}`)
  }

  async #cancel(): Promise<void> {
    const [id] = this.#open.splice(Math.floor(this.#random() * this.#open.length), 1)
    const answer = await this.#ask<OrderAnswer>('DELETE', `/orders/${id}`)
    if (!answer) return
    const { status, body } = answer
    // Filled meanwhile, or cancelled by the try before whose answer was lost.
    if (status === 200 || (status === 409 && body.code === 'order_not_open')) return
    this.faults.push(`cancel ${id}: ${status} ${JSON.stringify(body)}`)
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<Answer<T> | undefined> {
    const startedMs = performance.now()
    for (let isRetry = false; ; isRetry = true) {
      const answer = await this.client.call<T>(method, path, body).catch((error: Error) => error)
      if (!(answer instanceof Error) && answer.status < 500 && answer.status !== 429) {
        this.latenciesMs.push(performance.now() - startedMs)
        this.onSuccess()
        return answer
      }
      const said =
        answer instanceof Error
          ? `${answer.message} ${answer.cause instanceof Error ? answer.cause.message : ''}`
          : `${answer.status} ${JSON.stringify(answer.body)}`
      if (isRetry) {
        this.faults.push(`${method} ${path} ${JSON.stringify(body)} failed after its retry: ${said}`)
        return undefined
      }
      this.retries += 1
      await sleep(answer instanceof Error ? 50 : Number(answer.headers.get('retry-after') ?? 0.05) * 1_000)
    }
  }
}
