import { connect, type Socket } from 'node:net'
import type { Dispatcher } from 'undici'
import {
  frameHeaderBytes,
  frameKinds,
  FrameReader,
  FrameWriter,
  headPlacesMax,
  partMaxBytes,
  requestBodyMaxBytes,
  requestPlaces,
  trunkPath,
  trunkProtocol,
  TrunkFault,
  type Frame,
} from '@maru/service-host'
import { AnswerFault, answerHeadMaxBytes, readAnswerLines } from './answer-head.ts'
import type { AnswerLines } from './headers.ts'
import { UpstreamTimeout, type PlainDispatch, type PlainHandler } from './plain-pool.ts'

export interface TrunkBounds {
  connectTimeoutMs: number
  /** For an answer to begin, and between two of its parts. */
  timeoutMs: number
}

const noBody = Buffer.alloc(0)
/** What waits for an instance that does not take it; beyond it requests go by HTTP. */
const unsentMaxBytes = 1_024 * 1_024
const sweepMaxMs = 1_000
const keepAliveMs = 10_000
const reconnectMs = { first: 100, max: 2_000 }
/** Texts of answers' headers that are remembered, of at most so many characters. */
const linesKept = { max: 512, characters: 512 }

/** What all trunks read into: each takes what it needs from it before the next one reads. */
const readInto = Buffer.allocUnsafeSlow(64 * 1_024)

/** A trunk to one instance; it is kept open until it is closed, and made anew where it breaks. */
export class Trunk {
  readonly #host: string
  readonly #hostname: string
  readonly #port: number
  readonly #bounds: TrunkBounds
  readonly #elsewhere: (request: PlainDispatch, handler: PlainHandler) => void
  readonly #sweeping: NodeJS.Timeout
  /** With those that only finish what they took. */
  readonly #lines = new Set<Line>()
  /** That takes requests, or is about to. */
  #line: Line | undefined
  #reconnecting: NodeJS.Timeout | undefined
  #delayMs = reconnectMs.first
  #isClosing = false

  /** `elsewhere` takes what the instance does not answer on a trunk. */
  constructor(origin: URL, bounds: TrunkBounds, elsewhere: (request: PlainDispatch, handler: PlainHandler) => void) {
    this.#host = origin.host
    this.#hostname = origin.hostname.replace(/^\[|\]$/g, '')
    this.#port = Number(origin.port === '' ? 80 : origin.port)
    this.#bounds = bounds
    this.#elsewhere = elsewhere
    this.#sweeping = setInterval(() => this.#sweep(), Math.min(sweepMaxMs, Math.max(20, bounds.timeoutMs / 4)))
    this.#sweeping.unref()
    this.#open()
  }

  get isOpen(): boolean {
    return this.#line?.isOpen === true
  }

  /** Sends a request; false where it cannot now, and nothing was done. */
  dispatch(request: PlainDispatch, handler: PlainHandler): boolean {
    return !this.#isClosing && this.#line !== undefined && this.#line.dispatch(request, handler)
  }

