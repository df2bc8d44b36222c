import { decodeText, PackedTexts, wide, type Texts } from './texts.ts'

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
    const start = this.#at
    this.i32(0)
    // Before the view is looked up: the bytes may be others by then.
    const header = this.#units(value)
    this.#view.setInt32(start, header, true)
  }

  /** So many texts, the one at `indexOf` each, empty where that is -1: the bytes of all one after another, then their headers. */
  texts(count: number, texts: Texts, indexOf: (nth: number) => number): void {
    const start = this.#at
    this.i32(0)
    const headers = new Float64Array(count)
    for (let nth = 0; nth < count; nth++) {
      const index = indexOf(nth)
      if (index < 0) continue
      const packed = texts.packedAt(index)
      headers[nth] = packed === undefined ? this.#units(texts.get(index)) : this.#packed(packed, index)
    }
    this.#view.setInt32(start, this.#at - start - 4, true)
    this.#column(headers)
  }

  /**
   * Figures of each of many records, a column each: how many bytes a figure takes, then the least, then what each is above that; or, in eight bytes, themselves. It is
   * the narrowest form that holds all of them exactly, so what is alike has like bytes; where all figures are, it is no bytes at all.
   */
  columns(count: number, figures: readonly ((nth: number) => number)[]): void {
    const column = new Float64Array(count)
    for (const figureOf of figures) {
      for (let nth = 0; nth < count; nth++) column[nth] = figureOf(nth)
      this.#column(column)
    }
  }

  /** What was written, filled up with zeros to a multiple of 16 bytes. */
  take(): Uint8Array {
    const length = Math.ceil(this.#at / 16) * 16
    this.#room(length - this.#at)
    return this.#bytes.subarray(0, length)
  }

  #column(figures: Float64Array): void {
    const { low, width } = formOf(figures)
    this.i32(width)
    if (width < 8) this.f64(low)
    this.#room(figures.length * width)
    writeColumn(figures, low, width, this.#view, this.#at)
    this.#at += figures.length * width
  }

  /** Writes the units of a text and returns its header. */
  #units(value: string): number {
    const { length } = value
    this.#room(length * 2)
    const start = this.#at
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
    this.#at = at
    return isNarrow ? length : length | wide
  }

  #packed(texts: PackedTexts, index: number): number {
    const bytes = texts.bytes(index)
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
    return texts.header(index)
  }

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + size + 16))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** The least of some figures, and the bytes that each needs above it. */
function formOf(figures: Float64Array): { low: number; width: number } {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  let isWhole = true
  for (let index = 0; index < figures.length; index++) {
    const figure = figures[index]!
    if (figure < low) low = figure
    if (figure > high) high = figure
    // Not so: fractions, what is no number, and the zero that is less than none.
    if (Math.floor(figure) !== figure || (figure === 0 && 1 / figure < 0)) isWhole = false
  }
  if (figures.length === 0) return { low: 0, width: 0 }
  const span = high - low
  if (!isWhole || !(span < 2 ** 32)) return { low, width: 8 }
  return { low, width: span === 0 ? 0 : span < 2 ** 8 ? 1 : span < 2 ** 16 ? 2 : 4 }
}

function writeColumn(figures: Float64Array, low: number, width: number, to: DataView, start: number): void {
  const { length } = figures
  if (width === 1) for (let index = 0; index < length; index++) to.setUint8(start + index, figures[index]! - low)
  else if (width === 2) for (let index = 0; index < length; index++) to.setUint16(start + index * 2, figures[index]! - low, true)
  else if (width === 4) for (let index = 0; index < length; index++) to.setUint32(start + index * 4, figures[index]! - low, true)
  else if (width === 8) for (let index = 0; index < length; index++) to.setFloat64(start + index * 8, figures[index]!, true)
}

function readColumn(figures: Float64Array, low: number, width: number, from: DataView, start: number): void {
  const { length } = figures
  if (width === 1) for (let index = 0; index < length; index++) figures[index] = low + from.getUint8(start + index)
  else if (width === 2) for (let index = 0; index < length; index++) figures[index] = low + from.getUint16(start + index * 2, true)
  else if (width === 4) for (let index = 0; index < length; index++) figures[index] = low + from.getUint32(start + index * 4, true)
  else if (width === 8) for (let index = 0; index < length; index++) figures[index] = from.getFloat64(start + index * 8, true)
  else figures.fill(low)
}

/** Bounds what a reader is willing to make room for. */
const recordsMax = 2 ** 27

/** Reads what a ByteWriter wrote. Throws SnapshotError at the end of the bytes. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #columns = new Float64Array(0)
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
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
    const start = this.#take((header & wide) === 0 ? length : length * 2)
    return decodeText(this.#bytes, start, header)
  }
  texts(count: number): PackedTexts {
    const size = this.i32()
    const start = this.#take(size)
    const [headers] = this.columns(count, 1)
    // A copy: the bytes may be kept for long, and the snapshot around them is many times as large.
    const packed = new PackedTexts(new Int32Array(headers!), new Uint8Array(this.#bytes.subarray(start, start + size)))
    if (packed.size !== size) throw new SnapshotError('the snapshot has texts of another length')
    return packed
  }
  /** The next columns, with a figure of each of `count` records; good until others are read. */
  columns(count: number, wanted: number): Float64Array[] {
    if (count < 0 || count > recordsMax) throw new SnapshotError('the snapshot has an impossible number of records')
    if (this.#columns.length < count * wanted) this.#columns = new Float64Array(count * wanted)
    return Array.from({ length: wanted }, (_, column) => this.#column(this.#columns.subarray(column * count, (column + 1) * count)))
  }

  #column(into: Float64Array): Float64Array {
    const width = this.i32()
    if (width !== 0 && width !== 1 && width !== 2 && width !== 4 && width !== 8)
      throw new SnapshotError('the snapshot has figures of an unknown form')
    const low = width < 8 ? this.f64() : 0
    readColumn(into, low, width, this.#view, this.#take(into.length * width))
    return into
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
