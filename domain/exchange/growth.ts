/**
 * Tables of records of a fixed size, seen as doubles and as 32-bit integers over one buffer, so that a record lies on few cache lines. Whoever keeps
 * one should make it where its field is declared: of a field that is `undefined` first, the compiler checks at each use what it holds.
 *
 * A record only lies on one line of 64 bytes where its table begins on one, and nothing tells where a buffer lies. Blocks that the allocator maps by
 * themselves begin at a page, 16 bytes of which it keeps for its notes; smaller ones lie anywhere. So a table has a block of its own, or a piece of one that
 * many tables share, and both are large enough to be mapped where `service-host/runtime.ts` has set the allocator so. Nothing but speed depends on it.
 */

const lineBytes = 64
/** From the notes of the allocator to the next line. */
const firstLineBytes = 48
/** Tables from this size on have a block of their own. The allocator maps blocks from this size on too. */
const ownBlockBytes = 2 ** 21
const sharedBlockBytes = 2 ** 22

/** The block that small tables are cut from, and how much of it is taken. It goes with the last of its tables. */
let shared = new ArrayBuffer(0)
let taken = 0

/** Room for so many bytes, all zero. */
function room(bytes: number): { buffer: ArrayBuffer; offset: number } {
  if (bytes >= ownBlockBytes) return { buffer: new ArrayBuffer(firstLineBytes + bytes), offset: firstLineBytes }
  const whole = Math.ceil(bytes / lineBytes) * lineBytes
  if (taken + whole > shared.byteLength) {
    shared = new ArrayBuffer(sharedBlockBytes)
    taken = firstLineBytes
  }
  const offset = taken
  taken += whole
  return { buffer: shared, offset }
}

/** A table of so many integers, all zero. */
export function intTable(length: number): Int32Array<ArrayBuffer> {
  const { buffer, offset } = room(length * 4)
  return new Int32Array(buffer, offset, length)
}

export function doubleTable(length: number): Float64Array<ArrayBuffer> {
  const { buffer, offset } = room(length * 8)
  return new Float64Array(buffer, offset, length)
}

/** A table of `records` records of `bytes` bytes (a multiple of 8), with what `from` held at its start. */
export function recordDoubles(records: number, bytes: number, from?: Float64Array): Float64Array<ArrayBuffer> {
  const doubles = doubleTable((records * bytes) / 8)
  if (from) doubles.set(from)
  return doubles
}

/** The same table as 32-bit integers, two to a double. */
export function asInts(doubles: Float64Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  return new Int32Array(doubles.buffer, doubles.byteOffset, doubles.length * 2)
}

/** How large a table becomes that doubles from `first` until so many records fit. */
export function roomFor(records: number, first: number): number {
  let found = first
  while (found < records) found *= 2
  return found
}

/** The same figures in a table of `length`. */
export function grownInts(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const grown = intTable(length)
  grown.set(from)
  return grown
}

export function grownDoubles(from: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const grown = doubleTable(length)
  grown.set(from)
  return grown
}
