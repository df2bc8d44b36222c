import { randomHex } from '@maru/service-host'
import type { EdgeRequest } from '../front/exchange.ts'
import { headerOf } from '../front/exchange.ts'
import type { HeaderText } from '../front/header-text.ts'

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const noTrace = '0'.repeat(32)
const noParent = '0'.repeat(16)
const stateMaxCharacters = 512

/**
 * The W3C trace context with which a request goes on: that of the client where it is valid, else a new one. A version to come is read as the standard says and goes
 * on as version 00. `tracestate` belongs to a valid `traceparent` alone. `own`: the span of the gateway that stands in for the client's, where there is one.
 */
export function traceContext(request: Pick<EdgeRequest, 'names' | 'values'>, own?: string): HeaderText {
  const given = headerOf(request, 'traceparent')
  if (given === undefined) return `traceparent: ${own ?? newTraceparent()}\r\n`
  const [, version, trace, parent, flags, rest] = form.exec(given) ?? []
  const isValid =
    version !== undefined && version !== 'ff' && trace !== noTrace && parent !== noParent && (version !== '00' || rest === undefined)
  const isOnly = request.names.indexOf('traceparent') === request.names.lastIndexOf('traceparent')
  if (!isValid || !isOnly) return `traceparent: ${own ?? newTraceparent()}\r\n`
  const state = request.values.filter((_, index) => request.names[index] === 'tracestate').join(',')
  const stateLine = state !== '' && state.length <= stateMaxCharacters ? `tracestate: ${state}\r\n` : ''
  return `traceparent: ${own ?? `00-${trace}-${parent}-${flags}`}\r\n${stateLine}`
}

/** Not sampled: nobody has asked for a record of it. */
function newTraceparent(): string {
  return `00-${randomHex(32)}-${randomHex(16)}-00`
}
