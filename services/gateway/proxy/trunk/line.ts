import { connect, type Socket } from 'node:net'
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
import { AnswerFault, answerHeadMaxBytes } from '../answer-head.ts'
import type { AnswerLines } from '../headers.ts'
import { UpstreamTimeout, type PlainDispatch, type PlainHandler } from '../plain-pool.ts'
import { linesOf } from './answer-lines.ts'
import { nextId, Pending, placeOf, type PendingHost } from './pending.ts'

export interface TrunkBounds {
  connectTimeoutMs: number
  /** For an answer to begin, and between two of its parts. */
  timeoutMs: number
}

const noBody = Buffer.alloc(0)
/** What waits for an instance that does not take it; beyond it requests go by HTTP. */
const unsentMaxBytes = 1_024 * 1_024
const keepAliveMs = 10_000

/** What all trunks read into: each takes what it needs from it before the next one reads. */
const readInto = Buffer.allocUnsafeSlow(64 * 1_024)

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
export class Line implements PendingHost {
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

/** From 1 on. */
function placeOfKept(count: number): number {
  return (count % headPlacesMax) + 1
}
