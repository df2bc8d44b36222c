import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import type { EdgeAnswer } from '../front/exchange.ts'
import type { Upstream } from '../routing/instances.ts'
import type { Ticket, Verdict } from '../routing/member.ts'
import { headerList, type HeaderText } from '../front/header-text.ts'
import { answerLines, type AnswerLines } from './headers.ts'
import { UpstreamTimeout, type PlainDispatch, type PlainHandler } from './plain-pool.ts'

export interface RelayRequest extends PlainDispatch {
  answer: EdgeAnswer
  /** Whether the short parser read it: then the short way behind takes it too. */
  isPlain: boolean
  /** Headers of the gateway for every answer. */
  baseHeaders: HeaderText
  /** They say who may keep the answer, whatever the service says. */
  isPrivate: boolean
  /** The answer may go on for as long as it likes: Server-Sent Events. */
  isStream: boolean
  /** Until then, by the clock of `performance.now`, the client waits for an answer to begin, where it has said so. */
  clientDeadlineMs?: number | undefined
  /** Called once the head of an answer that is not held back has been sent. `end`: what ends it whole, where it is an event stream. */
  onStreaming(end: (() => void) | undefined): void
}

/**
 * `answered`: the client has its answer, or it was broken off with the service's. `left`: the client went away. `failed`:
 * nothing has been sent to the client; `sent` says whether the request may have reached the service.
 */
export type RelayOutcome = { kind: 'answered' } | { kind: 'left' } | { kind: 'failed'; sent: boolean; timedOut: boolean; error: Error }

/** Answers known to be no longer than this are held until they are whole, so that a broken one can still be answered properly. */
const heldMaxBytes = 64 * 1_024

const eventStream = /^content-type: *text\/event-stream *(?:;|\r)/im

/** Sends a request to an instance and its answer to the client, and tells the instance's record, and `done` once, how it went. */
export function relay(upstream: Upstream, request: RelayRequest, done: (outcome: RelayOutcome) => void): void {
  const handler = new RelayHandler(upstream.begin(), request, done)
  if (request.isPlain) {
    upstream.dispatch(request, handler)
    return
  }
  upstream.pool.dispatch(
    {
      method: request.method as Dispatcher.HttpMethod,
      path: request.path,
      headers: headerList(request.fixedHeaders + request.headers),
      body: request.body,
      ...(request.isStream ? { bodyTimeout: 0 } : {}),
    },
    handler,
  )
}

class RelayHandler implements Dispatcher.DispatchHandler, PlainHandler {
  readonly #ticket: Ticket
  readonly #request: RelayRequest
  readonly #tell: (outcome: RelayOutcome) => void
  #controller: Dispatcher.DispatchController | undefined
  #sent = false
  #left = false
  #done = false
  #status = 0
  #headers: HeaderText = ''
  #contentLength: number | undefined
  /** Chunks of a held answer; undefined once the answer streams. */
  #held: Buffer[] | undefined
  #heldBytes = 0
  #onDrain: (() => void) | undefined
  #deadline: NodeJS.Timeout | undefined
  #isPastDeadline = false

