import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { RecentHeads, type HeadPlaces } from './recent-heads.ts'
import { readRequestHead, type RequestHead } from './request-head.ts'

/** A plain request, whole. */
export interface PlainRequest extends RequestHead {
  readonly body: Buffer
  readonly remoteAddress: string
  /** By the clock of `performance.now`. */
  readonly receivedMs: number
  /** One and the same object for requests of a connection whose heads are the same to the byte; undefined where that is not known. */
  readonly sameHead: object | undefined
}

/** The value of a header, by its name in lower case. */
export function headerOf({ names, values }: RequestHead, name: string): string | undefined {
  const at = names.indexOf(name)
  return at < 0 ? undefined : values[at]
}

/** Whoever a plain request is answered to. */
export interface PlainClient {
  /** Whether it knows the id of its request, and need not be told. */
  readonly knowsRequestId: boolean
  /** Sends the whole answer, once. `lines`: its headers, each ended by CRLF, without those that frame it. */
  answer(status: number, lines: string, body: string | Buffer): void
}

/** What the connections of one server share. */
export interface ConnectionHost {
  readonly bodyMaxBytes: number
  /** The headers of an answer after which the connection stays open. */
  readonly keepAlive: string
  readonly headPlaces: HeadPlaces
  isClosing(): boolean
  /** Takes a request, to be answered by `client.answer` once; false where it is not for the plain path, and nothing was done. */
  take(request: PlainRequest, client: PlainConnection): boolean
  /** Gives a connection to Node's own server; `bytes` are what it has said so far. */
  handOver(connection: PlainConnection, socket: Socket, bytes: Buffer): void
  ended(connection: PlainConnection): void
}

const nothing = Buffer.alloc(0)
const closing = 'connection: close\r\n'
/** What a client may send ahead while its request is being served; it is not read further then. */
const aheadMaxBytes = 64 * 1_024
/** An answer that waits to be taken holds up the requests behind it. */
const unsentMaxBytes = 64 * 1_024

