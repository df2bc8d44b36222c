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
const fromPlatform = new Set([
  'host',
  'traceparent',
  'tracestate',
  'forwarded',
  'x-real-ip',
  'x-request-id',
  'x-user-id',
  'x-user',
  'x-roles',
  'x-user-roles',
])
/** `maru-`: signatures, which are verified at the edge. */
const platformPrefixes = ['x-forwarded-', 'x-maru-', 'x-auth-', 'maru-']

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

/** Answer headers for the client, those of the service appended to `base`; all flat. Those in `base` win. */
export function answerHeaders(headers: readonly string[], base: readonly string[]): string[] {
  const answer = base.slice()
  const named = namedByConnection(valueOf(headers, 'connection'))
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!
    if (hopByHop.has(name) || named?.has(name) || valueOf(base, name) !== undefined) continue
    answer.push(name, headers[index + 1]!)
  }
  return answer
}

function valueOf(flat: readonly string[], name: string): string | undefined {
  for (let index = 0; index < flat.length; index += 2) if (flat[index] === name) return flat[index + 1]
  return undefined
}

function namedByConnection(value: string | undefined): Set<string> | undefined {
  if (value === undefined || value === 'keep-alive' || /^(?:keep-alive|close)$/i.test(value)) return undefined
  return new Set(value.split(',').map((part) => part.trim().toLowerCase()))
}
