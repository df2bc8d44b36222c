import type { ServerResponse } from 'node:http'
import type { Problem } from '@maru/service-host'

/** For answers that are data: no page may be made of them. */
export const securityHeaders: readonly string[] = [
  'x-content-type-options',
  'nosniff',
  'x-frame-options',
  'DENY',
  'referrer-policy',
  'no-referrer',
  'content-security-policy',
  "default-src 'none'; frame-ancestors 'none'",
]

/** For the pages of the gateway itself: scripts and styles of its own only. */
export const pageSecurityHeaders: readonly string[] = [
  'x-content-type-options',
  'nosniff',
  'x-frame-options',
  'DENY',
  'referrer-policy',
  'no-referrer',
  'content-security-policy',
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
]

/** Sends a whole answer. `headers` are flat. */
export function answer(response: ServerResponse, status: number, headers: readonly string[], body: string | Buffer, isHead = false): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  response.writeHead(status, [...headers, 'content-length', String(Buffer.byteLength(body))])
  response.end(isHead ? undefined : body)
}

export function answerJson(response: ServerResponse, status: number, headers: readonly string[], value: unknown, isHead = false): void {
  answer(
    response,
    status,
    [...headers, 'content-type', 'application/json; charset=utf-8', 'cache-control', 'no-store'],
    JSON.stringify(value),
    isHead,
  )
}

export function answerProblem(
  response: ServerResponse,
  problem: Problem,
  requestId: string,
  headers: readonly string[],
  isHead = false,
): void {
  answer(
    response,
    problem.status,
    [...headers, ...Object.entries(problem.headers()).flat(), 'cache-control', 'no-store'],
    JSON.stringify(problem.body(requestId)),
    isHead,
  )
}
