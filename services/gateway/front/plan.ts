import type { Endpoint } from '@maru/contracts'
import { acceptsStream } from '@maru/service-host'
import type { AccessRules } from '../edge/access.ts'
import { parseTarget, type ServiceTarget, type Target } from '../edge/target.ts'
import { requestHeaders } from '../proxy/headers.ts'
import { codingFor } from './compression.ts'
import { headerOf, type EdgeRequest } from './exchange.ts'
import type { HeaderText } from './header-text.ts'

/** What the head of a request comes to, whoever sends it and whenever: the same for every request with the same head from the same address. */
export interface Plan {
  target: Target
  /** Undefined for the gateway itself. */
  destination: ServiceTarget | undefined
  endpoint: Endpoint | undefined
  /** At the service, with its query. */
  path: string
  /** As `requestHeaders`. */
  lines: HeaderText
  origin: string | undefined
  isPreflight: boolean
  isStream: boolean
  /** What its answer may be compressed by. */
  coding: string | undefined
  /** X-Request-Timeout-Ms, as it came. */
  timeout: string | undefined
}

/** Throws Problem `invalid_request`, `uri_too_long`, or what `destinationOf` throws. */
export function planOf(
  request: EdgeRequest,
  address: string,
  access: AccessRules,
  destinationOf: (target: Target) => ServiceTarget | undefined,
): Plan {
  const target = parseTarget(request.target)
  const lines = requestHeaders(request, address)
  const origin = headerOf(request, 'origin')
  const isPreflight =
    request.method === 'OPTIONS' && origin !== undefined && headerOf(request, 'access-control-request-method') !== undefined
  const isStream = acceptsStream(headerOf(request, 'accept'))
  const destination = isPreflight ? undefined : destinationOf(target)
  return {
    target,
    destination,
    endpoint: destination && access.find(destination.service, request.method, destination.path),
    path: destination ? `${destination.path}${target.query}` : '',
    lines,
    origin,
    isPreflight,
    isStream,
    coding: request.method === 'GET' && !isStream ? codingFor(headerOf(request, 'accept-encoding')) : undefined,
    timeout: headerOf(request, 'x-request-timeout-ms'),
  }
}
