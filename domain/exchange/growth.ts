/**
 * Tables of records of a fixed size, seen as doubles and as 32-bit integers over one buffer, so that a record lies on few cache lines. Whoever keeps
 * one should make it where its field is declared: of a field that is `undefined` first, the compiler checks at each use what it holds.
 */

/**
 * Allocators hand out large blocks 16 bytes into a page, after their own notes. 48 bytes further on, records of 64 or 128 bytes begin on cache
 * lines. Nothing but speed depends on it.
 */
const alignmentBytes = 48

/** A table of `records` records of `bytes` bytes (a multiple of 8), with what `from` held at its start. */
export function recordDoubles(records: number, bytes: number, from?: Float64Array): Float64Array<ArrayBuffer> {
  const doubles = new Float64Array(new ArrayBuffer(alignmentBytes + records * bytes), alignmentBytes)
  if (from) doubles.set(from)
  return doubles
}

/** The same table as 32-bit integers, two to a double. */
export function asInts(doubles: Float64Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  return new Int32Array(doubles.buffer, doubles.byteOffset)
}

/** How large a table becomes that doubles from `room` until so many records fit. */
export function roomFor(records: number, room: number): number {
  let found = room
  while (found < records) found *= 2
  return found
}

/** The same figures in an array of `length`. */
export function grownInts(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(length)
  grown.set(from)
  return grown
}

export function grownDoubles(from: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(length)
  grown.set(from)
  return grown
}
