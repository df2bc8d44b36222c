import type { Problem } from '@maru/service-host'
import type { EdgeAnswer } from './front/exchange.ts'
import { headerText, type HeaderText } from './front/header-text.ts'

/** For answers that are data: no page may be made of them. */
export const securityHeaders: HeaderText = headerText([
  'x-content-type-options',
  'nosniff',
  'x-frame-options',
  'DENY',
  'referrer-policy',
  'no-referrer',
  'content-security-policy',
  "default-src 'none'; frame-ancestors 'none'",
])

/** For the pages of the gateway itself: scripts and styles of its own only. */
export const pageSecurityHeaders: HeaderText = headerText([
  'x-content-type-options',
  'nosniff',
  'x-frame-options',
  'DENY',
  'referrer-policy',
  'no-referrer',
  'content-security-policy',
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
])

export function answerJson(answer: EdgeAnswer, status: number, headers: HeaderText, value: unknown): void {
  answer.whole(status, `${headers}content-type: application/json; charset=utf-8\r\ncache-control: no-store\r\n`, JSON.stringify(value))
}

export function answerProblem(answer: EdgeAnswer, problem: Problem, requestId: string, headers: HeaderText): void {
  if (answer.isOver) answer.destroy()
  else
    answer.whole(
      problem.status,
      `${headers}${headerText(Object.entries(problem.headers()).flat())}cache-control: no-store\r\n`,
      JSON.stringify(problem.body(requestId)),
    )
}
