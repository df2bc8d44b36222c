import { createHmac } from 'node:crypto'

export interface SigningOptions {
  timestampMs?: number
  windowMs?: number
  /** Signed in place of what is sent. */
  signedTarget?: string
  signedBody?: string
}

/** Headers of a signed request, as a bot makes them (docs/api-keys.md). */
export function sign(key: { id: string; secret: string }, method: string, target: string, body = '', options: SigningOptions = {}) {
  const timestamp = String(options.timestampMs ?? Date.now())
  const text = `${timestamp}\n${options.windowMs ?? 5_000}\n${method}\n${options.signedTarget ?? target}\n${options.signedBody ?? body}`
  return {
    'maru-key': key.id,
    'maru-timestamp': timestamp,
    ...(options.windowMs === undefined ? {} : { 'maru-receive-window': String(options.windowMs) }),
    'maru-signature': createHmac('sha256', key.secret).update(text).digest('hex'),
  }
}
