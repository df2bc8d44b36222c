import { AnswerFault } from './answer-head.ts'

const [atSize, inChunk, afterChunk, atEnd] = [0, 1, 2, 3] as const
/** Of a size in hexadecimal digits, with its line end. */
const sizeLineMax = 10

/** Takes a chunked body apart (RFC 9112, 7.1), without extensions and trailers, which no instance sends. */
export class ChunkedBody {
  #state: typeof atSize | typeof inChunk | typeof afterChunk | typeof atEnd = atSize
  #line = ''
  #left = 0

  /** Hands what is in `bytes` to `onData`; gives the place after the end of the body, or -1 where it goes on. Throws AnswerFault. */
  read(bytes: Buffer, onData: (chunk: Buffer) => void): number {
    let at = 0
    while (at < bytes.length) {
      if (this.#state === inChunk) {
        const end = Math.min(bytes.length, at + this.#left)
        onData(bytes.subarray(at, end))
        this.#left -= end - at
        at = end
        if (this.#left === 0) this.#state = afterChunk
        continue
      }
      this.#line += String.fromCharCode(bytes[at++]!)
      if (this.#line.length > sizeLineMax) throw new AnswerFault('a chunk of the answer has no size')
      if (!this.#line.endsWith('\n')) continue
      if (this.#endLine()) return at
    }
    return -1
  }

  /** Whether the body is over. */
  #endLine(): boolean {
    const line = this.#line
    this.#line = ''
    if (this.#state === atSize) {
      if (!/^[0-9a-fA-F]{1,8}\r\n$/.test(line)) throw new AnswerFault('a chunk of the answer has no size')
      this.#left = Number.parseInt(line, 16)
      this.#state = this.#left === 0 ? atEnd : inChunk
      return false
    }
    if (line !== '\r\n') throw new AnswerFault('a chunk of the answer does not end')
    if (this.#state === atEnd) return true
    this.#state = atSize
    return false
  }
}