  /** Takes no more requests; those under way are answered. */
  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    clearTimeout(this.#reconnecting)
    this.#line?.leave()
    if (this.#lines.size === 0) clearInterval(this.#sweeping)
  }

  destroy(): void {
    this.close()
    for (const line of this.#lines) line.destroy(new Error('the gateway is stopping'))
  }

  #sweep(): void {
    for (const line of this.#lines) line.sweep()
  }

  #open(): void {
    const line = new Line({
      hostname: this.#hostname,
      port: this.#port,
      host: this.#host,
      bounds: this.#bounds,
      elsewhere: this.#elsewhere,
      opened: () => (this.#delayMs = reconnectMs.first),
      over: () => {
        this.#line = undefined
        if (!this.#isClosing) this.#openLater()
      },
      closed: () => {
        this.#lines.delete(line)
        if (this.#isClosing && this.#lines.size === 0) clearInterval(this.#sweeping)
      },
    })
    this.#line = line
    this.#lines.add(line)
  }

  #openLater(): void {
    this.#reconnecting = setTimeout(() => this.#open(), this.#delayMs)
    this.#reconnecting.unref()
    this.#delayMs = Math.min(this.#delayMs * 2, reconnectMs.max)
  }
}

interface LineOptions {
  hostname: string
  port: number
  host: string
  bounds: TrunkBounds
  elsewhere(request: PlainDispatch, handler: PlainHandler): void
  opened(): void
  /** It takes no more requests: it has ended, or is about to. Called once. */
  over(): void
  /** Its connection is closed. Called once. */
  closed(): void
}

/** One connection of a trunk. */
class Line {
  readonly #options: LineOptions
  readonly #socket: Socket
  readonly #writer: FrameWriter
  readonly #reader = new FrameReader({ maxBytes: frameHeaderBytes + answerHeadMaxBytes + partMaxBytes, isLent: true })
  readonly #connecting: NodeJS.Timeout
  /** The head of the answer to the upgrade, as far as it has come. */
  #handshake = ''
  isOpen = false
  #isOver = false
  /** Taken in this turn, and not sent yet. */
  #taken: Pending[] = []
  /** By place. Not a Map: what it forgets stays with the tables it has outgrown, and half of all that passes would live on until a full collection. */
  readonly #pending: (Pending | undefined)[] = []
  readonly #freePlaces: number[] = []
  #pendingCount = 0
  #lastReadMs = performance.now()
  #cause: Error | undefined
  /** Which in the order of all heads that were kept: each takes the place of the one `headPlacesMax` before it. */
  readonly #kept = new WeakMap<object, number>()
  #keptCount = 0

  constructor(options: LineOptions) {
    this.#options = options
    const { hostname, port, host, bounds } = options
    this.#socket = connect({
      host: hostname,
      port,
      noDelay: true,
      onread: { buffer: readInto, callback: (bytes, buffer) => this.#read((buffer as Buffer).subarray(0, bytes)) },
    })
    // Whatever forgets idle connections on the way is kept from it, or shows itself before somebody asks.
    this.#socket.setKeepAlive(true, keepAliveMs)
    this.#writer = new FrameWriter(this.#socket, () => this.#sendTaken())
    this.#connecting = setTimeout(() => this.destroy(new Error('the instance did not begin a trunk in time')), bounds.connectTimeoutMs)
    this.#socket.once('connect', () =>
      this.#socket.write(`GET ${trunkPath} HTTP/1.1\r\nhost: ${host}\r\nconnection: Upgrade\r\nupgrade: ${trunkProtocol}\r\n\r\n`),
    )
    this.#socket.on('error', (error) => (this.#cause ??= error))
    this.#socket.on('end', () => this.#socket.destroy())
    this.#socket.on('close', () => this.#closed())
  }

  dispatch(request: PlainDispatch, handler: PlainHandler): boolean {
    if (!this.isOpen || this.#isOver || this.#socket.writableLength > unsentMaxBytes) return false
    if (request.body !== null && request.body.length > requestBodyMaxBytes) return false
    if (this.#pendingCount + this.#taken.length >= requestPlaces) return false
    this.#taken.push(new Pending(this, request, handler))
    this.#writer.due()
    return true
  }

  /** Takes no more, and ends when what it took is answered. */
  leave(): void {
    this.#end()
    if (!this.isOpen) this.#socket.destroy()
    else this.#finishIfDone()
  }

  destroy(cause: Error): void {
    this.#cause ??= cause
    this.#end()
    this.#socket.destroy()
  }

  sweep(): void {
    const nowMs = performance.now()
    const { timeoutMs } = this.#options.bounds
    for (const pending of this.#pending) {
      if (!pending || pending.paused || nowMs - pending.sinceMs <= timeoutMs) continue
      // Not one byte came for so long: it may be the line, so nobody else is sent down it. Those who were have their own time.
      if (this.#lastReadMs < pending.sinceMs) this.#end()
      this.cancel(pending, new UpstreamTimeout('the instance did not answer in time'))
    }
    // Said its last, which is not even taken.
    if (this.#isOver && this.#socket.writableEnded && nowMs - this.#lastReadMs > timeoutMs) this.#socket.destroy()
  }

  /** For Pending: nobody waits for its answer any more. */
  cancel(pending: Pending, error: Error): void {
    if (!this.#forget(pending)) return
    this.#writer.add({ kind: frameKinds.cancel, id: pending.id })
    pending.handler.onResponseError(pending, error)
    this.#finishIfDone()
  }

  /** For Pending: its next part may come. */
  askForMore(id: number): void {
    this.#writer.add({ kind: frameKinds.more, id })
  }

  /** Whether others have come meanwhile. */
  #sendTaken(): boolean {
    const taken = this.#taken
    this.#taken = []
    for (const pending of taken) {
      const { request, handler } = pending
      if (this.#socket.destroyed) {
        // Nothing of it was sent.
        handler.onResponseError(pending, this.#cause ?? new Error('the instance closed the trunk'))
        continue
      }
      handler.onRequestStart(pending)
      if (pending.aborted) continue
      pending.sinceMs = performance.now()
      this.#remember(pending)
      this.#writeRequest(pending.id, request)
    }
    this.#finishIfDone()
    return this.#taken.length > 0
  }

  #remember(pending: Pending): void {
    const place = this.#freePlaces.pop() ?? this.#pendingCount
    pending.id = nextId(place)
    this.#pending[place] = pending
    this.#pendingCount += 1
  }

  /** False where it is forgotten already. */
  #forget(pending: Pending): boolean {
    const place = placeOf(pending.id)
    if (this.#pending[place] !== pending) return false
    this.#pending[place] = undefined
    this.#freePlaces.push(place)
    this.#pendingCount -= 1
    return true
  }

  #find(id: number): Pending | undefined {
    const pending = this.#pending[placeOf(id)]
    return pending?.id === id ? pending : undefined
  }

  #writeRequest(id: number, request: PlainDispatch): void {
    const { body, sameHead, headers } = request
    let place = 0
    if (sameHead) place = this.#placeOfHead(sameHead, request)
    this.#writer.add({
      kind: frameKinds.request,
      flag: body !== null,
      place,
      id,
      head: place === 0 ? this.#headOf(request) + headers : headers,
      body: body ?? noBody,
    })
  }

  #headOf({ method, path, fixedHeaders }: PlainDispatch): string {
    return `${method} ${path} HTTP/1.1\r\nhost: ${this.#options.host}\r\n${fixedHeaders}`
  }

