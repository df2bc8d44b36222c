import { context, INVALID_SPAN_CONTEXT, SpanKind as OtelKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { TracingSettings } from './settings.ts'
import { parseTraceparent, type SpanKind, type SpanSource } from './tracing.ts'

const kinds: Record<SpanKind, OtelKind> = {
  server: OtelKind.SERVER,
  client: OtelKind.CLIENT,
  producer: OtelKind.PRODUCER,
  consumer: OtelKind.CONSUMER,
  internal: OtelKind.INTERNAL,
}

/** Spans that wait to be sent; further ones are dropped, never requests held up. */
const waitingMax = 2_048
const sendEveryMs = 1_000
const closeMaxMs = 2_000

/** Spans by OpenTelemetry, sent in batches by OTLP. Loaded only where traces are wanted. */
export function openTelemetry(settings: TracingSettings, process: { service: string; instanceId: string; version: string }): SpanSource {
  const root =
    settings.OTEL_TRACES_SAMPLER === 'parentbased_always_off'
      ? new AlwaysOffSampler()
      : new TraceIdRatioBasedSampler(settings.OTEL_TRACES_SAMPLER === 'parentbased_always_on' ? 1 : settings.OTEL_TRACES_SAMPLER_ARG)
  const endpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT!.replace(/\/$/, '')
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': `maru-${process.service}`,
      'service.instance.id': process.instanceId,
      'service.version': process.version,
    }),
    sampler: new ParentBasedSampler({ root }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, timeoutMillis: 5_000 }),
        maxQueueSize: waitingMax,
        scheduledDelayMillis: sendEveryMs,
      }),
    ],
  })
  const tracer = provider.getTracer('maru', process.version)
  const none = context.active()
  return {
    start(name, { kind, parent, link, attributes = {}, startMs }) {
      const known = parseTraceparent(parent)
      // Its whole trace is not kept: nothing needs to be made to know that.
      if (known && !known.isSampled) return undefined
      const from = known
        ? trace.setSpanContext(none, {
            ...INVALID_SPAN_CONTEXT,
            traceId: known.traceId,
            spanId: known.spanId,
            traceFlags: TraceFlags.SAMPLED,
            isRemote: true,
          })
        : none
      const linked = parseTraceparent(link)
      const options = {
        kind: kinds[kind],
        attributes,
        ...(startMs === undefined ? {} : { startTime: startMs }),
        ...(linked?.isSampled
          ? { links: [{ context: { traceId: linked.traceId, spanId: linked.spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true } }] }
          : {}),
      }
      const span = tracer.startSpan(name, options, from)
      if (!span.isRecording()) return undefined
      const { traceId, spanId } = span.spanContext()
      return {
        traceId,
        spanId,
        traceparent: `00-${traceId}-${spanId}-01`,
        set: (key, value) => void span.setAttribute(key, value),
        end(fault, endMs) {
          if (fault !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: fault })
          span.end(endMs)
        },
      }
    },
    async close() {
      let timer: NodeJS.Timeout | undefined
      await Promise.race([
        provider.shutdown().catch(() => undefined),
        new Promise<void>((resolve) => (timer = setTimeout(resolve, closeMaxMs))),
      ])
      clearTimeout(timer)
    },
  }
}
