/** Thrown for bytes that are not a snapshot of a known version, or are damaged. */
export class SnapshotError extends Error {
  override name = 'SnapshotError'
}

/** Writes figures and texts one after another, little-endian, into a buffer that grows. */
export class ByteWriter {
  #bytes = new Uint8Array(65_536)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  f64(value: number): void {
    this.#room(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }
  i32(value: number): void {
    this.#room(4)
    this.#view.setInt32(this.#at, value, true)
    this.#at += 4
  }
  /** Length in UTF-16 units, then a byte a unit where all fit, else two: the high bit of the length says which. */
  text(value: string): void {
    const { length } = value
    this.#room(4 + length * 2)
    const start = this.#at + 4
    let at = start
    let isNarrow = true
    for (let index = 0; index < length && isNarrow; index++) {
      const unit = value.charCodeAt(index)
      isNarrow = unit < 0x100
      this.#bytes[at++] = unit
    }
    if (!isNarrow) {
      at = start
      for (let index = 0; index < length; index++, at += 2) this.#view.setUint16(at, value.charCodeAt(index), true)
    }
    this.#view.setInt32(this.#at, isNarrow ? length : length | wide, true)
    this.#at = at
  }
  /** What was written, filled up with zeros to a multiple of 16 bytes. */
  take(): Uint8Array {
    const length = Math.ceil(this.#at / 16) * 16
    this.#room(length - this.#at)
    return this.#bytes.subarray(0, length)
  }

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + size + 16))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

const wide = 1 << 30

/** Reads what a ByteWriter wrote. Throws SnapshotError at the end of the bytes. */
export class ByteReader {
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  f64(): number {
    const value = this.#view.getFloat64(this.#take(8), true)
    return value
  }
  i32(): number {
    return this.#view.getInt32(this.#take(4), true)
  }
  text(): string {
    const header = this.i32()
    const length = header & ~wide
    const isNarrow = (header & wide) === 0
    const start = this.#take(isNarrow ? length : length * 2)
    return isNarrow ? this.#narrow(start, length) : this.#wide(start, length)
  }

  /** Eight at a time: a piece for each character would leave behind hundreds of megabytes where a state has some 100,000 texts. */
  #narrow(start: number, length: number): string {
    const view = this.#view
    let text = ''
    let at = start
    for (const end = start + length - 7; at < end; at += 8) {
      text += String.fromCharCode(
        view.getUint8(at),
        view.getUint8(at + 1),
        view.getUint8(at + 2),
        view.getUint8(at + 3),
        view.getUint8(at + 4),
        view.getUint8(at + 5),
        view.getUint8(at + 6),
        view.getUint8(at + 7),
      )
    }
    for (; at < start + length; at++) text += String.fromCharCode(view.getUint8(at))
    return text
  }

  #wide(start: number, length: number): string {
    let text = ''
    for (let index = 0; index < length; index++) text += String.fromCharCode(this.#view.getUint16(start + index * 2, true))
    return text
  }

  #take(size: number): number {
    const at = this.#at
    if (size < 0 || at + size > this.#view.byteLength) throw new SnapshotError('the snapshot ends too early')
    this.#at = at + size
    return at
  }
}

/**
 * 128 bits over bytes (a multiple of 16): four lanes of multiply, rotate and add, mixed with each other at the end. Any change of the bytes
 * changes it but for one case in 2^128 by chance; it is no protection against someone who tries.
 */
export function hash128(bytes: Uint8Array): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let a = 0x243f6a88
  let b = 0x85a308d3 | 0
  let c = 0x13198a2e
  let d = 0x03707344
  for (let at = 0; at < bytes.length; at += 16) {
    a = turn(Math.imul(a ^ view.getInt32(at, true), 0x2c1b3c6d), 13) + b
    b = turn(Math.imul(b ^ view.getInt32(at + 4, true), 0x297a2d39), 17) + c
    c = turn(Math.imul(c ^ view.getInt32(at + 8, true), 0x5bd1e995), 11) + d
    d = turn(Math.imul(d ^ view.getInt32(at + 12, true), 0x85ebca6b), 19) + a
  }
  const lanes = new Int32Array([a, b, c, d ^ bytes.length])
  for (let round = 0; round < 8; round++) {
    const lane = round & 3
    lanes[lane] = avalanche(lanes[lane]! ^ lanes[(lane + 3) & 3]!) + lanes[(lane + 1) & 3]!
  }
  return lanes
}

function turn(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function avalanche(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return mixed ^ (mixed >>> 15)
}

export function toHex(lanes: Int32Array): string {
  return Array.from(lanes, (lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('')
}
