import type { Problem } from '@maru/service-host'
import type { EdgeAnswer } from './front/exchange.ts'

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

export function answerJson(answer: EdgeAnswer, status: number, headers: readonly string[], value: unknown): void {
  answer.whole(status, [...headers, 'content-type', 'application/json; charset=utf-8', 'cache-control', 'no-store'], JSON.stringify(value))
}

export function answerProblem(answer: EdgeAnswer, problem: Problem, requestId: string, headers: readonly string[]): void {
  if (answer.isOver) answer.destroy()
  else
    answer.whole(
      problem.status,
      [...headers, ...Object.entries(problem.headers()).flat(), 'cache-control', 'no-store'],
      JSON.stringify(problem.body(requestId)),
    )
}
