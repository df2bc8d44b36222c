const textEncoder = new TextEncoder()
const textDecoder = new TextDecoder('utf-8', { fatal: true })
/** By length, room for the character codes of a short text: made into a string at once it takes half as long as the decoder, which wants a view of the bytes. */
const codesByLength = Array.from({ length: 41 }, (_, length) => Array.from({ length }, () => 0))

/** Writes figures and texts one after another, little-endian, into a buffer that grows. Texts over 65,535 bytes throw RangeError. */
export class RecordWriter {
  #bytes = new Uint8Array(4_096)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + size))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
  reset(): void {
    this.#at = 0
  }
  u8(value: number): void {
    this.#room(1)
    this.#view.setUint8(this.#at, value)
    this.#at += 1
  }
  i32(value: number): void {
    this.#room(4)
    this.#view.setInt32(this.#at, value, true)
    this.#at += 4
  }
  f64(value: number): void {
    this.#room(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }
  text(value: string): void {
    // Most texts are short ASCII: written byte by byte they cost no allocation.
    const { length } = value
    this.#room(2 + length * 3)
    const start = this.#at + 2
    let at = start
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code >= 0x80) {
        const encoded = textEncoder.encode(value)
        this.#bytes.set(encoded, start)
        at = start + encoded.length
        break
      }
      this.#bytes[at++] = code
    }
    this.#view.setUint16(this.#at, at - start, true)
    this.#at = at
  }
  levels(values: readonly number[]): void {
    this.i32(values.length)
    for (const value of values) this.f64(value)
  }
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#at)
  }
}

/** Reads what a RecordWriter wrote. Throws RangeError past the end. */
export class RecordReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }
  u8(): number {
    return this.#view.getUint8(this.#at++)
  }
  i32(): number {
    const value = this.#view.getInt32(this.#at, true)
    this.#at += 4
    return value
  }
  f64(): number {
    const value = this.#view.getFloat64(this.#at, true)
    this.#at += 8
    return value
  }
  text(): string {
    const length = this.#view.getUint16(this.#at, true)
    const start = this.#at + 2
    this.#at = start + length
    if (this.#at > this.#bytes.length) throw new RangeError('text runs past the end')
    if (length === 0) return ''
    return this.#ascii(start, length) ?? textDecoder.decode(this.#bytes.subarray(start, this.#at))
  }

  /** A short text without other characters. */
  #ascii(start: number, length: number): string | undefined {
    const codes = codesByLength[length]
    if (!codes) return undefined
    for (let index = 0; index < length; index++) {
      const byte = this.#bytes[start + index]!
      if (byte >= 0x80) return undefined
      codes[index] = byte
    }
    return String.fromCharCode(...codes)
  }
  levels(): number[] {
    const length = this.i32()
    if (length < 0 || length * 8 > this.#bytes.length - this.#at) throw new RangeError('levels run past the end')
    const values: number[] = []
    for (let index = 0; index < length; index++) values.push(this.f64())
    return values
  }
}
