import { expect, test } from 'vitest'
import { createHttpMetrics } from '../metrics.ts'

async function linesOf(metrics: ReturnType<typeof createHttpMetrics>): Promise<string[]> {
  return (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('maru_http_'))
}

test('requests are counted by status and by cumulative bucket, and a scrape takes nothing away', async () => {
  const metrics = createHttpMetrics()
  metrics.route('GET', '/never')
  const orders = metrics.route('POST', '/orders')
  expect(metrics.route('POST', '/orders')).toBe(orders)
  orders.observe(201, 1)
  orders.observe(422, 3)
  await linesOf(metrics)
  orders.observe(201, 20_000)
  const lines = await linesOf(metrics)
  expect(await linesOf(metrics)).toEqual(lines)
  const duration = (suffix: string) => `maru_http_request_duration_seconds_${suffix}`
  const labels = 'method="POST",route="/orders"'
  expect(lines).toContain(`maru_http_requests_total{${labels},status="201"} 2`)
  expect(lines).toContain(`maru_http_requests_total{${labels},status="422"} 1`)
  expect(lines).toContain(`${duration('bucket')}{le="0.001",${labels}} 1`)
  expect(lines).toContain(`${duration('bucket')}{le="0.0025",${labels}} 1`)
  expect(lines).toContain(`${duration('bucket')}{le="0.005",${labels}} 2`)
  expect(lines).toContain(`${duration('bucket')}{le="10",${labels}} 2`)
  expect(lines).toContain(`${duration('bucket')}{le="+Inf",${labels}} 3`)
  expect(lines).toContain(`${duration('sum')}{${labels}} 20.004`)
  expect(lines).toContain(`${duration('count')}{${labels}} 3`)
  expect(lines.some((line) => line.includes('/never'))).toBe(false)
  const asJson = (await metrics.registry.getMetricsAsJSON()).find(({ name }) => name === 'maru_http_request_duration_seconds')
  expect(asJson?.values).toContainEqual(expect.objectContaining({ labels: { le: '+Inf', method: 'POST', route: '/orders' }, value: 3 }))
})
