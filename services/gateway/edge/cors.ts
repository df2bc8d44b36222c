import type { IncomingHttpHeaders } from 'node:http'
import { headerText, type HeaderText } from '../front/header-text.ts'

const exposed =
  'X-Request-Id, Retry-After, Idempotent-Replayed, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Allow'
const methods = 'GET, POST, PUT, PATCH, DELETE'
const requestHeaders =
  'Authorization, Content-Type, X-Request-Id, X-Request-Timeout-Ms, Traceparent, Tracestate, Last-Event-Id, Maru-Key, Maru-Timestamp, Maru-Receive-Window, Maru-Signature'

/** Answers may come compressed or not. */
const varyByCoding = headerText(['vary', 'Accept-Encoding'])
const vary = headerText(['vary', 'Accept-Encoding, Origin'])
const allowed = headerText(['access-control-expose-headers', exposed]) + vary
const preflight = headerText([
  'access-control-allow-methods',
  methods,
  'access-control-allow-headers',
  requestHeaders,
  'access-control-max-age',
  '600',
])

/**
 * Cross-origin access by allow-list. Tokens travel in a header, never in cookies, so credentials are never allowed and
 * `Access-Control-Allow-Credentials` is never sent.
 */
export class Cors {
  readonly #origins: ReadonlySet<string>

  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins)
  }

  /** Headers for an answer to `origin`; only `Vary` where it is not on the list. */
  headers(origin: string | undefined): HeaderText {
    if (this.#origins.size === 0) return varyByCoding
    if (origin === undefined || !this.#origins.has(origin)) return vary
    return `access-control-allow-origin: ${origin}\r\n${allowed}`
  }

  isAllowed(origin: string): boolean {
    return this.#origins.has(origin)
  }

  preflightHeaders(): HeaderText {
    return preflight
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
