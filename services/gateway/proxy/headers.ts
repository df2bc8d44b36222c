import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '@maru/service-host'
import { headerOf, type EdgeRequest } from '../front/exchange.ts'

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

const namesMax = 1_000
/** Whether a header is passed on, by its name; names come from outside, so only so many are remembered. */
const passed = new Map<string, boolean>()

function isPassed(name: string): boolean {
  const known = passed.get(name)
  if (known !== undefined) return known
  const passes = !hopByHop.has(name) && !fromPlatform.has(name) && !platformPrefixes.some((prefix) => name.startsWith(prefix))
  if (passed.size < namesMax) passed.set(name, passes)
  return passes
}

export interface Forwarded {
  address: string
  requestId: string
}

/** Request headers for a service, flat. Throws Problem `invalid_request` where there is not exactly one Host. */
export function requestHeaders({ names, values }: Pick<EdgeRequest, 'names' | 'values'>, forwarded: Forwarded): string[] {
  const named = namedByConnection(headerOf({ names, values }, 'connection'))
  const headers: string[] = []
  let hosts = 0
  let host = ''
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index]!
    if (name === 'host') {
      hosts += 1
      host = values[index]!
    } else if (isPassed(name) && !named?.has(name)) headers.push(name, values[index]!)
  }
  if (hosts !== 1) throw new Problem('invalid_request', 'Send exactly one Host header.')
  headers.push(
    'x-forwarded-for',
    forwarded.address,
    'x-forwarded-proto',
    'http',
    'x-forwarded-host',
    host,
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
    if (value === undefined || hopByHop.has(name) || own.has(name) || named?.has(name)) continue
    if (Array.isArray(value)) for (const one of value) answer.push(name, one)
    else answer.push(name, value)
  }
  return answer
}

function namedByConnection(value: string | undefined): Set<string> | undefined {
  if (value === undefined || /^(?:keep-alive|close)$/i.test(value)) return undefined
  return new Set(value.split(',').map((part) => part.trim().toLowerCase()))
}
