import { connect, type Socket } from 'node:net'
import type { Dispatcher } from 'undici'
import { AnswerFault, readAnswerHead, type AnswerHead } from './answer-head.ts'
import { ChunkedBody } from './chunked-body.ts'
import type { HeaderText } from '../front/header-text.ts'
import type { AnswerLines } from './headers.ts'

export interface PlainPoolBounds {
  /** Connections at once; beyond it requests wait for one to be free. */
  connectionsMax: number
  connectTimeoutMs: number
  /** For the first byte of an answer, and between two of its parts. */
  timeoutMs: number
}

/** A request for an instance. */
export interface PlainDispatch {
  method: string
  /** With its query. */
  path: string
  /** The same for every request with the same head. */
  fixedHeaders: HeaderText
  /** Of this request alone. */
  headers: HeaderText
  body: Buffer | null
  /** One and the same object for requests whose method, path and fixed headers are the same; undefined where that is not known. */
  sameHead: object | undefined
}

/** What a caller is told of its request: as undici tells it, but for the head. */
export interface PlainHandler {
  /** The request is about to be sent. */
  onRequestStart(controller: Dispatcher.DispatchController): void
  /** Nothing of it was done after all; it is about to be sent another way. */
  onUnsent(): void
  onHead(status: number, lines: AnswerLines, contentLength: number | undefined): void
  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void
  /** As `onResponseData`, for the last there is; `chunk` is good only until this returns. */
  onLastData(controller: Dispatcher.DispatchController, chunk: Buffer): void
  onResponseEnd(): void
  onResponseError(controller: Dispatcher.DispatchController, error: Error): void
}

export class UpstreamTimeout extends Error {
  override name = 'UpstreamTimeout'
}

/** Shorter than the 65 s of the services, so that a request never meets a connection being closed. */
const idleMaxMs = 30_000
/** A connection that a service reads by its slower parser, for what was once asked on it, is not kept for ever. */
const requestsMax = 2_000
const sweepMaxMs = 1_000
/** Larger bodies are written by themselves. */
const joinedMaxBytes = 64 * 1_024

interface Job {
  request: PlainDispatch
  handler: PlainHandler
  sinceMs: number
}

/** What all connections read into: each takes what it needs from it before the next one reads. */
const readInto = Buffer.allocUnsafeSlow(64 * 1_024)

const hasLeft = (): Error => new Error('the instance has left')

/** Keep-alive connections to one instance, a request at a time on each, with as little between the sockets as can be. */
export class PlainPool {
  readonly #host: string
  readonly #hostname: string
  readonly #port: number
  readonly #bounds: PlainPoolBounds
  readonly #connections = new Set<Connection>()
  readonly #idle: Connection[] = []
  readonly #waiting: Job[] = []
  readonly #sweeping: NodeJS.Timeout
  #isClosing = false

  constructor(origin: URL, bounds: PlainPoolBounds) {
    this.#host = origin.host
    this.#hostname = origin.hostname.replace(/^\[|\]$/g, '')
    this.#port = Number(origin.port === '' ? 80 : origin.port)
    this.#bounds = bounds
    this.#sweeping = setInterval(() => this.#sweep(), Math.min(sweepMaxMs, Math.max(20, bounds.timeoutMs / 4)))
    this.#sweeping.unref()
  }

