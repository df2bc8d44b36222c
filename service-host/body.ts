import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { Problem } from './problem.ts'

/** Beyond this a sender is cut off instead of being read to the end of what it sends. */
const discardMaxBytes = 16 * 1_024 * 1_024

type Collected = (error: Problem | undefined, body?: Buffer) => void

/**
 * Reads a request body whole, at most `maxBytes`. A longer one is read on and thrown away (up to 16 MB), because an answer sent
 * while the client still writes would reach it as a reset; then Problem `payload_too_large`. A body that breaks off is
 * Problem `invalid_request`.
 */
export function readBody(stream: Readable, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    collectBody(stream, maxBytes, (error, body) => (error ? reject(error) : resolve(body as Buffer)))
  })
}

/** As `readBody`, with a callback, which spares a turn. It is called once, never before this returns. */
export function collectBody(stream: Readable & { headers?: IncomingHttpHeaders }, maxBytes: number, collected: Collected): void {
  // Of a body within the bound that says its length, the last byte is the end: most come as one chunk.
  const endBytes = declaredBytes(stream.headers, maxBytes)
  let first: Buffer | undefined
  let more: Buffer[] | undefined
  let bytes = 0
  // A request is read once, so the listeners go with it and are not taken off.
  let isFinished = false
  const finish = (error?: Problem): void => {
    if (isFinished) return
    isFinished = true
    if (error) collected(error)
    else if (more) collected(undefined, Buffer.concat(more, bytes))
    else collected(undefined, first ?? Buffer.alloc(0))
  }
  const tooLarge = () => new Problem('payload_too_large', `The body may have at most ${maxBytes} bytes.`)
  // Every request ends with `close`: an error, with its stack, is only made where it is one.
  const onBroken = (): void => {
    if (!isFinished) finish(new Problem('invalid_request', 'The body broke off.'))
  }
  stream.on('data', (chunk: Buffer) => {
    if (isFinished) return
    bytes += chunk.length
    if (bytes > maxBytes) {
      first = undefined
      more = undefined
      if (bytes > discardMaxBytes) finish(tooLarge())
      return
    }
    if (first === undefined) first = chunk
    else if (more) more.push(chunk)
    else more = [first, chunk]
    if (bytes === endBytes) finish()
  })
  if (endBytes === undefined) stream.on('end', () => finish(bytes > maxBytes ? tooLarge() : undefined))
  stream.on('error', onBroken).on('close', onBroken)
}

/** Length the sender has said, where it is between 1 byte and the bound; the HTTP parser holds the body to it. */
function declaredBytes(headers: IncomingHttpHeaders | undefined, maxBytes: number): number | undefined {
  if (headers?.['content-length'] === undefined || headers['transfer-encoding'] !== undefined) return undefined
  const length = Number(headers['content-length'])
  return length > 0 && length <= maxBytes ? length : undefined
}
