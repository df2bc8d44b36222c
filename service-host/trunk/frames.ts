/**
 * A trunk is one connection between a gateway and an instance of a service that carries many requests at once. Requests and answers travel as frames, each of which says
 * how long it is and which request it belongs to, so many of them leave in one write, a slow answer holds up nobody, and no byte can be taken for another's.
 *
 * A frame, numbers with the low byte first:
 *
 * | bytes | what |
 * | --- | --- |
 * | 0–3 | bytes of the frame, these 20 included |
 * | 4 | kind |
 * | 5 | 1 where a flag of its kind is set |
 * | 6–7 | place of a head, or status of an answer |
 * | 8–11 | id of the request; divided by `requestPlaces` it leaves a place that no other request under way has |
 * | 12–15 | bytes of the head that follows |
 * | 16–19 | bytes of the whole body of an answer |
 * | 20– | the head, then a body or a part of one |
 *
 * It begins with an upgrade (RFC 9110, 7.8) at `trunkPath`, to `trunkProtocol`. A gateway asks for it where an instance has the capability `trunkCapability`.
 */
export const trunkPath = '/internal/trunk'
export const trunkProtocol = 'maru-trunk/1'
export const trunkCapability = 'trunk:1'

export const frameKinds = {
  /** To the service: keep this head (a request line without its version, then lines of headers) at a place, whatever was there. */
  head: 1,
  /** To the service: a request whose head is kept at a place, with more lines of headers; at place 0 its head stands here whole. Flag: it has a body, if only an empty one. */
  request: 2,
  /** To the service: nobody waits for an answer any more. */
  cancel: 3,
  /** To the service: the next part of an answer may come. */
  more: 4,
  /** To the gateway: lines of headers, and the body of an answer or its first part. Flag: more parts follow, each once it is asked for. */
  answer: 5,
  /** To the gateway: the next part. Flag: more follow. */
  part: 6,
  /** To the gateway: nothing was done; this request is to be asked by HTTP. */
  elsewhere: 7,
  /** To the gateway: ask no more here. What it asked before is answered, and then it ends the connection. */
  leaving: 8,
} as const

export const frameHeaderBytes = 20
/** Requests under way on a trunk. */
export const requestPlaces = 4_096
/** Longer bodies of requests do not travel on a trunk. */
export const requestBodyMaxBytes = 64 * 1_024
/** Longer answers travel in parts, each once the one before it has been taken: a client that reads slowly holds up nobody and fills no memory. */
export const partMaxBytes = 64 * 1_024
/** Of a gateway; a newer head takes the place of the oldest. */
export const headPlacesMax = 2_048

export class TrunkFault extends Error {
  override name = 'TrunkFault'
}

/** A frame as it was read; one and the same object for all, good until the next is read. */
export interface Frame {
  kind: number
  flag: boolean
  place: number
  id: number
  totalBytes: number
  /** Holds the head from `from` to `bodyFrom` and the body from there to `end`. */
  bytes: Buffer
  from: number
  bodyFrom: number
  end: number
}

const nothing = Buffer.alloc(0)

/** Finds the frames in bytes as they come. */
export class FrameReader {
  #kept: Buffer = nothing
  readonly #frame: Frame = { kind: 0, flag: false, place: 0, id: 0, totalBytes: 0, bytes: nothing, from: 0, bodyFrom: 0, end: 0 }

  readonly #maxBytes: number
  readonly #isLent: boolean

  /** `maxBytes`: a longer one is no frame. `isLent`: what is read may be overwritten once `read` returns, so what is kept of it is copied. */
  constructor(options: { maxBytes: number; isLent: boolean }) {
    this.#maxBytes = options.maxBytes
    this.#isLent = options.isLent
  }

  /** Calls `take` for each frame that is whole, in order, until it says false. Throws TrunkFault for what is no frame. */
  read(chunk: Buffer, take: (frame: Frame) => boolean): void {
    const kept = this.#kept
    const bytes = kept.length === 0 ? chunk : Buffer.concat([kept, chunk])
    const frame = this.#frame
    let at = 0
    while (bytes.length - at >= frameHeaderBytes) {
      const length = bytes.readUInt32LE(at)
      const headBytes = bytes.readUInt32LE(at + 12)
      if (length > this.#maxBytes || length < frameHeaderBytes + headBytes) throw new TrunkFault('a frame is as long as none can be')
      if (bytes.length - at < length) break
      frame.kind = bytes[at + 4]!
      frame.flag = bytes[at + 5] === 1
      frame.place = bytes.readUInt16LE(at + 6)
      frame.id = bytes.readUInt32LE(at + 8)
      frame.totalBytes = bytes.readUInt32LE(at + 16)
      frame.bytes = bytes
      frame.from = at + frameHeaderBytes
      frame.bodyFrom = frame.from + headBytes
      frame.end = at + length
      at += length
      if (!take(frame)) return
    }
    if (at === bytes.length) this.#kept = nothing
    else {
      const rest = bytes.subarray(at)
      this.#kept = this.#isLent && kept.length === 0 ? Buffer.from(rest) : rest
    }
  }
}
