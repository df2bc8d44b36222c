import type { IncomingHttpHeaders } from 'node:http'

/** The head of an instance's answer. */
export interface AnswerHead {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Bytes of the body; undefined where it comes in chunks. */
  readonly contentLength: number | undefined
  /** Whether the connection may be used again. */
  readonly staysOpen: boolean
  /** Bytes of the head, the empty line included. */
  readonly bytes: number
}

export const answerHeadMaxBytes = 32 * 1_024
const endOfHead = Buffer.from('\r\n\r\n')
const line = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*\r\n/y

/** An instance answered with what is no answer. */
export class AnswerFault extends Error {
  override name = 'AnswerFault'
}

/** Reads the head of an answer from the start of `bytes`; undefined where it is not whole. Throws AnswerFault for what could be read in two ways. */
export function readAnswerHead(bytes: Buffer): AnswerHead | undefined {
  const end = bytes.indexOf(endOfHead)
  if (end < 0) {
    if (bytes.length > answerHeadMaxBytes) throw new AnswerFault('the head of the answer does not end')
    return undefined
  }
  const text = bytes.toString('latin1', 0, end + 2)
  const status = Number(/^HTTP\/1\.1 ([2-5]\d\d) [^\r\n]*\r\n/.exec(text)?.[1])
  if (Number.isNaN(status)) throw new AnswerFault('the answer has no status line')
  const headers: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>
  line.lastIndex = text.indexOf('\r\n') + 2
  while (line.lastIndex < text.length) {
    const found = line.exec(text)
    if (!found) throw new AnswerFault('the answer has a header that is none')
    const name = found[1]!.toLowerCase()
    const value = found[2]!
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else if (name === 'content-length' || name === 'transfer-encoding') throw new AnswerFault(`the answer has ${name} twice`)
    else headers[name] = typeof before === 'string' ? [before, value] : [...before, value]
  }
  return { status, headers, contentLength: lengthOf(status, headers), staysOpen: headers['connection'] !== 'close', bytes: end + 4 }
}

function lengthOf(status: number, headers: IncomingHttpHeaders): number | undefined {
  const { 'content-length': length, 'transfer-encoding': coding } = headers
  if (status === 204 || status === 304) return 0
  if (coding !== undefined) {
    if (coding !== 'chunked' || length !== undefined) throw new AnswerFault('the answer is framed in two ways')
    return undefined
  }
  if (length === undefined || !/^\d{1,15}$/.test(length)) throw new AnswerFault('the answer does not say how long it is')
  return Number(length)
}
