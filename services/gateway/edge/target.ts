import { Problem } from '@maru/service-host'

export interface Target {
  /** `/` and what follows, up to the query; still percent-encoded. */
  path: string
  /** With its question mark; empty where there is none. */
  query: string
}

export interface ServiceTarget {
  service: string
  /** Within the service, still percent-encoded, so that `BTC%2FUSDT` stays one segment. */
  path: string
}

const targetMaxCharacters = 8 * 1_024

/** Splits a request target. Throws Problem for the forms that a proxy must not guess about. */
export function parseTarget(url: string | undefined): Target {
  if (url === undefined || !url.startsWith('/')) throw new Problem('invalid_request', 'The request target must be a path.')
  if (url.length > targetMaxCharacters) throw new Problem('uri_too_long')
  if (url.includes('%00')) {
    const message = 'NUL characters are not accepted.'
    throw new Problem('invalid_request', message, { errors: [{ path: 'path', message }] })
  }
  const mark = url.indexOf('?')
  const path = mark === -1 ? url : url.slice(0, mark)
  // Dot segments could climb out of the service, whoever resolves them.
  if (/\/(?:\.|%2e){1,2}(?:\/|$)/i.test(path)) throw new Problem('invalid_request', 'Dot segments are not accepted.')
  if (path.includes('#') || path.includes('\\')) throw new Problem('invalid_request', 'The path has characters that must be encoded.')
  return { path, query: mark === -1 ? '' : url.slice(mark) }
}

/** `/api/trading/orders/1` → service `trading`, path `/orders/1`. */
export function serviceTarget(path: string, services: ReadonlySet<string>): ServiceTarget | undefined {
  if (!path.startsWith('/api/')) return undefined
  const end = path.indexOf('/', 5)
  const service = end === -1 ? path.slice(5) : path.slice(5, end)
  if (!services.has(service)) return undefined
  return { service, path: end === -1 ? '/' : path.slice(end) }
}

/** What services show to the platform alone, however it is spelt. */
export function isInternal(path: string): boolean {
  let from = 0
  while (path.charCodeAt(from) === 0x2f) from += 1
  const end = path.indexOf('/', from)
  const first = end === -1 ? path.slice(from) : path.slice(from, end)
  if (!first.includes('%')) return isInternalName(first)
  try {
    return isInternalName(decodeURIComponent(first))
  } catch {
    // A broken escape reaches no route of a service.
    return false
  }
}

function isInternalName(name: string): boolean {
  return name.length >= 6 && name.length <= 8 && /^(?:health|metrics|internal)$/i.test(name)
}
