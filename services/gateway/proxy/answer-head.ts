import { headerColon, headerLineEnd, headerValue } from '@maru/service-host'
import { headerList } from '../front/header-text.ts'
import { answerLines, useOfAnswerHeader, type AnswerLines } from './headers.ts'

/** The head of an instance's answer. */
export interface AnswerHead extends AnswerLines {
  readonly status: number
  /** Bytes of the body; undefined where it comes in chunks. */
  readonly contentLength: number | undefined
  /** Whether the connection may be used again. */
  readonly staysOpen: boolean
  /** Bytes of the head, the empty line included. */
  readonly bytes: number
}

export const answerHeadMaxBytes = 32 * 1_024
const headersMax = 200
const endOfHead = Buffer.from('\r\n\r\n')

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
  const status = statusOf(text)
  const { length, coding, connection, passed, cache, hasRetryAfter } = readAnswerLines(text, text.indexOf('\r\n') + 2)
  const head = { status, contentLength: lengthOf(status, length, coding), bytes: end + 4 }
  if (connection === undefined || connection === 'keep-alive') return { ...head, staysOpen: true, passed, cache, hasRetryAfter }
  const staysOpen = connection.toLowerCase() === 'keep-alive'
  // It may name headers that are for this hop alone.
  return { ...head, staysOpen, ...answerLines(['connection', connection, ...headerList(passed + cache)]) }
}

/** What the headers of an answer say, to its client and of its framing. */
export interface ReadLines extends AnswerLines {
  readonly length: string | undefined
  readonly coding: string | undefined
  readonly connection: string | undefined
}

/** Reads the lines of headers in `text` from `at` on. Throws AnswerFault for what is none, and for what could be read in two ways. */
export function readAnswerLines(text: string, at = 0): ReadLines {
  let length: string | undefined
  let coding: string | undefined
  let connection: string | undefined
  let cache = ''
  let hasRetryAfter = false
  let passed = ''
  let lines = 0
  // Lines that stand together and are passed on are copied together.
  let passedFrom = at
  while (at < text.length) {
    const colon = headerColon(text, at)
    const lineEnd = colon < 0 ? -1 : headerLineEnd(text, colon)
    if (lineEnd < 0 || lines === headersMax) throw new AnswerFault('the answer has a header that is none')
    lines += 1
    const next = lineEnd + 2
    const use = useOfAnswerHeader(text.slice(at, colon))
    if (use === 'retry') hasRetryAfter = true
    else if (use !== 'passed') {
      if (passedFrom < at) passed += text.slice(passedFrom, at)
      passedFrom = next
      if (use === 'length') length = onlyOnce('content-length', length, headerValue(text, colon, lineEnd))
      else if (use === 'coding') coding = onlyOnce('transfer-encoding', coding, headerValue(text, colon, lineEnd))
      else if (use === 'cache') cache += text.slice(at, next)
      else if (use === 'connection') {
        const value = headerValue(text, colon, lineEnd)
        connection = connection === undefined ? value : `${connection}, ${value}`
      }
    }
    at = next
  }
  if (passedFrom < at) passed += text.slice(passedFrom, at)
  return { length, coding, connection, passed, cache, hasRetryAfter }
}

/** Of `HTTP/1.1 200 OK`: from 200 on, as nothing was asked that an earlier answer would go before. */
function statusOf(text: string): number {
  const status = digitAt(text, 9) * 100 + digitAt(text, 10) * 10 + digitAt(text, 11)
  if (!text.startsWith('HTTP/1.1 ') || text.charCodeAt(12) !== 0x20 || !(status >= 200 && status <= 599))
    throw new AnswerFault('the answer has no status line')
  return status
}

/** NaN where there is none. */
function digitAt(text: string, at: number): number {
  const digit = text.charCodeAt(at) - 0x30
  return digit >= 0 && digit <= 9 ? digit : Number.NaN
}

function onlyOnce(name: string, before: string | undefined, value: string): string {
  if (before !== undefined) throw new AnswerFault(`the answer has ${name} twice`)
  return value
}

function lengthOf(status: number, length: string | undefined, coding: string | undefined): number | undefined {
  if (status === 204 || status === 304) return 0
  if (coding !== undefined) {
    if (coding !== 'chunked' || length !== undefined) throw new AnswerFault('the answer is framed in two ways')
    return undefined
  }
  if (length === undefined || !/^\d{1,15}$/.test(length)) throw new AnswerFault('the answer does not say how long it is')
  return Number(length)
}
