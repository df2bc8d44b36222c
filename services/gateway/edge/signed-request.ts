import { createHmac, timingSafeEqual } from 'node:crypto'
import { Problem } from '@maru/service-host'
import type { EdgeRequest } from '../front/exchange.ts'

/** How a request that is signed with an API key says so. The README has an example, docs/api-keys.md the whole. */
export interface SignedRequest {
  keyId: string
  timestampMs: number
  windowMs: number
  /** 32 bytes. */
  signature: Buffer
  /** What was signed, up to the body. */
  head: string
}

const [keyHeader, timestampHeader, windowHeader, signatureHeader] = [
  'maru-key',
  'maru-timestamp',
  'maru-receive-window',
  'maru-signature',
] as const
const defaultWindow = '5000'
const windowMaxMs = 60_000
/** How far the clock of a client may run ahead. */
const aheadMaxMs = 1_000

/** What a request says of its signature; undefined where it has none. Throws Problem `invalid_request` or `invalid_signature` where it could be read in two ways, or not at all. */
export function readSignature(request: EdgeRequest): SignedRequest | undefined {
  const { names, values } = request
  const at = names.indexOf(keyHeader)
  if (at < 0) {
    if (names.includes(signatureHeader)) throw new Problem('invalid_signature', 'A signature comes with Maru-Key and Maru-Timestamp.')
    return undefined
  }
  if (names.includes('authorization'))
    throw new Problem('invalid_request', 'Send an access token or a signature, not both.', {
      errors: [{ path: 'Authorization', message: 'comes with Maru-Key' }],
    })
  const keyId = only(request, keyHeader)
  const timestamp = only(request, timestampHeader)
  const window = names.includes(windowHeader) ? only(request, windowHeader) : defaultWindow
  const signature = only(request, signatureHeader)
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(values[at]!)) throw malformed('Maru-Key must be the id of a key')
  if (!/^\d{13}$/.test(timestamp)) throw malformed('Maru-Timestamp must be milliseconds since 1970')
  if (!/^[1-9]\d{0,4}$/.test(window) || Number(window) > windowMaxMs)
    throw malformed(`Maru-Receive-Window must be 1 to ${windowMaxMs} milliseconds`)
  if (!/^[0-9a-fA-F]{64}$/.test(signature)) throw malformed('Maru-Signature must be 64 hexadecimal digits')
  return {
    keyId,
    timestampMs: Number(timestamp),
    windowMs: Number(window),
    signature: Buffer.from(signature, 'hex'),
    head: `${timestamp}\n${window}\n${request.method}\n${request.target}\n`,
  }
}

/** Throws Problem `timestamp_outside_window`. */
export function expectInTime({ timestampMs, windowMs }: SignedRequest, nowMs: number): void {
  if (timestampMs <= nowMs + aheadMaxMs && nowMs - timestampMs <= windowMs) return
  throw new Problem('timestamp_outside_window', undefined, { extensions: { server_time_ms: nowMs } })
}

/** Whether the signature is that of the request with this body: HMAC-SHA256 over its head and the bytes of the body. */
export function isSignedBy(secret: string, { head, signature }: SignedRequest, body: Buffer | null): boolean {
  const hmac = createHmac('sha256', secret).update(head)
  if (body) hmac.update(body)
  return timingSafeEqual(hmac.digest(), signature)
}

function only({ names, values }: EdgeRequest, name: string): string {
  const at = names.indexOf(name)
  if (at < 0 || names.lastIndexOf(name) !== at) throw malformed(`Send ${name} exactly once`)
  return values[at]!
}

function malformed(detail: string): Problem {
  return new Problem('invalid_signature', `${detail}.`)
}
