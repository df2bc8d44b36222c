import type { Endpoint } from '@maru/contracts'
import { isThenable, type Call } from '../calls.ts'
import { Problem } from '../problem.ts'
import type { TraceSpan, Tracing } from './tracing.ts'

type AnyHandler = (call: Call<Endpoint>) => unknown

/** The handler of an endpoint, whose requests are spans of their traces. */
export function traceHandler(tracing: Tracing, endpoint: Endpoint, handler: AnyHandler): AnyHandler {
  const { method, path } = endpoint
  return (call) => {
    const parent = call.request.headers['traceparent']
    const span = tracing.start(`${method} ${path}`, {
      kind: 'server',
      parent: typeof parent === 'string' ? parent : undefined,
      attributes: { 'http.request.method': method, 'http.route': path, 'maru.request_id': call.requestId },
    })
    if (!span) return handler(call)
    try {
      const answer = tracing.within(span, () => handler(call))
      if (!isThenable(answer)) {
        span.end()
        return answer
      }
      return Promise.resolve(answer).then(
        (value) => {
          span.end()
          return value
        },
        (error: unknown) => {
          failSpan(span, error)
          throw error
        },
      )
    } catch (error) {
      failSpan(span, error)
      throw error
    }
  }
}

/** Ends a span with what was thrown. A refusal is an answer like any other; a fault of ours is a fault of the span. */
export function failSpan(span: TraceSpan, error: unknown): void {
  const code = error instanceof Problem ? error.code : 'internal'
  const status = error instanceof Problem ? error.status : 500
  span.set('error.type', code)
  span.set('http.response.status_code', status)
  span.end(status >= 500 ? code : undefined)
}
