import { readHeaderLines } from '../plain-http/header-lines.ts'
import { isBeyondPlain, readHeadText } from '../plain-http/request-head.ts'

/** The head of a request on a trunk: as plain as one by HTTP, with nothing in it of how its body is framed. */
export interface TrunkHead {
  readonly method: string
  readonly target: string
  /** Names of headers in lower case; `values` are theirs. */
  readonly names: readonly string[]
  readonly values: readonly string[]
}

const framing = 'content-length'
const ownHeadersMax = 16

/** Of a request line and lines of headers; undefined where it is not plain. */
export function readTrunkHead(text: string): TrunkHead | undefined {
  const head = readHeadText(text, 0)
  return head === undefined || head.hasContentLength ? undefined : head
}

/** The same head with more lines of headers; undefined where they are not plain, or say again what it says. */
export function withLines(head: TrunkHead, text: string): TrunkHead | undefined {
  if (text === '') return head
  const names = [...head.names]
  const values = [...head.values]
  const before = names.length
  if (!readHeaderLines(text, 0, names, values, before + ownHeadersMax)) return undefined
  for (let at = before; at < names.length; at++) {
    const name = names[at]!
    if (name === framing || name === 'connection' || isBeyondPlain(name) || names.indexOf(name) !== at) return undefined
  }
  return { method: head.method, target: head.target, names, values }
}
