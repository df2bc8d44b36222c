import type { Duplex } from 'node:stream'
import { frameHeaderBytes } from './frames.ts'

const batchBytes = 64 * 1_024
const nothing = Buffer.alloc(0)

export interface OutgoingFrame {
  kind: number
  flag?: boolean
  place?: number
  id?: number
  /** Characters of one byte each. */
  head?: string
  body?: Buffer | string
  totalBytes?: number
}

/** Puts frames together and sends those of one turn of the event loop in one write. */
export class FrameWriter {
  readonly #socket: Duplex
  readonly #beforeSending: (() => boolean) | undefined
  #batch = Buffer.allocUnsafeSlow(batchBytes)
  #used = 0
  #isDue = false

  /** `beforeSending` may add to what is about to be sent, and says whether it has more for the next turn. */
  constructor(socket: Duplex, beforeSending?: () => boolean) {
    this.#socket = socket
    this.#beforeSending = beforeSending
  }

  /** Has what is there, or what `beforeSending` will add, sent once this turn is over. */
  due(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => this.#send())
  }

  add({ kind, flag = false, place = 0, id = 0, head = '', body = nothing, totalBytes = 0 }: OutgoingFrame): void {
    const bodyBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    const length = frameHeaderBytes + head.length + bodyBytes
    if (this.#used + length > batchBytes) this.#flush()
    // What fits into no batch goes by itself.
    const into = length > batchBytes ? Buffer.allocUnsafe(length) : this.#batch
    const at = into === this.#batch ? this.#used : 0
    into.writeUInt32LE(length, at)
    into[at + 4] = kind
    into[at + 5] = flag ? 1 : 0
    into.writeUInt16LE(place, at + 6)
    into.writeUInt32LE(id, at + 8)
    into.writeUInt32LE(head.length, at + 12)
    into.writeUInt32LE(totalBytes, at + 16)
    const bodyAt = at + frameHeaderBytes + head.length
    if (head !== '') into.write(head, at + frameHeaderBytes, 'latin1')
    if (typeof body !== 'string') body.copy(into, bodyAt)
    else if (bodyBytes > 0) into.write(body, bodyAt, 'utf8')
    if (into === this.#batch) this.#used += length
    else this.#write(into)
    this.due()
  }

  /** Sends what is there, and says no more. */
  end(): void {
    this.#flush()
    this.#socket.end()
  }

  #send(): void {
    const hasMore = this.#beforeSending?.() === true
    this.#isDue = false
    this.#flush()
    if (hasMore) this.due()
  }

  #flush(): void {
    if (this.#used === 0) return
    const bytes = this.#batch.subarray(0, this.#used)
    this.#used = 0
    // Where something waits already this will too, and a small one should not hold on to a whole batch.
    if (this.#socket.writableLength > 0) {
      this.#write(Buffer.from(bytes))
      return
    }
    this.#write(bytes)
    // What the kernel has not taken at once is sent from this memory later.
    if (this.#socket.writableLength > 0) this.#batch = Buffer.allocUnsafeSlow(batchBytes)
  }

  #write(bytes: Buffer): void {
    if (!this.#socket.destroyed && !this.#socket.writableEnded) this.#socket.write(bytes)
  }
}
