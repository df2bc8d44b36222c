import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PlainClient, PlainRequest } from '../plain-http/connection.ts'
import { FrameWriter } from './frame-writer.ts'
import {
  frameHeaderBytes,
  frameKinds,
  FrameReader,
  headPlacesMax,
  partMaxBytes,
  requestBodyMaxBytes,
  requestPlaces,
  trunkPath,
  trunkProtocol,
  TrunkFault,
  type Frame,
} from './frames.ts'
import { readTrunkHead, withLines, type TrunkHead } from './heads.ts'

export interface TrunkServerOptions {
  /** A longer body is for HTTP to refuse. */
  bodyMaxBytes: number
  /** Of one trunk, with answers of which parts are still to come; beyond it requests are for HTTP, whose connections have bounds of their own. */
  inFlightMax?: number
  /** As `ConnectionHost.take`. */
  take(request: PlainRequest, client: PlainClient): boolean
}

/** Trunks at once: more than there can be gateways. */
const trunksMax = 512
/** Nothing more is read from a gateway that does not take what waits for it. */
const unsentMaxBytes = 1_024 * 1_024
const headMaxBytes = 32 * 1_024
/** For a gateway to ask for the next part of an answer; as long as a client of HTTP has to take what waits for it. */
const restMaxMs = 120_000
const sweepMs = 5_000
const keepAliveMs = 10_000

/** The trunks of gateways to a service. */
export class TrunkServer {
  readonly #options: Required<TrunkServerOptions>
  readonly #trunks = new Set<ServedTrunk>()
  readonly #sweeping: NodeJS.Timeout
  #isClosing = false

