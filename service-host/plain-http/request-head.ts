/**
 * The head of a request in the plain form that nearly every request has: HTTP/1.1, a method of those below, a path in visible ASCII, headers of one line each,
 * at most one of a name, no transfer coding, nothing asked of the connection. What any server and proxy reads alike is read here; all else is for Node's own parser.
 */
export interface RequestHead {
  readonly method: string
  readonly target: string
  /** Names of headers in lower case, in the order in which they came. */
  readonly names: readonly string[]
  /** Values of `names`, without the white space around them. */
  readonly values: readonly string[]
  /** Bytes of the body that follows; 0 where none is announced. */
  readonly contentLength: number
  readonly hasContentLength: boolean
  /** Bytes of the head, the empty line included. */
  readonly bytes: number
}

const methods = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
export const headMaxBytes = 16 * 1_024
const headersMax = 48

/** What speaks of the connection, of how a body is framed, or asks for a reply before the request is whole: Node's parser sees to it. */
const beyondPlain = new Set([
  'transfer-encoding',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'http2-settings',
])

/** Names as they mostly come, so that no text is made for them. */
const lowerNames = new Map(
  [
    'Host',
    'Connection',
    'Content-Type',
    'Content-Length',
    'Authorization',
    'Accept',
    'Accept-Encoding',
    'Accept-Language',
    'User-Agent',
    'Origin',
    'Referer',
    'Cookie',
    'Cache-Control',
    'X-Request-Id',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'Sec-Fetch-Mode',
    'Traceparent',
    'Tracestate',
  ].flatMap((name) => [
    [name, name.toLowerCase()],
    [name.toLowerCase(), name.toLowerCase()],
  ]),
)

const [tokenCharacter, targetCharacter, valueCharacter] = [1, 2, 4]
/** What each byte may be part of. */
const classes = new Uint8Array(256)
for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
  classes[character.charCodeAt(0)]! |= tokenCharacter
for (let byte = 0x21; byte <= 0x7e; byte++) classes[byte]! |= targetCharacter | valueCharacter
classes[0x20]! |= valueCharacter
classes[0x09]! |= valueCharacter
// A fragment or a backslash in a target is read differently by different servers.
for (const character of '#\\') classes[character.charCodeAt(0)]! &= ~targetCharacter

const endOfHead = Buffer.from('\r\n\r\n')
const version = ' HTTP/1.1\r\n'

/** Reads a head from the start of `bytes`; undefined where it is not whole or not plain. */
export function readRequestHead(bytes: Buffer): RequestHead | undefined {
  const end = bytes.indexOf(endOfHead)
  if (end < 0 || end > headMaxBytes - 4) return undefined
  const text = bytes.toString('latin1', 0, end + 2)
  const methodEnd = text.indexOf(' ')
  const method = text.slice(0, methodEnd)
  if (!methods.has(method) || text.charCodeAt(methodEnd + 1) !== 0x2f) return undefined
  const targetEnd = endOfClass(text, methodEnd + 1, targetCharacter)
  if (!text.startsWith(version, targetEnd)) return undefined
  const names: string[] = []
  const values: string[] = []
  let contentLength = -1
  let hosts = 0
  for (let at = targetEnd + version.length; at < text.length;) {
    const nameEnd = endOfClass(text, at, tokenCharacter)
    if (nameEnd === at || text.charCodeAt(nameEnd) !== 0x3a) return undefined
    const lineEnd = endOfClass(text, nameEnd + 1, valueCharacter)
    if (text.charCodeAt(lineEnd) !== 0x0d || text.charCodeAt(lineEnd + 1) !== 0x0a) return undefined
    const given = text.slice(at, nameEnd)
    const name = lowerNames.get(given) ?? given.toLowerCase()
    const value = text.slice(afterSpace(text, nameEnd + 1, lineEnd), beforeSpace(text, nameEnd + 1, lineEnd))
    if (names.length === headersMax || names.includes(name) || beyondPlain.has(name)) return undefined
    if (name === 'host') hosts += 1
    else if (name === 'connection') {
      if (value.toLowerCase() !== 'keep-alive') return undefined
    } else if (name === 'content-length') {
      if (!/^(?:0|[1-9]\d{0,9})$/.test(value)) return undefined
      contentLength = Number(value)
    }
    names.push(name)
    values.push(value)
    at = lineEnd + 2
  }
  if (hosts !== 1) return undefined
  return {
    method,
    target: text.slice(methodEnd + 1, targetEnd),
    names,
    values,
    contentLength: Math.max(0, contentLength),
    hasContentLength: contentLength >= 0,
    bytes: end + 4,
  }
}

/** The first place from `at` on whose character is not of `wanted`; the length of the text where there is none. */
function endOfClass(text: string, at: number, wanted: number): number {
  while (at < text.length && (classes[text.charCodeAt(at)]! & wanted) !== 0) at += 1
  return at
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function afterSpace(text: string, from: number, to: number): number {
  while (from < to && isSpace(text.charCodeAt(from))) from += 1
  return from
}

function beforeSpace(text: string, from: number, to: number): number {
  while (to > from && isSpace(text.charCodeAt(to - 1))) to -= 1
  return to
}
