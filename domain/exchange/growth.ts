/** Records of a fixed size over one buffer, seen as doubles and as 32-bit integers, so that a record lies on few cache lines. */
export interface RecordBuffer {
  readonly doubles: Float64Array
  readonly ints: Int32Array
}

/**
 * Allocators hand out large blocks 16 bytes into a page, after their own notes. 48 bytes further on, records of 64 or 128 bytes begin on cache
 * lines. Nothing but speed depends on it.
 */
const alignmentBytes = 48

/** A buffer for `records` records of `bytes` bytes (a multiple of 8), with what `from` held at its start. */
export function recordBuffer(records: number, bytes: number, from?: Float64Array): RecordBuffer {
  const buffer = new ArrayBuffer(alignmentBytes + records * bytes)
  const doubles = new Float64Array(buffer, alignmentBytes)
  if (from) doubles.set(from)
  return { doubles, ints: new Int32Array(buffer, alignmentBytes) }
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
