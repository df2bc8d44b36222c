import { endOfClass, readHeaderLines, targetCharacter } from './header-lines.ts'

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

const endOfHead = Buffer.from('\r\n\r\n')
const version = ' HTTP/1.1\r\n'

/** Whether a header is for Node's parser to see to. `name` in lower case. */
export function isBeyondPlain(name: string): boolean {
  return beyondPlain.has(name)
}

/** Reads a head from the start of `bytes`; undefined where it is not whole or not plain. */
export function readRequestHead(bytes: Buffer): RequestHead | undefined {
  const end = bytes.indexOf(endOfHead)
  if (end < 0 || end > headMaxBytes - 4) return undefined
  return readHeadText(bytes.toString('latin1', 0, end + 2), end + 4)
}

/** As `readRequestHead`, of the text of a head without its empty line; `bytes`: what it counts with that. */
export function readHeadText(text: string, bytes: number): RequestHead | undefined {
  const methodEnd = text.indexOf(' ')
  const method = text.slice(0, methodEnd)
  if (!methods.has(method) || text.charCodeAt(methodEnd + 1) !== 0x2f) return undefined
  const targetEnd = endOfClass(text, methodEnd + 1, targetCharacter)
  if (!text.startsWith(version, targetEnd)) return undefined
  const names: string[] = []
  const values: string[] = []
  let contentLength = -1
  let hosts = 0
  if (!readHeaderLines(text, targetEnd + version.length, names, values, headersMax)) return undefined
  for (let at = 0; at < names.length; at++) {
    const name = names[at]!
    if (isBeyondPlain(name) || names.indexOf(name) !== at) return undefined
    const value = values[at]!
    if (name === 'host') hosts += 1
    else if (name === 'connection') {
      if (value !== 'keep-alive' && value.toLowerCase() !== 'keep-alive') return undefined
    } else if (name === 'content-length') {
      if (!/^(?:0|[1-9]\d{0,9})$/.test(value)) return undefined
      contentLength = Number(value)
    }
  }
  if (hosts !== 1) return undefined
  return {
    method,
    target: text.slice(methodEnd + 1, targetEnd),
    names,
    values,
    contentLength: Math.max(0, contentLength),
    hasContentLength: contentLength >= 0,
    bytes,
  }
}
