import { Problem } from '@maru/service-host'
import { headerOf, type EdgeRequest } from '../front/exchange.ts'
import type { HeaderText } from '../front/header-text.ts'

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

/** What the gateway says of every answer itself, whatever a service says. */
const fromGateway = new Set([
  'date',
  'x-request-id',
  'x-content-type-options',
  'x-frame-options',
  'referrer-policy',
  'content-security-policy',
  'ratelimit-policy',
  'ratelimit-limit',
  'ratelimit-remaining',
  'ratelimit-reset',
])
const gatewayPrefixes = ['access-control-']

const namesMax = 1_000

/** Remembers what is found of names. They come from outside, so only so many are remembered. */
function remembering<T>(find: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>()
  return (name) => {
    const before = known.get(name)
    if (before !== undefined) return before
    const found = find(name)
    if (known.size < namesMax) known.set(name, found)
    return found
  }
}

const isPassedOn = remembering(
  (name) => !hopByHop.has(name) && !fromPlatform.has(name) && !platformPrefixes.some((prefix) => name.startsWith(prefix)),
)

/**
 * Request headers for a service, but for those that are another with each request: its id, its trace, its deadline. Throws Problem `invalid_request` where there is
 * not exactly one Host.
 */
export function requestHeaders({ names, values }: Pick<EdgeRequest, 'names' | 'values'>, address: string): HeaderText {
  const named = namedByConnection(headerOf({ names, values }, 'connection'))
  let text = ''
  let hosts = 0
  let host = ''
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index]!
    if (name === 'host') {
      hosts += 1
      host = values[index]!
    } else if (isPassedOn(name) && !named?.has(name)) text += `${name}: ${values[index]!}\r\n`
  }
  if (hosts !== 1) throw new Problem('invalid_request', 'Send exactly one Host header.')
  return `${text}x-forwarded-for: ${address}\r\nx-forwarded-proto: http\r\nx-forwarded-host: ${host}\r\n`
}

/** What becomes of a header of an instance's answer. `cache`: it goes to the client, unless the gateway has said who may keep the answer. */
export type AnswerHeaderUse = 'passed' | 'dropped' | 'cache' | 'length' | 'coding' | 'connection' | 'retry'

/** By a name as it came, in capitals or not. */
export const useOfAnswerHeader: (name: string) => AnswerHeaderUse = remembering((given) => {
  const name = given.toLowerCase()
  if (name === 'content-length') return 'length'
  if (name === 'transfer-encoding') return 'coding'
  if (name === 'connection') return 'connection'
  if (name === 'cache-control') return 'cache'
  if (name === 'retry-after') return 'retry'
  const isDropped = hopByHop.has(name) || fromGateway.has(name) || gatewayPrefixes.some((prefix) => name.startsWith(prefix))
  return isDropped ? 'dropped' : 'passed'
})

/** Headers that an instance's answer has for its client. */
export interface AnswerLines {
  readonly passed: HeaderText
  /** Cache-Control, as a line; empty where there is none. */
  readonly cache: HeaderText
  readonly hasRetryAfter: boolean
}

/** Of names and values in a flat list. */
export function answerLines(flat: readonly string[]): AnswerLines {
  const connection = flat.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'connection')
  const named = namedByConnection(connection < 0 ? undefined : flat[connection + 1])
  let passed = ''
  let cache = ''
  let hasRetryAfter = false
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index]!
    const use = useOfAnswerHeader(name)
    if (named?.has(name.toLowerCase())) continue
    const line = `${name}: ${flat[index + 1]!}\r\n`
    if (use === 'passed' || use === 'retry') passed += line
    if (use === 'cache') cache += line
    if (use === 'retry') hasRetryAfter = true
  }
  return { passed, cache, hasRetryAfter }
}

function namedByConnection(value: string | undefined): Set<string> | undefined {
  if (value === undefined || value === 'keep-alive' || /^(?:keep-alive|close)$/i.test(value)) return undefined
  return new Set(value.split(',').map((part) => part.trim().toLowerCase()))
}
