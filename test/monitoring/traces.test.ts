import { glob, readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { startMailServer } from '../end-to-end/journey.ts'
import { Client } from '../support/client.ts'
import { startPlatform, type Platform } from '../support/platform.ts'
import { startTraceReceiver, type ReceivedSpan } from './trace-receiver.ts'

const clientSpan = 'b7ad6b7169203331'
const mailSecret = 'planted-mail-secret'
const headerSecret = 'planted-header-secret'

async function order(client: Client, traceparent: string): Promise<number> {
  const answer = await fetch(`${client.url}/api/trading/orders`, {
    method: 'POST',
    headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json', traceparent },
    body: JSON.stringify({ symbol: 'BTC/USDT', side: 'BUY', order_type: 'MARKET', quantity: '0.01' }),
  })
  await answer.arrayBuffer()
  return answer.status
}

/** Lines of all logs that hold one of the texts. */
async function linesWith(platform: Platform, texts: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for await (const file of glob(path.join(platform.home, 'logs/*.log'))) {
    for (const line of (await readFile(file, 'utf8')).split('\n'))
      if (texts.some((text) => line.includes(text))) found.push(`${path.basename(file)}: ${line}`)
  }
  return found
}

test('an order is one trace, from the edge through the log to the mail; one that is not sampled leaves none, and no log has a secret', async () => {
  await using receiver = await startTraceReceiver()
  await using mails = await startMailServer()
  await using platform = await startPlatform({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_HEADERS: `api-key=${headerSecret}`,
      // Only what a client asks for.
      OTEL_TRACES_SAMPLER_ARG: '0',
      SMTP_URL: mails.url.replace('smtp://', `smtp://maru:${mailSecret}@`),
      MARU_LOG_LEVEL: 'debug',
    },
  })
  const client = await Client.registered(platform.url)
  const sampled = '0af7651916cd43dd8448eb211c80319c'
  const unsampled = '1bf7651916cd43dd8448eb211c80319d'
  expect(await order(client, `00-${unsampled}-${clientSpan}-00`)).toBe(201)
  expect(await order(client, `00-${sampled}-${clientSpan}-01`)).toBe(201)

  const spans = (): ReceivedSpan[] => receiver.spans.filter(({ traceId }) => traceId === sampled)
  const names = [
    'POST',
    'POST /orders',
    'append trading.commands',
    'apply',
    'process trading-events',
    'publish trading-events',
    'send mail',
  ]
  await expect.poll(() => [...new Set(spans().map(({ name }) => name))].sort(), { timeout: 30_000 }).toEqual(names)

  const parentOf = (name: string): string => {
    const { parentSpanId } = spans().find((span) => span.name === name)!
    return spans().find(({ spanId }) => spanId === parentSpanId)?.name ?? parentSpanId ?? ''
  }
  expect(names.map((name) => [name, parentOf(name)])).toEqual([
    ['POST', clientSpan],
    ['POST /orders', 'POST'],
    ['append trading.commands', 'POST /orders'],
    ['apply', 'append trading.commands'],
    ['process trading-events', 'append trading.commands'],
    ['publish trading-events', 'append trading.commands'],
    ['send mail', 'append trading.commands'],
  ])
  const edge = spans().find(({ name }) => name === 'POST')!
  expect(edge).toMatchObject({
    service: 'maru-gateway',
    kind: 2,
    attributes: { 'http.route': '/api/trading/orders', 'http.response.status_code': '201' },
  })
  for (const { startNs, endNs } of spans()) expect(endNs).toBeGreaterThanOrEqual(startNs)
  expect(new Set(spans().map(({ service }) => service))).toEqual(new Set(['maru-gateway', 'maru-trading', 'maru-notification']))
  expect(new Set(receiver.spans.map(({ traceId }) => traceId))).toEqual(new Set([sampled]))

  // A wrong password, and a token that is none, are refused, and not written down.
  await fetch(`${platform.url}/api/user/token`, {
    method: 'POST',
    body: new URLSearchParams({ username: client.email, password: 'planted-password' }),
  })
  await fetch(`${platform.url}/api/user/me`, { headers: { authorization: 'Bearer planted-token' } })
  const operator = await platform.operator()
  const kept: string[] = []
  for await (const file of glob(path.join(platform.home, '*.json'))) {
    const text = await readFile(file, 'utf8')
    for (const [, value = ''] of text.matchAll(/"[^"]*(?:password|secret|maru_[a-z_]+)"\s*:\s*"([^"]{12,})"/gi)) kept.push(value)
  }
  expect(kept).toContain(operator.password)
  const secrets = [client.password, client.token!, mailSecret, headerSecret, 'planted-password', 'planted-token', ...kept]
  expect(await linesWith(platform, secrets)).toEqual([])
}, 120_000)
