import { openTracing } from '@maru/service-host/tracing/open'
import type { Tracing } from '@maru/service-host/tracing/tracing'
import { describe, expect, test } from 'vitest'
import { startCollector } from './collector/collector.ts'
import { withoutCollector } from './collector/program.ts'
import { startTraceReceiver } from './trace-receiver.ts'

/** What a real OpenTelemetry collector makes of our spans; `traces.test.ts` has one between the platform and its receiver where it can. */

const missing = withoutCollector()

function open(endpoint: string): Promise<Tracing> {
  return openTracing(
    { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER: 'parentbased_always_on', OTEL_TRACES_SAMPLER_ARG: 1 },
    { service: 'trading', instanceId: 'trading-1', version: '1.2.3' },
  )
}

describe.skipIf(missing !== undefined)(`with a real OpenTelemetry collector${missing === undefined ? '' : ` (${missing})`}`, () => {
  test('it takes spans of each kind and hands them on as they were: times, parents, links, attributes, faults', async () => {
    await using receiver = await startTraceReceiver()
    await using collector = await startCollector(receiver.url)
    const tracing = await open(collector.url)
    const root = tracing.start('edge', { kind: 'server', parent: undefined, startMs: 1_700_000_000_000 })!
    const kinds = ['server', 'client', 'producer', 'consumer', 'internal'] as const
    for (const kind of kinds) {
      const attributes = { text: '마루 "floor"', number: 9_007_199_254_740_991, part: 0.25, yes: true }
      const span = tracing.start(kind, { kind, parent: root.traceparent, link: `00-${'a1'.repeat(16)}-${'b2'.repeat(8)}-01`, attributes })!
      span.end(kind === 'client' ? 'no answer' : undefined)
    }
    root.end(undefined, 1_700_000_000_250)
    await tracing.close()

    const { traceId, spanId } = root
    const child = {
      service: 'maru-trading',
      traceId,
      parentSpanId: spanId,
      attributes: { text: '마루 "floor"', number: '9007199254740991', part: '0.25', yes: 'true' },
      links: ['b2'.repeat(8)],
    }
    // Numbers of kinds and states: opentelemetry-proto, `trace/v1/trace.proto`.
    expect(receiver.spans).toMatchObject([
      { ...child, name: 'server', kind: 2, fault: undefined },
      { ...child, name: 'client', kind: 3, fault: 'no answer' },
      { ...child, name: 'producer', kind: 4, fault: undefined },
      { ...child, name: 'consumer', kind: 5, fault: undefined },
      { ...child, name: 'internal', kind: 1, fault: undefined },
      { name: 'edge', kind: 2, parentSpanId: undefined, startNs: 1_700_000_000_000_000_000n, endNs: 1_700_000_000_250_000_000n },
    ])
    expect(collector.output()).not.toMatch(/\t(warn|error)\t/)
  })

  test('spans made while it is away wait, a bounded number of them, and after its return they come', async () => {
    await using receiver = await startTraceReceiver()
    await using collector = await startCollector(receiver.url)
    const tracing = await open(collector.url)
    const make = (name: string): void => tracing.start(name, { kind: 'server', parent: undefined })!.end()
    const count = (name: string): number => receiver.spans.filter((span) => span.name === name).length
    make('before')
    await expect.poll(() => count('before')).toBe(1)
    await collector.kill()
    for (let made = 0; made < 5_000; made += 1) make('meanwhile')
    await collector.start()
    // One that finds no room is dropped.
    const comes = (): boolean => {
      make('after')
      return count('after') > 0
    }
    await expect.poll(comes).toBe(true)
    await tracing.close()
    expect(count('meanwhile')).toBeGreaterThan(0)
    expect(count('meanwhile')).toBeLessThan(4_000)
  })
})
