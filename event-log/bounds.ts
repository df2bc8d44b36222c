import type { ProducerIdentity, ReadBounds } from './port.ts'

/** The most that one read gives, whatever was asked for. */
const recordsMaxOfAll = 10_000
const bytesMaxOfAll = 64 * 1_024 * 1_024
/** The largest body of a record. */
export const bodyBytesMax = 16 * 1_024 * 1_024

export function boundsOf(bounds: ReadBounds): ReadBounds {
  return {
    recordsMax: Math.max(1, Math.min(Math.floor(bounds.recordsMax), recordsMaxOfAll)),
    bytesMax: Math.max(1, Math.min(Math.floor(bounds.bytesMax), bytesMaxOfAll)),
  }
}

/** Throws RangeError: these are faults of the caller. */
export function checkRecord(body: Uint8Array, { producer, sequence }: ProducerIdentity): void {
  if (body.byteLength > bodyBytesMax)
    throw new RangeError(`a body of ${body.byteLength} bytes is over the ${bodyBytesMax} that a record takes`)
  if (producer === '' || Buffer.byteLength(producer) > 128) throw new RangeError('a producer has 1 to 128 bytes')
  if (!Number.isSafeInteger(sequence) || sequence < 0) throw new RangeError(`not a sequence: ${sequence}`)
}

export function checkOffset(offset: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0) throw new RangeError(`not an offset: ${offset}`)
}