  constructor(ticket: Ticket, request: RelayRequest, tell: (outcome: RelayOutcome) => void) {
    this.#ticket = ticket
    this.#request = request
    this.#tell = tell
    request.answer.onClose(() => this.#clientLeft())
    const { clientDeadlineMs } = request
    if (clientDeadlineMs !== undefined)
      this.#deadline = setTimeout(() => this.#passDeadline(), Math.max(0, clientDeadlineMs - performance.now()))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#done || this.#left) controller.abort(new Error('nobody waits for an answer'))
    else this.#sent = true
  }

  /** As `PlainHandler.onUnsent`. */
  onUnsent(): void {
    this.#controller = undefined
    this.#sent = false
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return
    const { 'content-length': length } = headers
    this.onHead(status, answerLines(flat(headers)), length === undefined ? undefined : Number(length))
  }

  /** As `PlainHandler.onHead`. */
  onHead(status: number, { passed, cache, hasRetryAfter }: AnswerLines, contentLength: number | undefined): void {
    this.#status = status
    // A client that gives an instance no time to answer says nothing about the instance.
    const isHurried = status === 504 && this.#request.clientDeadlineMs !== undefined
    this.#ticket.judge(isHurried ? 'abandoned' : verdictOf(status, hasRetryAfter))
    const { baseHeaders, isPrivate } = this.#request
    this.#headers = isPrivate ? baseHeaders + passed : baseHeaders + passed + cache
    this.#contentLength = contentLength
    if ((contentLength ?? Infinity) <= heldMaxBytes || this.#request.method === 'HEAD' || status === 204 || status === 304) {
      this.#held = []
      return
    }
    clearTimeout(this.#deadline)
    if (this.#request.isStream) this.#ticket.becomeStream()
    this.#request.answer.begin(status, this.#headers, contentLength)
    this.#request.onStreaming(this.#request.isStream && eventStream.test(this.#headers) ? () => this.#endStream() : undefined)
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
      // Once it is done, the connection may be another request's.
      if (!this.#done) controller.resume()
    }
    answer.onceDrained(this.#onDrain)
  }

  /** As `PlainHandler.onLastData`. */
  onLastData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    // All of it, as mostly: it is with the client before this returns.
    if (this.#held?.length === 0) this.#answer(this.#held, chunk)
    else this.onResponseData(controller, Buffer.from(chunk))
  }

  onResponseEnd(): void {
    const held = this.#held
    if (this.#done) return
    if (held) this.#answer(held, held.length === 1 ? held[0]! : Buffer.concat(held, this.#heldBytes))
    else {
      this.#finish({ kind: 'answered' })
      this.#request.answer.end()
    }
  }

  #answer(held: Buffer[], body: Buffer): void {
    const { answer, method } = this.#request
    held.length = 0
    this.#finish({ kind: 'answered' })
    if (method === 'HEAD') answer.whole(this.#status, this.#headers, body, this.#contentLength)
    else answer.whole(this.#status, this.#headers, body)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#done) return
    if (this.#left) {
      this.#finish({ kind: 'left' })
      return
    }
    const { code } = error as { code?: string }
    const timedOut = error instanceof UpstreamTimeout || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT'
    this.#ticket.judge(this.#isPastDeadline ? 'abandoned' : timedOut ? 'timed_out' : 'failed')
    if (this.#status !== 0 && !this.#held) {
      // Part of the answer is with the client: only a broken connection says that the rest will not come.
      this.#request.answer.destroy()
      this.#finish({ kind: 'answered' })
      return
    }
    this.#finish({ kind: 'failed', sent: this.#sent, timedOut, error })
  }

  /** As if the service had ended it: of an event stream a part is as good as any other, its reader goes on from the last event it had whole. */
  #endStream(): void {
    if (this.#done) return
    this.#finish({ kind: 'answered' })
    this.#request.answer.end()
    this.#controller?.abort(new Error('the gateway is going away'))
  }

  #passDeadline(): void {
    if (this.#done) return
    const error = new UpstreamTimeout('the deadline of the client has passed')
    this.#isPastDeadline = true
    if (this.#controller) this.#controller.abort(error)
    else this.#finish({ kind: 'failed', sent: false, timedOut: true, error })
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
    clearTimeout(this.#deadline)
    this.#ticket.end()
    this.#tell(outcome)
  }
}

/** What an answer says of the instance by its status. One that says that it cannot now, and when it may, is well. */
export function verdictOf(status: number, hasRetryAfter: boolean): Verdict {
  if (status < 500) return 'answered'
  return status === 503 && hasRetryAfter ? 'refused' : 'failed'
}

function flat(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) => (Array.isArray(value) ? value : [value ?? '']).flatMap((one) => [name, one]))
}
