import { expect, test } from 'vitest'
import { openRig, until, type Rig } from './support/rig.ts'

/** Values of a scrape by the text before them. */
async function scrape(rig: Rig): Promise<Map<string, number>> {
  const text = await (await fetch(`${rig.gateway.metricsUrl}/metrics`)).text()
  return new Map([...text.matchAll(/^(\S+) (\S+)$/gm)].map(([, name, value]) => [name!, Number(value)]))
}

const ask = async (rig: Rig, path: string): Promise<number> => {
  const answer = await fetch(`${rig.url}${path}`)
  await answer.arrayBuffer()
  return answer.status
}

test('what is shed, repeated, ejected, limited and cut off is shown at /metrics', async () => {
  await using rig = await openRig({ MARU_GATEWAY_IN_FLIGHT_MAX: '16', MARU_CIRCUIT_FAILURES: '3' })
  // A circuit of a service, all of whose instances fail.
  await rig.serve('trading', (_request, response) => response.writeHead(500).end('{}'))
  for (let count = 0; count < 3; count += 1) expect(await ask(rig, '/api/trading/x')).toBe(500)
  expect(await ask(rig, '/api/trading/x')).toBe(503)
  // Analytics may hold an eighth of 16 requests, and what is least pressing 0.7 of that.
  const hanging: (() => void)[] = []
  await rig.serve('analytics', (_request, response) => void hanging.push(() => response.end('{}')))
  const held = [ask(rig, '/api/analytics/x'), ask(rig, '/api/analytics/x')]
  await until(() => hanging.length === 2)
  expect(await ask(rig, '/api/analytics/x')).toBe(503)
  for (const answer of hanging) answer()
  expect(await Promise.all(held)).toEqual([200, 200])
  // One of two instances fails now and then, which no circuit sees; and one broke off, after which its request was repeated.
  let asked = 0
  await rig.serve('notification', (request, response) => {
    asked += 1
    if (asked === 1) request.socket.destroy()
    else response.writeHead(asked % 2 === 0 ? 500 : 200).end('{}')
  })
  await rig.serve('notification', (_request, response) => void response.end('{}'))
  let seen = await scrape(rig)
  await until(async () => {
    await Promise.all(Array.from({ length: 2 }, () => ask(rig, '/api/notification/x')))
    seen = await scrape(rig)
    return seen.get('maru_gateway_ejections_total{service="notification"}') !== undefined
  })
  const upstreamOf = new Map((await rig.health()).map(({ id, service }) => [id, service]))
  const ejected = [...upstreamOf].map(([id, service]) => seen.get(`maru_gateway_ejected{service="${service}",upstream="${id}"}`))
  expect(ejected.filter((value) => value === 1)).toHaveLength(1)
  expect(ejected.filter((value) => value === 0)).toHaveLength(3)
  expect(seen.get('maru_gateway_ejections_total{service="notification"}')).toBe(1)
  for (const [id, service] of upstreamOf)
    expect(seen.get(`maru_gateway_concurrency_limit{service="${service}",upstream="${id}"}`)).toBeGreaterThan(0)
  expect(seen.get('maru_gateway_shed_total{service="analytics",kind="background"}')).toBe(1)
  expect(seen.get('maru_gateway_shed_total{service="analytics",kind="protection"}')).toBe(0)
  expect(seen.get('maru_gateway_service_circuit_state{service="trading",state="closed"}')).toBe(0)
  expect(seen.get('maru_gateway_service_circuit_state{service="analytics",state="closed"}')).toBe(1)
  expect(seen.get('maru_gateway_retry_budget_left{service="analytics"}')).toBe(512)
  expect(seen.get('maru_gateway_retries_refused_total{service="notification"}')).toBe(0)
})