  dispatch(request: PlainDispatch, handler: PlainHandler): void {
    // Nobody watches the time of a request any more: it is for another instance, as nothing of it was sent.
    if (this.#isClosing) {
      handler.onResponseError(noController, hasLeft())
      return
    }
    const idle = this.#idle.pop()
    if (idle) {
      idle.send(request, handler)
      return
    }
    const job = { request, handler, sinceMs: performance.now() }
    if (this.#connections.size < this.#bounds.connectionsMax) this.#open(job)
    else this.#waiting.push(job)
  }

  /** Takes no more requests; those under way are answered. */
  close(): void {
    this.#isClosing = true
    for (const connection of this.#idle.splice(0)) connection.destroy(hasLeft())
    this.#stopIfEmpty()
  }

  destroy(): void {
    this.close()
    for (const { handler } of this.#waiting.splice(0)) handler.onResponseError(noController, new Error('the gateway is stopping'))
    for (const connection of this.#connections) connection.destroy(new Error('the gateway is stopping'))
    clearInterval(this.#sweeping)
  }

  #open(job: Job): void {
    const connection = new Connection({
      hostname: this.#hostname,
      port: this.#port,
      host: this.#host,
      connectTimeoutMs: this.#bounds.connectTimeoutMs,
      first: job,
      free: (freed) => this.#free(freed),
      closed: (gone) => this.#closed(gone),
    })
    this.#connections.add(connection)
  }

  #free(connection: Connection): void {
    const job = this.#waiting.shift()
    if (job) connection.send(job.request, job.handler)
    else if (this.#isClosing) connection.destroy(hasLeft())
    else this.#idle.push(connection)
  }

  #closed(connection: Connection): void {
    this.#connections.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    const job = this.#waiting.shift()
    if (job) this.#open(job)
    this.#stopIfEmpty()
  }

  #stopIfEmpty(): void {
    if (this.#isClosing && this.#connections.size === 0) clearInterval(this.#sweeping)
  }

  #sweep(): void {
    const now = performance.now()
    const { timeoutMs } = this.#bounds
    for (const connection of this.#connections) {
      const forMs = now - connection.sinceMs
      if (connection.isBusy ? !connection.isPaused && forMs > timeoutMs : connection.isOpen && forMs > idleMaxMs)
        connection.destroy(connection.isBusy ? new UpstreamTimeout('the instance did not answer in time') : new Error('idle'))
    }
    while (this.#waiting.length > 0 && now - this.#waiting[0]!.sinceMs > timeoutMs) {
      const late = this.#waiting.shift()!
      late.handler.onResponseError(noController, new UpstreamTimeout('no connection to the instance was free in time'))
    }
  }
}

interface ConnectionOptions {
  hostname: string
  port: number
  host: string
  connectTimeoutMs: number
  first: Job
  free(connection: Connection): void
  closed(connection: Connection): void
}

class Connection {
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #controller: Dispatcher.DispatchController
  #handler: PlainHandler | undefined
  #first: Job | undefined
  #head: AnswerHead | undefined
  #chunked: ChunkedBody | undefined
  /** Bytes of the body still to come, where its length is known. */
  #left = 0
  #pending: Buffer | undefined
  #requests = 0
  #cause: Error | undefined
  isOpen = false
  isPaused = false
  sinceMs = performance.now()

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#first = options.first
    this.#controller = controllerOf(this)
    this.#socket = connect({
      host: options.hostname,
      port: options.port,
      noDelay: true,
      onread: { buffer: readInto, callback: (bytes, buffer) => this.#read((buffer as Buffer).subarray(0, bytes)) },
    })
    const timer = setTimeout(() => this.destroy(new Error('the instance could not be connected to in time')), options.connectTimeoutMs)
    this.#socket.once('connect', () => {
      clearTimeout(timer)
      this.isOpen = true
      const { request, handler } = this.#first!
      this.#first = undefined
      this.send(request, handler)
    })
    this.#socket.on('error', (error) => (this.#cause ??= error))
    this.#socket.on('end', () => this.#socket.destroy())
    this.#socket.on('close', () => {
      clearTimeout(timer)
      this.#closed()
    })
  }

  get isBusy(): boolean {
    return this.#handler !== undefined
  }

  send({ method, path, fixedHeaders, headers, body }: PlainDispatch, handler: PlainHandler): void {
    this.#handler = handler
    this.#requests += 1
    this.sinceMs = performance.now()
    handler.onRequestStart(this.#controller)
    if (this.#socket.destroyed) return
    const start = `${method} ${path} HTTP/1.1\r\nhost: ${this.#options.host}\r\n${fixedHeaders}${headers}`
    if (body === null) this.#socket.write(`${start}\r\n`, 'latin1')
    else {
      const head = `${start}content-length: ${body.length}\r\n\r\n`
      // As text of one byte a character, head and body leave in one write.
      if (body.length <= joinedMaxBytes) this.#socket.write(head + body.toString('latin1'), 'latin1')
      else {
        this.#socket.write(head, 'latin1')
        this.#socket.write(body)
      }
    }
  }

  destroy(cause: Error): void {
    this.#cause ??= cause
    this.#socket.destroy()
  }

  pause(): void {
    this.isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.isPaused = false
    this.sinceMs = performance.now()
    this.#socket.resume()
  }

  /** `bytes` are good until this returns. */
  #read(bytes: Buffer): boolean {
    this.sinceMs = performance.now()
    try {
      this.#take(bytes)
    } catch (error) {
      this.destroy(error as Error)
    }
    return true
  }

  #take(bytes: Buffer): void {
    const handler = this.#handler
    // Nothing was asked: what comes belongs to nobody.
    if (!handler) throw new AnswerFault('the instance spoke unasked')
    if (this.#head) {
      this.#takeBody(handler, bytes)
      return
    }
    const all = this.#pending ? Buffer.concat([this.#pending, bytes]) : bytes
    const head = readAnswerHead(all)
    if (!head) {
      this.#pending = this.#pending ? all : Buffer.from(all)
      return
    }
    this.#pending = undefined
    this.#head = head
    this.#left = head.contentLength ?? 0
    this.#chunked = head.contentLength === undefined ? new ChunkedBody() : undefined
    handler.onHead(head.status, head, head.contentLength)
    this.#takeBody(handler, all.subarray(head.bytes))
  }

  #takeBody(handler: PlainHandler, bytes: Buffer): void {
    let end: number
    let last: Buffer | undefined
    // The handler keeps what it is given, and the next read overwrites these bytes.
    if (this.#chunked) end = this.#chunked.read(bytes, (chunk) => handler.onResponseData(this.#controller, Buffer.from(chunk)))
    else {
      const length = Math.min(this.#left, bytes.length)
      this.#left -= length
      end = this.#left === 0 ? length : -1
      if (length > 0 && end < 0) handler.onResponseData(this.#controller, Buffer.from(bytes))
      else if (length > 0) last = length === bytes.length ? bytes : bytes.subarray(0, length)
    }
    if (end < 0) return
    const isClean = end === bytes.length
    const { staysOpen } = this.#head!
    this.#head = undefined
    this.#chunked = undefined
    this.#handler = undefined
    // Whatever is left over could be taken for the answer to the next request.
    const isReusable = isClean && staysOpen && this.#requests < requestsMax
    if (!isReusable) this.destroy(new Error(isClean ? 'the connection has served' : 'the instance said more than it was asked'))
    if (last) handler.onLastData(this.#controller, last)
    handler.onResponseEnd()
    // Whoever waited for a slow client has all it waited for; the next would wait for ever.
    if (this.isPaused) this.resume()
    if (isReusable && !this.#socket.destroyed) this.#options.free(this)
  }

  #closed(): void {
    this.isOpen = false
    const handler = this.#handler ?? this.#first?.handler
    this.#handler = undefined
    this.#first = undefined
    this.#options.closed(this)
    handler?.onResponseError(this.#controller, this.#cause ?? new Error('the instance closed the connection'))
  }
}

function controllerOf(connection: Connection): Dispatcher.DispatchController {
  const controller = {
    aborted: false,
    reason: null as Error | null,
    get paused() {
      return connection.isPaused
    },
    rawHeaders: null,
    rawTrailers: null,
    abort(reason: Error) {
      controller.aborted = true
      controller.reason = reason
      connection.destroy(reason)
    },
    pause: () => connection.pause(),
    resume: () => connection.resume(),
  }
  return controller as Dispatcher.DispatchController
}

/** For requests that never had a connection. */
const noController = {
  aborted: true,
  paused: false,
  reason: null,
  abort: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
} as unknown as Dispatcher.DispatchController
