import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'

/** Shorter records are as small as they will get. */
const compressFromBytes = 1_024
/** The least effort: half the time of the usual level for as few bytes, since events are much alike. */
const compression = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
/** What compressed bytes are collected in, by pieces of this size: the usual 128 KiB would be set aside, and stay, for each record of two. */
const chunkBytesMin = 1_024
/** No writer of ours comes near it: an answer to records that only grow when they are read. */
const decodedMaxBytes = 256 * 1_024 * 1_024

/**
 * A record of JSON events, given as the JSON of each: an array in UTF-8, compressed with zstd (RFC 8878) where that is worth it. A batch of
 * events is some ten times smaller so, in the database, in its journal and on the way.
 */
export function encodeJsonRecord(events: readonly string[]): Buffer {
  // At most three bytes of UTF-8 for each unit of a text, and a bracket or comma.
  const bytesMax = events.reduce((sum, event) => sum + event.length * 3 + 1, 2)
  const room = bytesMax <= workspace.length ? workspace : Buffer.allocUnsafeSlow(bytesMax)
  return encodeJsonBytes(room.subarray(0, writeArray(events, room)))
}

/** The same of a JSON array that stands in UTF-8 already. The bytes may be used again at once. */
export function encodeJsonBytes(array: Uint8Array): Buffer {
  if (array.length < compressFromBytes) return Buffer.from(array)
  return zstdCompressSync(array, { ...compression, chunkSize: Math.max(chunkBytesMin, array.length >> 3) })
}

/** Where records are put together, one after another: joined as one text first they would be copied once more, and be garbage by the megabyte. */
const workspace = Buffer.allocUnsafeSlow(4 * 1_024 * 1_024)

/** Writes a JSON array of texts of JSON; gives its length in bytes. */
function writeArray(events: readonly string[], into: Buffer): number {
  let at = 0
  into[at++] = openingBracket
  for (let index = 0; index < events.length; index++) {
    if (index > 0) into[at++] = comma
    at += into.write(events[index]!, at)
  }
  into[at++] = closingBracket
  return at
}

const [openingBracket, comma, closingBracket] = [0x5b, 0x2c, 0x5d]

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
