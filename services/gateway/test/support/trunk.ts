import type { Socket } from 'node:net'
import Type from 'typebox'
import { endpoint } from '@maru/contracts'
import { Problem, type HttpService } from '@maru/service-host'
import { until, type Hosted, type Rig } from './rig.ts'

/** A service that the gateway reaches by a trunk, and its contracts. */

export const anything = Type.Record(Type.String(), Type.Unknown())
export const shared = { service: 'market-data', access: 'public', summary: '', status: 200 } as const
const post = endpoint({
  ...shared,
  method: 'POST',
  path: '/echo/:what',
  params: Type.Object({ what: Type.String() }),
  body: anything,
  reply: anything,
})
export const get = endpoint({
  ...shared,
  method: 'GET',
  path: '/echo',
  query: Type.Object({ x: Type.Optional(Type.String()) }),
  reply: anything,
})
const mine = endpoint({ ...shared, method: 'GET', path: '/mine', access: 'user', reply: anything })
const large = endpoint({ ...shared, method: 'GET', path: '/large', reply: Type.Object({ text: Type.String() }) })
const fault = endpoint({ ...shared, method: 'GET', path: '/fault', reply: anything })

export const text = 'x'.repeat(300_000)
/** Requests that were echoed. */
export const reached = { count: 0 }

/** What is said of a request, but for what differs between HTTP and a trunk, and between two requests. */
function echoOf(call: { request: { headers: Record<string, unknown> } }): Record<string, unknown> {
  reached.count += 1
  const headers = Object.entries(call.request.headers).filter(
    ([name]) => !['host', 'connection', 'content-length', 'traceparent'].includes(name),
  )
  return Object.fromEntries(headers.sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function define(http: HttpService): void {
  http.serve(post, (call) => ({ what: call.params.what, body: call.body, headers: echoOf(call) }))
  http.serve(get, (call) => ({ query: call.query, headers: echoOf(call) }))
  http.serve(mine, (call) => ({ user: call.identity.userId, headers: echoOf(call) }))
  http.serve(large, () => ({ text }))
  http.serve(fault, () => {
    throw new Problem('unavailable', 'Not now.', { retryAfterSeconds: 3 })
  })
  http.app.get('/fastify', () => ({ by: 'Fastify' }))
}

export const api = '/api/market-data'
export const isTrunk = (service: Hosted) => trunksOf(service).length > 0

/** Connections to it that carry a trunk: HTTP knows nothing of them any more. */
export function trunksOf({ sockets }: Hosted): Socket[] {
  return [...sockets].filter((socket) => (socket as { parser?: unknown }).parser === null && !socket.destroyed)
}

/** Whether the gateway says that it has one. */
export async function hasTrunk({ gateway }: Rig): Promise<boolean> {
  const metrics = await (await fetch(`${gateway.metricsUrl}/metrics`)).text()
  return /^maru_gateway_trunk_open\{.*market-data.*\} 1$/m.test(metrics)
}

/** A service that has a trunk with the gateway. */
export async function hosted(rig: Rig, define: (http: HttpService) => void): Promise<Hosted> {
  const service = await rig.host('market-data', define)
  await until(() => isTrunk(service))
  await until(() => hasTrunk(rig))
  return service
}
