import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Problem } from '@maru/service-host'

/** Headers of one hop (RFC 9110, 7.6.1), which are never passed on; bodies are framed anew. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'expect',
])

/** What only the platform may say of a request: from outside it is dropped. */
const fromPlatform = new Set(['host', 'forwarded', 'x-real-ip', 'x-request-id', 'x-user-id', 'x-user', 'x-roles', 'x-user-roles'])
const platformPrefixes = ['x-forwarded-', 'x-maru-', 'x-auth-']

export interface Forwarded {
  address: string
  requestId: string
}

/** Request headers for a service, flat. Throws Problem `invalid_request` where there is not exactly one Host. */
export function requestHeaders(request: IncomingMessage, forwarded: Forwarded): string[] {
  const named = namedByConnection(request.headers.connection)
  const headers: string[] = []
  const { rawHeaders } = request
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase()
    if (name === 'host') hosts += 1
    if (hopByHop.has(name) || fromPlatform.has(name) || named?.has(name) || platformPrefixes.some((prefix) => name.startsWith(prefix)))
      continue
    headers.push(name, rawHeaders[index + 1] as string)
  }
  if (hosts !== 1) throw new Problem('invalid_request', 'Send exactly one Host header.')
  headers.push(
    'x-forwarded-for',
    forwarded.address,
    'x-forwarded-proto',
    'http',
    'x-forwarded-host',
    request.headers.host ?? '',
    'x-request-id',
    forwarded.requestId,
  )
  return headers
}

/** Answer headers for the client, appended flat to `base`; those in `base` win. */
export function answerHeaders(headers: IncomingHttpHeaders, base: readonly string[]): string[] {
  const answer = [...base]
  const own = new Set<string>()
  for (let index = 0; index < base.length; index += 2) own.add(base[index] as string)
  const named = namedByConnection(headers.connection)
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || (hopByHop.has(name) && name !== 'content-length') || own.has(name) || named?.has(name)) continue
    if (Array.isArray(value)) for (const one of value) answer.push(name, one)
    else answer.push(name, value)
  }
  return answer
}

function namedByConnection(value: string | undefined): Set<string> | undefined {
  if (value === undefined || /^(?:keep-alive|close)$/i.test(value)) return undefined
  return new Set(value.split(',').map((part) => part.trim().toLowerCase()))
}
