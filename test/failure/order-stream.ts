import type { Client } from '../support/client.ts'

interface Acknowledged {
  clientOrderId: string
  id: string
}

/**
 * A bot that places one order after the other without pause and, when it gets no answer, asks again with the same client order id until
 * it knows. What it was told is kept, to be held against the platform later.
 */
export class OrderStream {
  readonly acknowledged: Acknowledged[] = []
  /** Answers that were neither a success, nor a refusal to be retried: each is a broken promise. */
  readonly faults: string[] = []
  retries = 0
  readonly #client: Client
  readonly #name: string
  readonly #stop = new AbortController()
  #done: Promise<void> = Promise.resolve()

  constructor(client: Client, name: string) {
    this.#client = client
    this.#name = name
  }

  start(): void {
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#done
  }

  async #run(): Promise<void> {
    for (let number = 1; !this.#stop.signal.aborted; number++) {
      const clientOrderId = `${this.#name}-${number}`
      const side = number % 2 === 1 ? 'BUY' : 'SELL'
      const id = await this.#place({ symbol: 'BTC/USDT', side, order_type: 'MARKET', quantity: '0.001', client_order_id: clientOrderId })
      if (id !== undefined) this.acknowledged.push({ clientOrderId, id })
    }
  }

  async #place(order: Record<string, string>): Promise<string | undefined> {
    for (;;) {
      try {
        const { status, body } = await this.#client.post<{ id: string; code?: string }>('/api/trading/orders', order)
        if (status === 201) return body.id
        // The house has no quotes for a moment after a restart; nothing was bought then, and nothing need be sold.
        if (status === 422 && (body.code === 'no_liquidity' || body.code === 'insufficient_funds')) return undefined
        if (status !== 429 && status < 502) {
          this.faults.push(`${order['client_order_id']}: ${status} ${JSON.stringify(body)}`)
          return undefined
        }
      } catch {
        // No answer: the order may have been taken or not. The next try with the same id finds out.
      }
      this.retries += 1
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
