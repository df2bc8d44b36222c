import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Answer } from '../../support/client.ts'
import type { Samples } from './samples.ts'

/** A client that hears nothing for so long gives a try up. */
const tryMaxMs = 3_000
/** How long the client waits before its one retry where the answer does not say, and at most where it does. */
const retryAfterMs = 100
const retryAfterMaxMs = 2_000
const connectionsMax = 256

/** Sends requests as a careful client does: one retry where the first try got no answer, or one that says to ask again. Each is a sample. */
export class Requester {
  readonly #url: string
  readonly #samples: Samples
  readonly #agent = new Agent({
    connections: connectionsMax,
    pipelining: 1,
    connect: { timeout: tryMaxMs },
    headersTimeout: tryMaxMs,
    bodyTimeout: tryMaxMs,
  })

  constructor(url: string, samples: Samples) {
    this.#url = url
    this.#samples = samples
  }

  /**
   * @param dueMs when the request should have been sent, by the clock of `performance.now`
   * @returns undefined where both tries failed
   */
  async ask<T>(
    service: string,
    dueMs: number,
    method: string,
    path: string,
    options: { token?: string | undefined; body?: unknown } = {},
  ): Promise<Answer<T> | undefined> {
    let firstFailure: string | undefined
    for (;;) {
      const answer = await this.#try<T>(method, path, options).catch((error: Error) => error)
      const failure = failureOf(answer)
      const isLast = failure === undefined || firstFailure !== undefined
      if (failure !== undefined) firstFailure ??= `${method} ${path.split('?')[0]}: ${failure}`
      if (isLast) {
        this.#samples.add({ service, atMs: dueMs, durationMs: performance.now() - dueMs, firstFailure, isGood: failure === undefined })
        return failure === undefined ? (answer as Answer<T>) : undefined
      }
      const wanted = answer instanceof Error ? undefined : Number(answer.headers.get('retry-after') ?? Number.NaN) * 1_000
      await sleep(Math.min(wanted !== undefined && Number.isFinite(wanted) ? wanted : retryAfterMs, retryAfterMaxMs))
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy()
  }

  async #try<T>(method: string, path: string, { token, body }: { token?: string | undefined; body?: unknown }): Promise<Answer<T>> {
    const answer = await request(`${this.#url}${path}`, {
      dispatcher: this.#agent,
      method: method as 'GET',
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(tryMaxMs),
    })
    const text = await answer.body.text()
    const headers = new Headers()
    const retryAfter = answer.headers['retry-after']
    if (typeof retryAfter === 'string') headers.set('retry-after', retryAfter)
    return { status: answer.statusCode, body: (text === '' ? undefined : JSON.parse(text)) as T, headers }
  }
}

function failureOf(answer: Answer<unknown> | Error): string | undefined {
  if (answer instanceof Error) return `${answer.name}${'code' in answer ? ` ${String(answer.code)}` : ''} ${answer.message}`.slice(0, 120)
  const { status, body } = answer
  const isGood = status < 500 && status !== 429 && status !== 401 && status !== 403 && status !== 404
  return isGood ? undefined : `${status} ${(body as { code?: string; detail?: string } | undefined)?.code ?? ''}`
}
