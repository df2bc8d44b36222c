import { expect, test } from 'vitest'
import { createLogger } from '../logger.ts'
import type { TraceSpan } from '../tracing/tracing.ts'
import { Tracing } from '../tracing/tracing.ts'

function logging(tracing?: Tracing) {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const logger = createLogger({ service: 'test', instanceId: 'one', level: 'info', destination, ...(tracing && { tracing }) })
  return { logger, lines, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> }
}

test('no secret passes, wherever in a line it stands', () => {
  const { logger, lines } = logging()
  const jwt = 'eyJhbGciOiJFZERTQSJ9.planted.planted'
  logger.info({ headers: { authorization: 'planted', cookie: 'planted', 'maru-signature': 'planted' } }, 'a request')
  logger.info({ body: { user: { password: 'planted', new_password: 'planted', totp: 'planted' }, refresh_token: 'planted' } }, 'deep')
  logger.warn({ err: new Error('cannot connect to postgres://maru:planted@localhost:5432/maru') }, 'lost')
  logger.error(new Error(`Bearer planted and ${jwt}`))
  logger.info(`opened smtp://user:planted@mail.example.com:587`)
  logger.info({ url: '/confirm?token=planted&x=1', list: [{ api_key: 'planted' }] }, 'links')
  logger.child({ databaseUrl: 'postgres://maru:planted@localhost' }).info('from a child')
  expect(lines.filter((line) => line.includes('planted'))).toEqual([])
  expect(lines).toHaveLength(7)
  expect(lines.join('')).toContain('localhost:5432/maru')
  expect(lines.join('')).toContain('x=1')
})

test('what is no secret stays as it is', () => {
  const { logger, last } = logging()
  const cause = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  logger.error({ err: cause, request_id: 'r1', at: new Date(0), count: 3, sizes: Buffer.from('abc') }, 'a full disk')
  expect(last()).toMatchObject({
    service: 'test',
    instance: 'one',
    request_id: 'r1',
    at: '1970-01-01T00:00:00.000Z',
    count: 3,
    sizes: '[3 bytes]',
    msg: 'a full disk',
    err: { type: 'Error', message: 'no space left', code: 'ENOSPC' },
  })
  expect((last()['err'] as { stack: string }).stack).toContain('logger.test.ts')
})

test('lines written within a span have its ids', async () => {
  const span = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) } as TraceSpan
  const tracing = new Tracing({ start: () => span, close: async () => undefined })
  const { logger, last } = logging(tracing)
  await tracing.within(span, async () => {
    await Promise.resolve()
    logger.info('inside')
  })
  expect(last()).toMatchObject({ trace_id: span.traceId, span_id: span.spanId, msg: 'inside' })
  logger.info('outside')
  expect(last()).not.toHaveProperty('trace_id')
})
