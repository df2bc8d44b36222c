import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import type { EdgeAnswer } from '../front/exchange.ts'
import type { Upstream } from '../routing/instances.ts'
import { answerHeaders } from './headers.ts'
import { UpstreamTimeout, type PlainHandler } from './plain-pool.ts'

export interface RelayRequest {
  method: string
  /** With its query. */
  path: string
  headers: string[]
  body: Buffer | null
  answer: EdgeAnswer
  /** Whether the short parser read it: then the short way behind takes it too. */
  isPlain: boolean
  /** Headers of the gateway for every answer, flat. */
  baseHeaders: readonly string[]
  /** The answer may go on for as long as it likes: Server-Sent Events. */
  isStream: boolean
  /** Called once the head of an answer that is not held back has been sent. */
  onStreaming(): void
}

/**
 * `answered`: the client has its answer, or it was broken off with the service's. `left`: the client went away. `failed`:
 * nothing has been sent to the client; `sent` says whether the request may have reached the service.
 */
export type RelayOutcome = { kind: 'answered' } | { kind: 'left' } | { kind: 'failed'; sent: boolean; timedOut: boolean; error: Error }

/** Answers known to be no longer than this are held until they are whole, so that a broken one can still be answered properly. */
const heldMaxBytes = 64 * 1_024

/** Sends a request to an instance and its answer to the client, and feeds the circuit of the instance. */
export function relay(upstream: Upstream, request: RelayRequest): Promise<RelayOutcome> {
  return new Promise((resolve) => {
    const handler = new RelayHandler(upstream, request, resolve)
    upstream.circuit.begin()
    upstream.inFlight += 1
    if (request.isPlain) {
      upstream.plainPool.dispatch(request, handler)
      return
    }
    upstream.pool.dispatch(
      {
        method: request.method as Dispatcher.HttpMethod,
        path: request.path,
        headers: request.headers,
        body: request.body,
        ...(request.isStream ? { bodyTimeout: 0 } : {}),
      },
      handler,
    )
  })
}

class RelayHandler implements Dispatcher.DispatchHandler, PlainHandler {
  readonly #upstream: Upstream
  readonly #request: RelayRequest
  readonly #resolve: (outcome: RelayOutcome) => void
  #controller: Dispatcher.DispatchController | undefined
  #sent = false
  #left = false
  #done = false
  #judged = false
  #status = 0
  #headers: string[] = []
  #contentLength: number | undefined
  /** Chunks of a held answer; undefined once the answer streams. */
  #held: Buffer[] | undefined
  #heldBytes = 0
  #onDrain: (() => void) | undefined

  constructor(upstream: Upstream, request: RelayRequest, resolve: (outcome: RelayOutcome) => void) {
    this.#upstream = upstream
    this.#request = request
    this.#resolve = resolve
    request.answer.onClose(() => this.#clientLeft())
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#left) controller.abort(new Error('the client left'))
    else this.#sent = true
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return
    const { 'content-length': length } = headers
    this.onHead(status, flat(headers), length === undefined ? undefined : Number(length))
  }

  /** As `PlainHandler.onHead`. */
  onHead(status: number, headers: readonly string[], contentLength: number | undefined): void {
    this.#status = status
    this.#judge(status < 500 || (status === 503 && headers.includes('retry-after')))
    this.#headers = answerHeaders(headers, this.#request.baseHeaders)
    this.#contentLength = contentLength
    if ((contentLength ?? Infinity) <= heldMaxBytes || this.#request.method === 'HEAD' || status === 204 || status === 304) {
      this.#held = []
      return
    }
    this.#request.answer.begin(status, this.#headers, contentLength)
    this.#request.onStreaming()
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#held) {
      this.#held.push(chunk)
      this.#heldBytes += chunk.length
      return
    }
    const { answer } = this.#request
    if (answer.write(chunk) || this.#onDrain) return
    controller.pause()
    this.#onDrain = () => {
      this.#onDrain = undefined
      controller.resume()
    }
    answer.onceDrained(this.#onDrain)
  }

  onResponseEnd(): void {
    const { answer, method } = this.#request
    this.#finish({ kind: 'answered' })
    if (!this.#held) answer.end()
    else {
      const body = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held, this.#heldBytes)
      if (method === 'HEAD') answer.whole(this.#status, this.#headers, body, this.#contentLength)
      else answer.whole(this.#status, this.#headers, body)
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#left) {
      this.#finish({ kind: 'left' })
      return
    }
    this.#judge(false)
    if (this.#status !== 0 && !this.#held) {
      // Part of the answer is with the client: only a broken connection says that the rest will not come.
      this.#request.answer.destroy()
      this.#finish({ kind: 'answered' })
      return
    }
    const { code } = error as { code?: string }
    const timedOut = error instanceof UpstreamTimeout || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT'
    this.#finish({ kind: 'failed', sent: this.#sent, timedOut, error })
  }

  /** Feeds the circuit once a request: by the head of the answer, or by its absence. A break after the head counts as a failure too. */
  #judge(good: boolean): void {
    if (this.#judged && good) return
    this.#judged = true
    if (good) this.#upstream.circuit.succeeded()
    else this.#upstream.circuit.failed()
  }

  #clientLeft(): void {
    if (this.#done) return
    this.#left = true
    this.#controller?.abort(new Error('the client left'))
    if (!this.#controller) this.#finish({ kind: 'left' })
  }

  #finish(outcome: RelayOutcome): void {
    if (this.#done) return
    this.#done = true
    this.#upstream.inFlight -= 1
    if (!this.#judged) this.#upstream.circuit.abandoned()
    this.#resolve(outcome)
  }
}

function flat(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) => (Array.isArray(value) ? value : [value ?? '']).flatMap((one) => [name, one]))
}