/** A client's connection on which one plain request at a time is read and answered. */
export class PlainConnection implements PlainClient {
  readonly knowsRequestId = false
  readonly #host: ConnectionHost
  readonly #socket: Socket
  readonly #remoteAddress: string
  /** Set while the body of a request is awaited. */
  #head: RequestHead | undefined
  /** What came of a request whose body is awaited, or ahead while one is being served. */
  #chunks: Buffer[] = []
  #chunkBytes = 0
  #isServing = false
  #hasEnded = false
  #isChunked = false
  #onDone: (() => void) | undefined
  #hasAsked = false
  /** From the second request on: many connections carry one alone. */
  #recent: RecentHeads | undefined
  #hasServed = false
  #isHeadKept = false
  /** Since when the client has not taken what was sent. */
  #stalledSinceMs: number | undefined
  /** Since when it has been in its state, by the clock of `performance.now`. */
  #sinceMs = performance.now()
  readonly #onData = (chunk: Buffer): void => this.#read(chunk)
  readonly #onEnd = (): void => this.#ended()
  readonly #onClose = (): void => this.#closed()
  readonly #onError = (): void => void this.#socket.destroy()

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket
    this.#host = host
    this.#remoteAddress = socket.remoteAddress ?? ''
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose).on('error', this.#onError)
  }

  get remoteAddress(): string {
    return this.#remoteAddress
  }

  /**
   * `new`: nothing was asked yet. `idle`: between two requests. `receiving`: the body of a request is under way. `stalled`: the client does not take its answer.
   * `sinceMs`: since when, by the clock of `performance.now`.
   */
  get state(): { is: 'new' | 'idle' | 'receiving' | 'serving' | 'stalled'; sinceMs: number } {
    if (this.#stalledSinceMs !== undefined) return { is: 'stalled', sinceMs: this.#stalledSinceMs }
    const is = this.#isServing ? 'serving' : this.#head ? 'receiving' : this.#hasAsked ? 'idle' : 'new'
    return { is, sinceMs: this.#sinceMs }
  }

  get isGone(): boolean {
    return this.#socket.destroyed
  }

  /** Called once the request being served has its answer, or its client has left. */
  set onDone(callback: () => void) {
    this.#onDone = callback
  }

  /** As `PlainClient.answer`; `isLast` ends the connection with it. */
  answer(status: number, lines: string, body: string | Buffer, isLast = false): void {
    const ends = isLast || this.#hasEnded || this.#host.isClosing()
    const isText = typeof body === 'string'
    const length = isText ? Buffer.byteLength(body) : body.length
    const whole = `${statusLine(status)}${lines}content-length: ${length}\r\n${ends ? closing : this.#host.keepAlive}date: ${dateText()}\r\n\r\n`
    // As text of one byte a character, head and body leave in one write.
    if (!isText) this.#write(whole + body.toString('latin1'), 'latin1')
    else this.#write(whole + body, length === body.length ? 'latin1' : 'utf8')
    this.finish(ends)
  }

  /** As `answer`, for a status that has no body and says nothing of its length. */
  answerEmpty(status: number, lines: string): void {
    const ends = this.#hasEnded || this.#host.isClosing()
    this.#write(`${statusLine(status)}${lines}${ends ? closing : this.#host.keepAlive}date: ${dateText()}\r\n\r\n`, 'latin1')
    this.finish(ends)
  }

  /** Sends the head of an answer whose body follows by `send` and `finish`: so many bytes, or in chunks where that is not known. */
  begin(status: number, lines: string, contentLength: number | undefined): void {
    this.#isChunked = contentLength === undefined
    const framing = contentLength === undefined ? 'transfer-encoding: chunked' : `content-length: ${contentLength}`
    this.#write(`${statusLine(status)}${lines}${framing}\r\n${this.#host.keepAlive}date: ${dateText()}\r\n\r\n`, 'latin1')
  }

  /** Sends a part of a body; false where the client does not take it as fast: `onceDrained` tells when it has. */
  send(chunk: Buffer): boolean {
    if (!this.#isChunked) return this.#write(chunk, 'latin1')
    // An empty chunk would be the end.
    return chunk.length === 0 || this.#write(`${chunk.length.toString(16)}\r\n${chunk.toString('latin1')}\r\n`, 'latin1')
  }

  #write(data: string | Buffer, encoding: 'latin1' | 'utf8'): boolean {
    const socket = this.#socket
    if (socket.destroyed) return true
    const isTaken = socket.write(data, encoding)
    if (!isTaken && this.#stalledSinceMs === undefined) {
      this.#stalledSinceMs = performance.now()
      socket.once('drain', () => (this.#stalledSinceMs = undefined))
    }
    return isTaken
  }

  onceDrained(callback: () => void): void {
    this.#socket.once('drain', callback)
  }

  /** The answer is whole: the next request may come, once this one is taken. */
  finish(isLast = false): void {
    if (this.#isChunked) this.#write('0\r\n\r\n', 'latin1')
    this.#isChunked = false
    this.#done()
    if (isLast || this.#hasEnded || this.#host.isClosing()) this.#socket.end()
    else if (this.#socket.writableLength > unsentMaxBytes) this.#socket.once('drain', () => this.#next())
    else this.#next()
  }

  /** Says no more, once all that was sent is taken. */
  end(): void {
    this.#socket.end()
  }

  /** Cuts the connection off: what was sent is a part of an answer, and the rest will not come. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Says `text` as the last there is, and gives the client a second to read it. */
  refuse(text: string): void {
    this.#socket.end(text)
    setTimeout(() => this.#socket.destroy(), 1_000).unref()
  }

  #next(): void {
    this.#isServing = false
    this.#sinceMs = performance.now()
    // Not at once: a handler that answers in its call would nest as deep as a client sends ahead.
    if (this.#chunkBytes > 0) queueMicrotask(() => this.#takeAhead())
  }

  #takeAhead(): void {
    if (this.#isServing || this.#socket.destroyed || this.#socket.writableEnded) return
    const bytes = Buffer.concat(this.#chunks, this.#chunkBytes)
    if (this.#chunkBytes >= aheadMaxBytes) this.#socket.resume()
    this.#forget()
    this.#take(bytes)
  }

  #forget(): void {
    this.#chunks = []
    this.#chunkBytes = 0
  }

  #keep(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#chunkBytes += chunk.length
  }

  #read(chunk: Buffer): void {
    // Who was told that the connection ends is not served on it: nobody could hear the answer.
    if (this.#socket.writableEnded) return
    this.#hasAsked = true
    if (this.#isServing) {
      this.#keep(chunk)
      if (this.#chunkBytes >= aheadMaxBytes) this.#socket.pause()
      return
    }
    if (this.#head) {
      this.#keep(chunk)
      if (this.#chunkBytes < this.#head.bytes + this.#head.contentLength) return
      const whole = Buffer.concat(this.#chunks, this.#chunkBytes)
      const head = this.#head
      this.#head = undefined
      this.#forget()
      this.#serve(head, whole)
      return
    }
    this.#take(chunk)
  }

  /** Takes the requests that stand in `bytes`, one after the other. */
  #take(bytes: Buffer): void {
    const known = this.#recent?.find(bytes)
    const head = known ?? readRequestHead(bytes)
    if (head === undefined || head.contentLength > this.#host.bodyMaxBytes) {
      this.#handOver(bytes)
      return
    }
    if (known) this.#isHeadKept = true
    else {
      if (this.#hasServed) this.#recent ??= new RecentHeads(this.#host.headPlaces)
      this.#isHeadKept = this.#recent?.keep(bytes, head) === true
    }
    if (bytes.length >= head.bytes + head.contentLength) {
      this.#serve(head, bytes)
      return
    }
    this.#head = head
    this.#sinceMs = performance.now()
    this.#keep(bytes)
  }

  #serve(head: RequestHead, bytes: Buffer): void {
    const { method, target, names, values, contentLength, hasContentLength } = head
    const end = head.bytes + contentLength
    this.#isServing = true
    this.#hasServed = true
    const nowMs = performance.now()
    this.#sinceMs = nowMs
    if (bytes.length > end) this.#keep(bytes.subarray(end))
    const request: PlainRequest = {
      method,
      target,
      names,
      values,
      contentLength,
      hasContentLength,
      bytes: head.bytes,
      body: contentLength === 0 ? nothing : bytes.subarray(head.bytes, end),
      remoteAddress: this.#remoteAddress,
      receivedMs: nowMs,
      sameHead: this.#isHeadKept ? head : undefined,
    }
    if (this.#host.take(request, this)) return
    this.#isServing = false
    this.#forget()
    this.#handOver(bytes)
  }

  #handOver(bytes: Buffer): void {
    const socket = this.#socket
    this.#recent?.clear()
    socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose).off('error', this.#onError)
    this.#host.handOver(this, socket, bytes)
  }

  #ended(): void {
    this.#hasEnded = true
    // Half closed: who still waits for an answer gets it.
    if (!this.#isServing) this.#socket.end()
  }

  #closed(): void {
    this.#recent?.clear()
    this.#host.ended(this)
    this.#done()
  }

  #done(): void {
    const onDone = this.#onDone
    this.#onDone = undefined
    onDone?.()
  }
}

const statusLines = new Map<number, string>()

function statusLine(status: number): string {
  let text = statusLines.get(status)
  if (text === undefined) statusLines.set(status, (text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`))
  return text
}

let dateSecond = 0
let dateOfSecond = ''

/** The value of a Date header, made once a second. */
function dateText(): string {
  const second = Math.floor(Date.now() / 1_000)
  if (second !== dateSecond) {
    dateSecond = second
    dateOfSecond = new Date(second * 1_000).toUTCString()
  }
  return dateOfSecond
}
