import type { Trader } from '../../failure/trader.ts'
import type { Requester } from './requester.ts'

/** Requests that may wait for their answers at once; beyond it the load is not what was asked for, and says so. */
const waitingMax = 2_000

interface Kind {
  service: string
  weight: number
  send(trader: Trader, dueMs: number): Promise<unknown>
}

/** A steady mix of what users do, over all services: requests are due at random times at a given rate, whether earlier ones were answered or not. */
export class MixedLoad {
  readonly #traders: readonly Trader[]
  readonly #requester: Requester
  readonly #random: () => number
  readonly #kinds: readonly Kind[]
  readonly #weights: number
  readonly #waiting = new Set<Promise<unknown>>()
  /** Requests that were due while as many were waiting as may. */
  unsent = 0

  constructor(traders: readonly Trader[], requester: Requester, random: () => number) {
    this.#traders = traders
    this.#requester = requester
    this.#random = random
    this.#kinds = this.#mix()
    this.#weights = this.#kinds.reduce((sum, { weight }) => sum + weight, 0)
  }

  /** Sends at `perSecond` until the signal aborts; resolves when the last is answered. */
  async run(perSecond: number, signal: AbortSignal): Promise<void> {
    let dueMs = performance.now()
    while (!signal.aborted) {
      const nowMs = performance.now()
      for (; dueMs <= nowMs; dueMs += (-Math.log(1 - this.#random()) / perSecond) * 1_000) this.#send(dueMs)
      await new Promise((resolve) => setTimeout(resolve, Math.max(1, dueMs - performance.now())))
    }
    await this.settle()
  }

  /** As many at once as `workers`, each sending the next when it has its answer, for `durationMs`. Gives the rate, per second. */
  async saturate(workers: number, durationMs: number): Promise<number> {
    const startedMs = performance.now()
    let answered = 0
    const worker = async (): Promise<void> => {
      while (performance.now() - startedMs < durationMs) {
        const nowMs = performance.now()
        await this.#pick().send(this.#trader(), nowMs)
        answered += 1
      }
    }
    await Promise.all(Array.from({ length: workers }, worker))
    return (answered / (performance.now() - startedMs)) * 1_000
  }

  async settle(): Promise<void> {
    while (this.#waiting.size > 0) await Promise.all(this.#waiting)
  }

  #send(dueMs: number): void {
    if (this.#waiting.size >= waitingMax) {
      this.unsent += 1
      return
    }
    const sent = this.#pick()
      .send(this.#trader(), dueMs)
      .finally(() => this.#waiting.delete(sent))
    this.#waiting.add(sent)
  }

  #trader(): Trader {
    return this.#traders[Math.floor(this.#random() * this.#traders.length)]!
  }

  #pick(): Kind {
    let at = this.#random() * this.#weights
    return this.#kinds.find(({ weight }) => (at -= weight) < 0) ?? this.#kinds[0]!
  }

  #mix(): Kind[] {
    const get = (service: string, weight: number, pathOf: (trader: Trader) => string, hasToken = true): Kind => ({
      service,
      weight,
      send: (trader, dueMs) =>
        this.#requester.ask(service, dueMs, 'GET', pathOf(trader), { token: hasToken ? trader.client.token : undefined }),
    })
    return [
      {
        service: 'trading',
        weight: 40,
        send: (trader, dueMs) =>
          trader.act((method, path, body) =>
            this.#requester.ask('trading', dueMs, method, `/api/trading${path}`, {
              token: trader.client.token,
              ...(body === undefined ? {} : { body }),
            }),
          ),
      },
      get('trading', 10, ({ client }) => `/api/trading/accounts/${client.userId}/balances`),
      get('trading', 5, ({ client }) => `/api/trading/positions/${client.userId}`),
      get('trading', 5, () => '/api/trading/orders?limit=20'),
      get('market-data', 10, () => '/api/market-data/prices/BTC-USDT', false),
      get('market-data', 4, () => '/api/market-data/candles/ETH-USDT?interval=1m&limit=50', false),
      get('user', 8, () => '/api/user/me'),
      get('notification', 6, () => '/api/notification/notifications?limit=20'),
      get('analytics', 6, ({ client }) => `/api/analytics/equity/${client.userId}`),
      get('gateway', 6, () => '/health/live', false),
    ]
  }
}
