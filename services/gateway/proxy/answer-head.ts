import { readHeaderLines } from '@maru/service-host'

/** The head of an instance's answer. */
export interface AnswerHead {
  readonly status: number
  /** Names in lower case, each with its value; flat. */
  readonly headers: string[]
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
  const names: string[] = []
  const values: string[] = []
  if (!readHeaderLines(text, text.indexOf('\r\n') + 2, names, values, headersMax, true))
    throw new AnswerFault('the answer has a header that is none')
  const headers: string[] = []
  let length: string | undefined
  let coding: string | undefined
  let staysOpen = true
  for (let at = 0; at < names.length; at++) {
    const name = names[at]!
    const value = values[at]!
    headers.push(name, value)
    if (name === 'content-length') length = onlyOnce(name, length, value)
    else if (name === 'transfer-encoding') coding = onlyOnce(name, coding, value)
    else if (name === 'connection' && value.toLowerCase() !== 'keep-alive') staysOpen = false
  }
  return { status, headers, contentLength: lengthOf(status, length, coding), staysOpen, bytes: end + 4 }
}

/** Of `HTTP/1.1 200 OK`: from 200 on, as nothing was asked that an earlier answer would go before. */
function statusOf(text: string): number {
  const status = Number(text.slice(9, 12))
  if (!text.startsWith('HTTP/1.1 ') || text[12] !== ' ' || !(status >= 200 && status <= 599))
    throw new AnswerFault('the answer has no status line')
  return status
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
