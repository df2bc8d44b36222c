import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer, Client } from '../support/client.ts'
import { Trader } from './trader.ts'

/** A trader that acts without end, and asks again once, with the same client order id, where it got no answer or one that says so. */
export class RetryingTrader {
  readonly trader: Trader
  readonly latenciesMs: number[] = []
  retries = 0
  /** Called at each answer that was a success. */
  onSuccess: () => void = () => undefined
  readonly #client: Client
  readonly #random: () => number

  /** @param client its `url` with the path of the trading service in it */
  constructor(client: Client, name: string, random: () => number) {
    this.trader = new Trader(client, name, random)
    this.#client = client
    this.#random = random
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.trader.act((method, path, body) => this.#ask(method, path, body))
      await sleep(this.#random() * 10)
    }
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<Answer<T> | undefined> {
    const startedMs = performance.now()
    for (let isRetry = false; ; isRetry = true) {
      const answer = await this.#client.call<T>(method, path, body).catch((error: Error) => error)
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
        this.trader.faults.push(`${method} ${path} ${JSON.stringify(body)} failed after its retry: ${said}`)
        return undefined
      }
      this.retries += 1
      await sleep(answer instanceof Error ? 50 : Number(answer.headers.get('retry-after') ?? 0.05) * 1_000)
    }
  }
}
