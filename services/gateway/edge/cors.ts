import type { IncomingHttpHeaders } from 'node:http'

const exposed =
  'X-Request-Id, Retry-After, Idempotent-Replayed, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Allow'
const methods = 'GET, POST, PUT, PATCH, DELETE'
const requestHeaders =
  'Authorization, Content-Type, X-Request-Id, X-Request-Timeout-Ms, Traceparent, Tracestate, Last-Event-Id, Maru-Key, Maru-Timestamp, Maru-Receive-Window, Maru-Signature'

/**
 * Cross-origin access by allow-list. Tokens travel in a header, never in cookies, so credentials are never allowed and
 * `Access-Control-Allow-Credentials` is never sent.
 */
export class Cors {
  readonly #origins: ReadonlySet<string>

  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins)
  }

  /** Headers for an answer to `origin`, flat; only `Vary` where it is not on the list. */
  headers(origin: string | undefined): string[] {
    if (this.#origins.size === 0) return []
    if (origin === undefined || !this.#origins.has(origin)) return ['vary', 'Origin']
    return ['access-control-allow-origin', origin, 'access-control-expose-headers', exposed, 'vary', 'Origin']
  }

  isAllowed(origin: string): boolean {
    return this.#origins.has(origin)
  }

  preflightHeaders(): string[] {
    return ['access-control-allow-methods', methods, 'access-control-allow-headers', requestHeaders, 'access-control-max-age', '600']
  }

  /** A page may open a socket from its own origin, or from one on the list; who sends no origin is no browser. */
  allowsSocket(headers: IncomingHttpHeaders): boolean {
    const { origin, host } = headers
    if (origin === undefined || this.#origins.has(origin)) return true
    try {
      return new URL(origin).host === host
    } catch {
      return false
    }
  }
}