  #placeOfHead(sameHead: object, request: PlainDispatch): number {
    let count = this.#kept.get(sameHead)
    if (count === undefined || count <= this.#keptCount - headPlacesMax) {
      count = ++this.#keptCount
      this.#kept.set(sameHead, count)
      this.#writer.add({ kind: frameKinds.head, place: placeOfKept(count), head: this.#headOf(request) })
    }
    return placeOfKept(count)
  }

  /** `bytes` are good until this returns. */
  #read(bytes: Buffer): boolean {
    this.#lastReadMs = performance.now()
    try {
      if (this.isOpen) this.#reader.read(bytes, (frame) => this.#take(frame))
      else this.#begin(bytes)
    } catch (error) {
      this.destroy(error as Error)
    }
    return true
  }

  #begin(bytes: Buffer): void {
    const before = this.#handshake.length
    this.#handshake += bytes.toString('latin1')
    const end = this.#handshake.indexOf('\r\n\r\n')
    if (end < 0) {
      if (this.#handshake.length > answerHeadMaxBytes) throw new AnswerFault('the instance did not begin a trunk')
      return
    }
    const isGranted = this.#handshake.startsWith('HTTP/1.1 101 ') && this.#handshake.includes(`\r\nupgrade: ${trunkProtocol}\r\n`)
    if (!isGranted) throw new AnswerFault('the instance did not begin a trunk')
    clearTimeout(this.#connecting)
    this.#handshake = ''
    this.isOpen = true
    this.#options.opened()
    const rest = bytes.subarray(end + 4 - before)
    if (rest.length > 0) this.#reader.read(rest, (frame) => this.#take(frame))
  }

  #take(frame: Frame): boolean {
    const { kind, id } = frame
    if (kind === frameKinds.answer) this.#takeAnswer(frame)
    else if (kind === frameKinds.part) this.#takePart(frame)
    else if (kind === frameKinds.elsewhere) this.#takeElsewhere(id)
    else if (kind === frameKinds.leaving) {
      this.#end()
      this.#finishIfDone()
    } else throw new TrunkFault('a frame of a kind that is none')
    return !this.#socket.destroyed
  }

  #takeAnswer({ id, place: status, flag, totalBytes, bytes, from, bodyFrom, end }: Frame): void {
    const pending = this.#find(id)
    // Nobody waits for it any more.
    if (!pending) return
    const length = end - bodyFrom
    if (pending.hasHead || status < 200 || status > 599 || totalBytes < length || (!flag && totalBytes !== length))
      throw new TrunkFault('an answer that is none')
    const lines = this.#linesFor(pending, bytes.toString('latin1', from, bodyFrom))
    if (!lines) return
    pending.hasHead = true
    pending.leftBytes = totalBytes
    if (flag) {
      pending.handler.onHead(status, lines, totalBytes)
      this.#takeBody(pending, Buffer.from(bytes.subarray(bodyFrom, end)), flag)
      return
    }
    this.#forget(pending)
    pending.handler.onHead(status, lines, totalBytes)
    if (length > 0) pending.handler.onLastData(pending, bytes.subarray(bodyFrom, end))
    pending.handler.onResponseEnd()
    if (this.#isOver) this.#finishIfDone()
  }

  /** Undefined where they are none: then that answer is a fault, and all others are as good as before. */
  #linesFor(pending: Pending, text: string): AnswerLines | undefined {
    try {
      return linesOf(text)
    } catch (error) {
      if (!(error instanceof AnswerFault)) throw error
      this.cancel(pending, error)
      return undefined
    }
  }

  #takePart({ id, flag, bytes, bodyFrom, end }: Frame): void {
    const pending = this.#find(id)
    if (!pending) return
    if (!pending.hasHead) throw new TrunkFault('a part of an answer that has not begun')
    this.#takeBody(pending, Buffer.from(bytes.subarray(bodyFrom, end)), flag)
  }

  #takeBody(pending: Pending, part: Buffer, isMore: boolean): void {
    pending.leftBytes -= part.length
    if (isMore ? pending.leftBytes <= 0 : pending.leftBytes !== 0) throw new TrunkFault('an answer is not as long as it says')
    pending.sinceMs = performance.now()
    pending.handler.onResponseData(pending, part)
    if (isMore) {
      pending.isMore = true
      if (!pending.paused) pending.resume()
      return
    }
    if (!this.#forget(pending)) return
    pending.handler.onResponseEnd()
    this.#finishIfDone()
  }

  #takeElsewhere(id: number): void {
    const pending = this.#find(id)
    if (!pending) return
    if (pending.hasHead) throw new TrunkFault('an answer that goes on elsewhere')
    this.#forget(pending)
    pending.handler.onUnsent()
    this.#options.elsewhere(pending.request, pending.handler)
    this.#finishIfDone()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.over()
  }

  /** Once all it took is answered: until then it asks for parts, and says what nobody waits for. */
  #finishIfDone(): void {
    if (!this.#isOver || this.#taken.length + this.#pendingCount > 0) return
    if (this.isOpen && !this.#socket.writableEnded) this.#writer.end()
    this.#socket.destroySoon()
  }

  #closed(): void {
    clearTimeout(this.#connecting)
    this.#end()
    const error = this.#cause ?? new Error('the instance closed the trunk')
    const unanswered = this.#pending.filter((pending) => pending !== undefined)
    for (const pending of unanswered) this.#forget(pending)
    for (const pending of unanswered) pending.handler.onResponseError(pending, error)
    this.#sendTaken()
    this.#options.closed()
  }
}

