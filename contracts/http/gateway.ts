import { Type } from '../type.ts'
import type { Endpoint } from '../endpoint.ts'
import { ListOf, Timestamp } from '../schemas.ts'

/** What the gateway itself answers; everything under `/api/<service>` belongs to the services. */

const InstanceLoad = Type.Object({
  in_flight: Type.Integer({ description: 'Requests begun and not yet answered.' }),
  streams: Type.Integer({ description: 'Open sockets and event streams.' }),
  event_loop_utilization: Type.Number({ minimum: 0, maximum: 1, description: 'Share of the time in which it had work.' }),
  event_loop_delay_ms: Type.Number({ description: 'Longest that it was held up since it renewed its lease before.' }),
})

export const InstanceStatus = Type.Object(
  {
    service: Type.String(),
    id: Type.String(),
    pid: Type.Integer(),
    url: Type.String({ description: 'Where the gateway reaches it; loopback on one machine.' }),
    version: Type.String(),
    state: Type.Union([Type.Literal('starting'), Type.Literal('ready'), Type.Literal('draining')]),
    started_at: Timestamp,
    ready_at: Type.Union([Timestamp, Type.Null()], { description: 'Since when it is ready; null while it is not.' }),
    capabilities: Type.Array(Type.String(), { description: 'What it can do, such as `websocket` or `rules:3`.' }),
    load: Type.Union([InstanceLoad, Type.Null()], {
      description: 'As it said itself less than two seconds ago; null where it has not said.',
    }),
    circuit: Type.Union([Type.Literal('closed'), Type.Literal('half_open'), Type.Literal('open')], {
      description: 'Whether this gateway sends it requests: not while open, one at a time while half open.',
    }),
  },
  { description: 'One running instance of a service.' },
)

const Status = Type.Object({ status: Type.String() })
const Readiness = Type.Object({
  status: Type.String(),
  instance: Type.Optional(Type.Object({}, { additionalProperties: true, description: 'What the instance that answers is, and how busy.' })),
})

export type GatewayEndpoint = Omit<Endpoint, 'service'> & { readonly service: 'gateway' }

export const gatewayEndpoints = {
  live: {
    service: 'gateway',
    method: 'GET',
    path: '/health/live',
    access: 'public',
    summary: 'Whether the gateway runs',
    status: 200,
    reply: Status,
  },
  ready: {
    service: 'gateway',
    method: 'GET',
    path: '/health/ready',
    access: 'public',
    summary: 'Whether every service takes requests',
    description:
      '200 once each service has a ready instance; until then 503 `unavailable`, whose `waiting_for` names the services that are missing.',
    status: 200,
    reply: Readiness,
    errors: ['unavailable'],
  },
  services: {
    service: 'gateway',
    method: 'GET',
    path: '/health/services',
    access: 'public',
    summary: 'Every running instance of every service',
    status: 200,
    reply: ListOf(InstanceStatus),
  },
  openapi: {
    service: 'gateway',
    method: 'GET',
    path: '/api/openapi.json',
    access: 'public',
    summary: 'This document',
    status: 200,
    reply: Type.Object({}, { additionalProperties: true }),
  },
  keys: {
    service: 'gateway',
    method: 'GET',
    path: '/.well-known/jwks.json',
    access: 'public',
    summary: 'The public keys that sign access tokens',
    status: 200,
    reply: Type.Object({ keys: Type.Array(Type.Object({ kid: Type.String() }, { additionalProperties: true })) }),
  },
} as const satisfies Record<string, GatewayEndpoint>
