import { amountMax, formatUnits } from '@maru/domain/money'

/** Fractions of so many digits are whole numbers of 32 bits. */
const smallScaleMax = 9
const powersOfTen = Array.from({ length: smallScaleMax + 1 }, (_, exponent) => 10 ** exponent)
/** 36^5: what five digits of an id hold, in 32 bits. */
const fiveDigits = 36 ** 5
const idDigits = 11
const dayMs = 86_400_000
/** What a single piece that is written without asking for room may take, but for texts of others. */
const pieceMax = 64

const [quote, backslash, minus, point, zero, letterA, colon, letterZ] = [0x22, 0x5c, 0x2d, 0x2e, 0x30, 0x61, 0x3a, 0x5a]

/** A constant piece of JSON. */
export function piece(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at)
  return bytes
}

/** JSON in UTF-8, written from left to right. What is built as texts first is read and copied three times, and is garbage by the megabyte. */
export class JsonBytes {
  bytes: Buffer
  length = 0
  #day = Number.NaN
  #dayText: Uint8Array = new Uint8Array(0)

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity)
  }

  /** Sees that so many bytes more can be written. */
  room(bytes: number): void {
    const needed = this.length + bytes
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }

  put(constant: Uint8Array): void {
    const size = constant.length
    this.room(size)
    const { bytes, length } = this
    for (let at = 0; at < size; at++) bytes[length + at] = constant[at]!
    this.length = length + size
  }

  /** What stands from one byte to another in another text. */
  copy(from: JsonBytes, start: number, end: number): void {
    this.room(end - start)
    this.length += from.bytes.copy(this.bytes, this.length, start, end)
  }

  /** A text as it is, of whatever characters. */
  raw(text: string): void {
    this.room(text.length * 3)
    this.length += this.bytes.write(text, this.length)
  }

  /** A text of plain characters, as it is. */
  ascii(text: string): void {
    const size = text.length
    this.room(size)
    const { bytes, length } = this
    for (let at = 0; at < size; at++) bytes[length + at] = text.charCodeAt(at)
    this.length = length + size
  }

  /** A text as JSON, in quotes. */
  string(text: string): void {
    const size = text.length
    this.room(size + 2)
    const { bytes, length } = this
    bytes[length] = quote
    for (let at = 0; at < size; at++) {
      const code = text.charCodeAt(at)
      if (code < 0x20 || code > 0x7e || code === quote || code === backslash) {
        this.raw(JSON.stringify(text))
        return
      }
      bytes[length + 1 + at] = code
    }
    bytes[length + 1 + size] = quote
    this.length = length + size + 2
  }

  /** A whole number from 0 to 2^53 - 1. */
  integer(value: number): void {
    this.room(pieceMax)
    if (value <= 0x7fff_ffff) this.#small(value | 0)
    else this.ascii(String(value))
  }

  /** Whole units of 10^-scale as `formatUnits` shows them. */
  units(units: number, scale: number): void {
    if (scale > smallScaleMax || units < -amountMax || units > amountMax) {
      this.ascii(formatUnits(units, scale))
      return
    }
    this.room(pieceMax)
    let rest = units
    if (units < 0) {
      this.bytes[this.length++] = minus
      rest = -units
    }
    const one = powersOfTen[scale]!
    // Below 2^53 the quotient is never rounded up to the next whole number: that is further away than half of its last bit.
    const whole = Math.floor(rest / one)
    let fraction = (rest - whole * one) | 0
    this.integer(whole)
    if (fraction === 0) return
    let digits = scale
    for (; fraction % 10 === 0; digits--) fraction = (fraction / 10) | 0
    const { bytes, length } = this
    bytes[length] = point
    for (let at = length + digits; at > length; at--) {
      const tenth = (fraction / 10) | 0
      bytes[at] = zero + fraction - tenth * 10
      fraction = tenth
    }
    this.length = length + 1 + digits
  }

  /** The id of an order or a trade, as `formatId` gives it. */
  id(number: number): void {
    this.room(pieceMax)
    const upper = Math.floor(number / fiveDigits)
    const top = Math.floor(upper / fiveDigits)
    const { length } = this
    this.#digits36(number - upper * fiveDigits, length + 6, 5)
    this.#digits36(upper - top * fiveDigits, length + 1, 5)
    this.#digits36(top, length, 1)
    this.length = length + idDigits
  }

  /** Milliseconds since 1970 as ISO 8601, as `Date` gives it. */
  time(ms: number): void {
    const day = Math.floor(ms / dayMs)
    if (day !== this.#day) {
      this.#day = day
      this.#dayText = piece(new Date(ms).toISOString().slice(0, -'00:00:00.000Z'.length))
    }
    this.put(this.#dayText)
    this.room(pieceMax)
    const rest = (ms - day * dayMs) | 0
    const seconds = (rest / 1_000) | 0
    const minutes = (seconds / 60) | 0
    const hours = (minutes / 60) | 0
    const { bytes, length } = this
    this.#digits10(hours, length, 2)
    bytes[length + 2] = colon
    this.#digits10(minutes - hours * 60, length + 3, 2)
    bytes[length + 5] = colon
    this.#digits10(seconds - minutes * 60, length + 6, 2)
    bytes[length + 8] = point
    this.#digits10(rest - seconds * 1_000, length + 9, 3)
    bytes[length + 12] = letterZ
    this.length = length + 13
  }

  /** A whole number from 0 to 2^31 - 1. */
  #small(value: number): void {
    let digits = 1
    for (let least = 10; value >= least; least *= 10) digits++
    this.#digits10(value, this.length, digits)
    this.length += digits
  }

  #digits10(value: number, from: number, digits: number): void {
    const { bytes } = this
    let rest = value
    for (let at = from + digits - 1; at >= from; at--) {
      const tenth = (rest / 10) | 0
      bytes[at] = zero + rest - tenth * 10
      rest = tenth
    }
  }

  #digits36(value: number, from: number, digits: number): void {
    const { bytes } = this
    let rest = value | 0
    for (let at = from + digits - 1; at >= from; at--) {
      const upper = (rest / 36) | 0
      const digit = rest - upper * 36
      bytes[at] = digit < 10 ? zero + digit : letterA - 10 + digit
      rest = upper
    }
  }
}
