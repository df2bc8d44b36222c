import { randomBytes } from 'node:crypto'

const opcodeClose = 0x8
const opcodePing = 0x9
const final = 0x80
const masked = 0x80
/** Of a control frame's payload (RFC 6455, 5.5). */
const controlMaxBytes = 125
const headMaxBytes = 14

/**
 * Tells, of bytes of a WebSocket that pass in one direction, where frames end (RFC 6455, 5.2): there, and only there, may somebody on the way say something of their own. Heads are
 * looked at and nothing else, so that it costs the same however long messages are.
 */
export class FrameBoundaries {
  /** Bytes of the frame under way that are still to come, its head known. */
  #left = 0
  /** A head of which not all has come. */
  #head: Buffer | undefined
  #headBytes = 0
  #hasClosed = false

  /** Whether all frames that have begun are whole. */
  get isBetween(): boolean {
    return this.#left === 0 && this.#headBytes === 0
  }

  /** Whether a close frame has begun to pass: after it there is nothing more to be said. */
  get hasClosed(): boolean {
    return this.#hasClosed
  }

  /** Takes the next bytes. */
  pass(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#left > 0) {
        const part = Math.min(this.#left, chunk.length - at)
        this.#left -= part
        at += part
      } else if (this.#headBytes > 0 || !isHeadWhole(chunk, at, chunk.length)) at = this.#gather(chunk, at)
      else at = this.#begin(chunk, at)
    }
  }

  /** Reads a whole head at `at`; gives where its payload begins. */
  #begin(bytes: Buffer, at: number): number {
    if ((bytes[at]! & 0x0f) === opcodeClose) this.#hasClosed = true
    const short = bytes[at + 1]! & 0x7f
    if (short < 126) this.#left = short
    else this.#left = short === 126 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6)
    return at + headLength(bytes[at + 1]!)
  }

  /** A head that comes in pieces: at most fourteen bytes. */
  #gather(chunk: Buffer, from: number): number {
    this.#head ??= Buffer.allocUnsafe(headMaxBytes)
    let at = from
    while (at < chunk.length) {
      this.#head[this.#headBytes++] = chunk[at++]!
      if (!isHeadWhole(this.#head, 0, this.#headBytes)) continue
      this.#begin(this.#head, 0)
      this.#head = undefined
      this.#headBytes = 0
      break
    }
    return at
  }
}

function headLength(second: number): number {
  const short = second & 0x7f
  return 2 + (short < 126 ? 0 : short === 126 ? 2 : 8) + (second & masked ? 4 : 0)
}

function isHeadWhole(bytes: Buffer, at: number, end: number): boolean {
  return end - at >= 2 && end - at >= headLength(bytes[at + 1]!)
}

/** A close frame as a server sends it. */
export function closeFrame(code: number, reason: string): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  expectControl(payload)
  return Buffer.concat([Buffer.of(final | opcodeClose, payload.length), payload])
}

/** A ping as a client sends it. */
export function clientPing(payload: Buffer): Buffer {
  expectControl(payload)
  const mask = randomBytes(4)
  const hidden = payload.map((byte, index) => byte ^ mask[index % 4]!)
  return Buffer.concat([Buffer.of(final | opcodePing, masked | payload.length), mask, hidden])
}

function expectControl(payload: Buffer): void {
  if (payload.length > controlMaxBytes) throw new Error('a control frame says more than it can')
}
