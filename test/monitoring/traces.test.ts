import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { glob, readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startMailServer } from '../end-to-end/journey.ts'
import { Client } from '../support/client.ts'
import { startPlatform, type Platform } from '../support/platform.ts'
import { startCollector } from './collector/collector.ts'
import { withoutCollector } from './collector/program.ts'
import { startTraceReceiver, type ReceivedSpan, type TraceReceiver } from './trace-receiver.ts'

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

/** Spans of a trace by what they are called, each with what its parent is called: of those awaited, and of any others. */
async function expectTrace(receiver: TraceReceiver, traceId: string, expected: Record<string, string>): Promise<ReceivedSpan[]> {
  const spans = (): ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId)
  const parents = (): Record<string, string> =>
    Object.fromEntries(
      spans().map(({ name, parentSpanId }) => [name, spans().find(({ spanId }) => spanId === parentSpanId)?.name ?? parentSpanId ?? '']),
    )
  await expect.poll(parents, { timeout: 30_000 }).toEqual(expected)
  return spans()
}

/** What of an order by socket follows from the command, as of one by HTTP. */
const afterAppend = {
  apply: 'append trading.commands',
  'publish trading-events': 'append trading.commands',
  'process trading-events': 'append trading.commands',
}

async function expectSocketOrder(platform: Platform, receiver: TraceReceiver, client: Client): Promise<void> {
  const [upgrade, entry, unsampled] = ['2', '3', '4'].map((digit) => `${digit}af7651916cd43dd8448eb211c80319c`) as [string, string, string]
  const socket = new WebSocket(`${platform.url.replace('http', 'ws')}/api/trading/ws`, {
    headers: { authorization: `Bearer ${client.token}`, traceparent: `00-${upgrade}-${clientSpan}-01` },
  })
  await once(socket, 'open')
  const place = async (id: string, traceparent?: string): Promise<void> => {
    const order = { symbol: 'BTC/USDT', side: 'BUY', order_type: 'LIMIT', quantity: '0.001', price: '10000' }
    socket.send(JSON.stringify({ id, op: 'place', order, traceparent }))
    const [data] = (await once(socket, 'message')) as [Buffer]
    expect(JSON.parse(data.toString())).toMatchObject({ id, status: 201 })
  }
  await place('none')
  await place('unsampled', `00-${unsampled}-${clientSpan}-00`)
  await place('no traceparent at all', 'nonsense')
  await place('sampled', `00-${entry}-${clientSpan}-01`)
  socket.close()
  const refused = new WebSocket(`${platform.url.replace('http', 'ws')}/api/trading/ws`, {
    headers: { traceparent: `00-${upgrade}-${clientSpan}-01` },
  })
  await once(refused, 'error')

  const spans = await expectTrace(receiver, entry, {
    'place /ws': clientSpan,
    'append trading.commands': 'place /ws',
    ...afterAppend,
  })
  const upgrades = await expectTrace(receiver, upgrade, { GET: clientSpan })
  const edge = { service: 'maru-gateway', kind: 2 }
  expect(upgrades.sort((a, b) => Number(a.startNs - b.startNs))).toMatchObject([
    { ...edge, attributes: { 'http.route': '/api/trading/ws', 'http.response.status_code': '101' } },
    { ...edge, attributes: { 'http.route': '/api/trading/ws', 'http.response.status_code': '401' } },
  ])
  // A trace of its own, which tells of the connection it came by.
  expect(spans.find(({ name }) => name === 'place /ws')!.links).toEqual([upgrades[0]!.spanId])
  expect(new Set(receiver.spans.map(({ traceId }) => traceId))).not.toContain(unsampled)
}

async function expectRegistration(platform: Platform, receiver: TraceReceiver): Promise<void> {
  const traceId = '5af7651916cd43dd8448eb211c80319c'
  const answer = await fetch(`${platform.url}/api/user/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-${clientSpan}-01` },
    body: JSON.stringify({ email: 'traced@example.com', username: 'traced', password: randomUUID() }),
  })
  expect(answer.status).toBe(201)
  const { user_id: userId } = (await answer.json()) as { user_id: string }
  const spans = await expectTrace(receiver, traceId, {
    POST: clientSpan,
    'POST /register': 'POST',
    'append user-events': 'POST /register',
    'process user-events': 'POST /register',
    'append trading.commands': 'process user-events',
    ...afterAppend,
  })
  const processed = spans.filter(({ name }) => name === 'process user-events').sort((a, b) => (a.service < b.service ? -1 : 1))
  expect(processed).toMatchObject([
    { service: 'maru-notification', attributes: { 'maru.user_id': userId } },
    { service: 'maru-trading', attributes: { 'maru.user_id': userId } },
  ])
}

test('an order, by HTTP and by socket, is one trace, from the edge through the log to the mail, and so is a registration; one that is not sampled leaves none, and no log has a secret', async () => {
  await using receiver = await startTraceReceiver()
  await using collector = withoutCollector() === undefined ? await startCollector(receiver.url) : undefined
  await using mails = await startMailServer()
  await using platform = await startPlatform({
    env: {
      // A real collector stands between where there is one; `collector.test.ts` is listed as skipped where there is none.
      OTEL_EXPORTER_OTLP_ENDPOINT: (collector ?? receiver).url,
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
  // On a busy machine the house may have no quotes for a moment.
  await expect.poll(() => order(client, `00-${unsampled}-${clientSpan}-00`)).toBe(201)
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

  await Promise.all([expectSocketOrder(platform, receiver, client), expectRegistration(platform, receiver)])

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
  expect(collector?.output() ?? '').not.toMatch(/\t(warn|error)\t/)
}, 120_000)
