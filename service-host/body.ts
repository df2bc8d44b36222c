import type { Readable } from 'node:stream'
import { Problem } from './problem.ts'

/** Beyond this a sender is cut off instead of being read to the end of what it sends. */
const discardMaxBytes = 16 * 1_024 * 1_024

/**
 * Reads a request body whole, at most `maxBytes`. A longer one is read on and thrown away (up to 16 MB), because an answer sent
 * while the client still writes would reach it as a reset; then Problem `payload_too_large`. A body that breaks off is
 * Problem `invalid_request`.
 */
export function readBody(stream: Readable, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let bytes = 0
    const finish = (error?: Problem): void => {
      stream.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken)
      if (error) reject(error)
      else resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes))
    }
    const tooLarge = () => new Problem('payload_too_large', `The body may have at most ${maxBytes} bytes.`)
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes <= maxBytes) chunks.push(chunk)
      else chunks = []
      if (bytes > discardMaxBytes) finish(tooLarge())
    }
    const onEnd = (): void => finish(bytes > maxBytes ? tooLarge() : undefined)
    const onBroken = (): void => finish(new Problem('invalid_request', 'The body broke off.'))
    stream.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
  })
}