/** A request on a line. */
class Pending implements Dispatcher.DispatchController {
  readonly request: PlainDispatch
  readonly handler: PlainHandler
  readonly #line: Line
  /** Negative until it is sent. */
  id = -1
  sinceMs = 0
  hasHead = false
  /** Bytes of its answer still to come. */
  leftBytes = 0
  /** The instance waits to be asked for the next part. */
  isMore = false
  aborted = false
  paused = false
  reason: Error | null = null
  readonly rawHeaders = null
  readonly rawTrailers = null

  constructor(line: Line, request: PlainDispatch, handler: PlainHandler) {
    this.#line = line
    this.request = request
    this.handler = handler
  }

  abort(reason: Error): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    if (this.id < 0) this.handler.onResponseError(this, reason)
    else this.#line.cancel(this, reason)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.sinceMs = performance.now()
    if (!this.isMore) return
    this.isMore = false
    this.#line.askForMore(this.id)
  }
}

/** From 1 on. */
function placeOfKept(count: number): number {
  return (count % headPlacesMax) + 1
}

let rounds = 0

/** Of a request at a place among those under way: what comes for one that was there before it is told from what comes for this one. */
function nextId(place: number): number {
  rounds = (rounds + 1) % (2 ** 32 / requestPlaces)
  return rounds * requestPlaces + place
}

function placeOf(id: number): number {
  return id % requestPlaces
}

const knownLines = new Map<string, AnswerLines>()

/** Services say the same of most answers. */
function linesOf(text: string): AnswerLines {
  const known = knownLines.get(text)
  if (known) return known
  const lines = readAnswerLines(text)
  if (lines.length !== undefined || lines.coding !== undefined) throw new AnswerFault('the answer is framed in two ways')
  if (text.length <= linesKept.characters) {
    // Rather all anew than none for what comes most, after many that come once.
    if (knownLines.size === linesKept.max) knownLines.clear()
    knownLines.set(text, lines)
  }
  return lines
}
