import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'

/** Shorter records are as small as they will get. */
const compressFromBytes = 1_024
/** No writer of ours comes near it: an answer to records that only grow when they are read. */
const decodedMaxBytes = 256 * 1_024 * 1_024

/**
 * A record of JSON events, given as the JSON of each: an array in UTF-8, compressed with zstd (RFC 8878) where that is worth it. A batch of
 * events is some ten times smaller so, in the database, in its journal and on the way.
 */
export function encodeJsonRecord(events: readonly string[]): Buffer {
  const bytes = Buffer.from(`[${events.join(',')}]`)
  return bytes.length < compressFromBytes ? bytes : zstdCompressSync(bytes)
}

/** The events of a record, compressed or not. Throws where it is not a JSON array. */
export function decodeJsonRecord(body: Uint8Array): unknown[] {
  // A zstd frame begins with 28 b5 2f fd, JSON never does.
  const isCompressed = body.byteLength >= 4 && body[0] === 0x28 && body[1] === 0xb5 && body[2] === 0x2f && body[3] === 0xfd
  const bytes = isCompressed
    ? zstdDecompressSync(body, { maxOutputLength: decodedMaxBytes })
    : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const events: unknown = JSON.parse(bytes.toString('utf8'))
  if (!Array.isArray(events)) throw new TypeError('the record is not a JSON array of events')
  return events
}
