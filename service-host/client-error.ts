import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { randomUUID } from 'node:crypto'
import type { ErrorCode } from '@maru/contracts'
import { Problem } from './problem.ts'

/** A whole HTTP answer, for connections that have no response object: broken requests and refused upgrades. */
export function rawProblem(problem: Problem, requestId: string, headers: Record<string, string> = {}): string {
  const body = JSON.stringify(problem.body(requestId))
  const all = {
    ...problem.headers(),
    ...headers,
    'x-request-id': requestId,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

const codes: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'payload_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** Answers what Node's parser refused (`clientError` of a server) with a problem, and closes the connection. */
export function answerClientError(error: Error & { code?: string }, socket: Duplex, headers: Record<string, string> = {}): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const code = codes[error.code ?? ''] ?? 'invalid_request'
  const detail = code === 'invalid_request' ? 'The request is not valid HTTP/1.1.' : undefined
  socket.end(rawProblem(new Problem(code, detail), randomUUID(), headers))
  // Whoever does not read the answer must not keep the connection.
  setTimeout(() => socket.destroy(), 1_000).unref()
}