  constructor(options: TrunkServerOptions) {
    this.#options = { inFlightMax: 2_048, ...options }
    this.#sweeping = setInterval(() => {
      for (const trunk of this.#trunks) trunk.sweep()
    }, sweepMs)
    this.#sweeping.unref()
  }

  /** Takes an upgrade that asks for a trunk; false where it asks for something else, and nothing was done. */
  upgrade({ url, headers }: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    if (url !== trunkPath || headers.upgrade !== trunkProtocol) return false
    socket.on('error', () => socket.destroy())
    if (this.#isClosing || this.#trunks.size >= trunksMax) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
      return true
    }
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${trunkProtocol}\r\n\r\n`)
    const trunk = new ServedTrunk(socket, this.#options, () => void this.#trunks.delete(trunk))
    this.#trunks.add(trunk)
    if (head.length > 0) trunk.read(head)
    return true
  }

  /** Tells gateways to ask no more, answers what they have asked, and cuts off what is left after `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true
    for (const trunk of this.#trunks) trunk.leave()
    const endMs = performance.now() + deadlineMs
    // One that does not hear it is not waited for as long as what it asked.
    const idleEndMs = performance.now() + deadlineMs / 5
    while (this.#trunks.size > 0 && performance.now() < endMs) {
      if (performance.now() > idleEndMs) for (const trunk of this.#trunks) if (trunk.isIdle) trunk.destroy()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    for (const trunk of this.#trunks) trunk.destroy()
    clearInterval(this.#sweeping)
  }
}

/** What is left of an answer that travels in parts. */
interface Rest {
  readonly body: Buffer
  at: number
  sinceMs: number
}

const nothing = Buffer.alloc(0)

class ServedTrunk {
  readonly #socket: Duplex
  readonly #options: Required<TrunkServerOptions>
  readonly #reader: FrameReader
  readonly #writer: FrameWriter
  readonly #remoteAddress: string
  readonly #heads: (TrunkHead | undefined)[] = []
  /** By place, who waits for an answer. Not by id: one that is said again must not have the answer to what was cancelled under it. */
  readonly #awaited: (TrunkClient | undefined)[] = []
  #awaitedCount = 0
  readonly #rests = new Map<number, Rest>()
  /** With those that nobody waits for any more. */
  #inFlight = 0
  #hasEnded = false
  #isPaused = false

  constructor(socket: Duplex, options: Required<TrunkServerOptions>, closed: () => void) {
    this.#socket = socket
    this.#options = options
    this.#remoteAddress = (socket as { remoteAddress?: string }).remoteAddress ?? ''
    this.#reader = new FrameReader({ maxBytes: frameHeaderBytes + headMaxBytes + requestBodyMaxBytes, isLent: false })
    this.#writer = new FrameWriter(socket)
    socket.on('data', (chunk: Buffer) => this.read(chunk))
    // A gateway whose machine is gone says nothing.
    ;(socket as Socket).setKeepAlive(true, keepAliveMs)
    socket.on('end', () => {
      this.#hasEnded = true
      // It cannot ask for the rest of anything any more.
      this.#rests.clear()
      this.#endIfDone()
    })
    socket.on('drain', () => this.#resume())
    socket.on('close', () => {
      this.#awaited.length = 0
      this.#rests.clear()
      closed()
    })
  }

  /** Whether nobody waits for anything. */
  get isIdle(): boolean {
    return this.#awaitedCount === 0 && this.#rests.size === 0
  }

  /** Nobody asks for these parts any more, or somebody does who is not to be waited for. */
  sweep(): void {
    const nowMs = performance.now()
    for (const [id, { sinceMs }] of this.#rests) if (nowMs - sinceMs > restMaxMs) this.#rests.delete(id)
  }

  leave(): void {
    this.#writer.add({ kind: frameKinds.leaving })
  }

  destroy(): void {
    this.#socket.destroy()
  }

  read(chunk: Buffer): void {
    try {
      this.#reader.read(chunk, (frame) => this.#take(frame))
    } catch (error) {
      if (!(error instanceof TrunkFault)) throw error
      // Where the next frame begins is not known any more.
      this.#socket.destroy()
    }
    if (this.#socket.writableLength > unsentMaxBytes) {
      this.#isPaused = true
      this.#socket.pause()
    }
  }

  #resume(): void {
    if (!this.#isPaused || this.#socket.writableLength > unsentMaxBytes) return
    this.#isPaused = false
    this.#socket.resume()
  }

  #take(frame: Frame): boolean {
    const { kind, id } = frame
    if (kind === frameKinds.request) this.#serve(frame)
    else if (kind === frameKinds.head) this.#keepHead(frame)
    else if (kind === frameKinds.more) this.#sendPart(id)
    else if (kind === frameKinds.cancel) {
      const client = this.#awaited[id % requestPlaces]
      if (client?.id === id) this.#forget(client)
      this.#rests.delete(id)
      this.#endIfDone()
    } else throw new TrunkFault('a frame of a kind that is none')
    return !this.#socket.destroyed
  }

  #keepHead({ place, bytes, from, bodyFrom }: Frame): void {
    if (place === 0 || place > headPlacesMax) throw new TrunkFault('a head is kept where no place is')
    // One that is not plain stays unknown: what refers to it is asked by HTTP.
    this.#heads[place] = readTrunkHead(bytes.toString('latin1', from, bodyFrom))
  }

  #serve({ place: headPlace, id, flag, bytes, from, bodyFrom, end }: Frame): void {
    const text = bytes.toString('latin1', from, bodyFrom)
    const kept = this.#heads[headPlace]
    const head = headPlace === 0 ? readTrunkHead(text) : kept && withLines(kept, text)
    const place = id % requestPlaces
    if (this.#awaited[place] !== undefined) throw new TrunkFault('a request has the place of another')
    const contentLength = end - bodyFrom
    const isFull = this.#inFlight + this.#rests.size >= this.#options.inFlightMax
    if (head && !isFull && contentLength <= this.#options.bodyMaxBytes) {
      const request: PlainRequest = {
        method: head.method,
        target: head.target,
        names: head.names,
        values: head.values,
        contentLength,
        hasContentLength: flag,
        bytes: bodyFrom - from,
        body: contentLength === 0 ? nothing : bytes.subarray(bodyFrom, end),
        remoteAddress: this.#remoteAddress,
        receivedMs: performance.now(),
        sameHead: undefined,
      }
      const client = new TrunkClient(this, id)
      this.#awaited[place] = client
      this.#awaitedCount += 1
      this.#inFlight += 1
      if (this.#options.take(request, client)) return
      this.#inFlight -= 1
      this.#forget(client)
    }
    this.#writer.add({ kind: frameKinds.elsewhere, id })
  }

  /** For TrunkClient alone. */
  answer(client: TrunkClient, status: number, lines: string, body: string | Buffer): void {
    const { id } = client
    this.#inFlight -= 1
    if (this.#forget(client)) {
      const totalBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length
      if (totalBytes <= partMaxBytes) this.#writer.add({ kind: frameKinds.answer, place: status, id, head: lines, body, totalBytes })
      else {
        const whole = typeof body === 'string' ? Buffer.from(body) : body
        this.#rests.set(id, { body: whole, at: partMaxBytes, sinceMs: performance.now() })
        const first = whole.subarray(0, partMaxBytes)
        this.#writer.add({ kind: frameKinds.answer, flag: true, place: status, id, head: lines, body: first, totalBytes })
      }
    }
    if (this.#hasEnded) this.#endIfDone()
  }

  /** False where nobody waits for its answer. */
  #forget(client: TrunkClient): boolean {
    const place = client.id % requestPlaces
    if (this.#awaited[place] !== client) return false
    this.#awaited[place] = undefined
    this.#awaitedCount -= 1
    return true
  }

  #sendPart(id: number): void {
    const rest = this.#rests.get(id)
    if (!rest) return
    const part = rest.body.subarray(rest.at, rest.at + partMaxBytes)
    rest.at += part.length
    rest.sinceMs = performance.now()
    const isLast = rest.at >= rest.body.length
    if (isLast) this.#rests.delete(id)
    this.#writer.add({ kind: frameKinds.part, flag: !isLast, id, body: part })
    if (isLast) this.#endIfDone()
  }

  /** Who has ended its side asks no more; with the last answer the trunk is over. */
  #endIfDone(): void {
    if (this.#hasEnded && this.isIdle) this.#writer.end()
  }
}

class TrunkClient implements PlainClient {
  readonly knowsRequestId = true
  readonly id: number
  readonly #trunk: ServedTrunk

  constructor(trunk: ServedTrunk, id: number) {
    this.#trunk = trunk
    this.id = id
  }

  answer(status: number, lines: string, body: string | Buffer): void {
    this.#trunk.answer(this, status, lines, body)
  }
}
