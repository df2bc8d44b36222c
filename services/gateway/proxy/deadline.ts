import { Problem } from '@maru/service-host'

/**
 * How long a client waits for its answer to begin, from `X-Request-Timeout-Ms`: monotonic milliseconds, no later than `maxMs` from now; undefined where it
 * does not say. Throws Problem `invalid_request` for what is no positive whole number.
 */
export function clientDeadline(header: string | undefined, maxMs: number): number | undefined {
  if (header === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(header)) {
    const message = 'must be a whole number of milliseconds, 1 or more'
    throw new Problem('invalid_request', `X-Request-Timeout-Ms ${message}.`, {
      errors: [{ path: 'header.x-request-timeout-ms', message }],
    })
  }
  return performance.now() + Math.min(Number(header), maxMs)
}
