import type { TracingSettings } from './settings.ts'
import { Tracing } from './tracing.ts'

/** The traces of a process. What makes them is loaded only where they are wanted, so that others start no later. */
export async function openTracing(
  settings: TracingSettings,
  process: { service: string; instanceId: string; version: string },
): Promise<Tracing> {
  if (settings.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return new Tracing()
  const { openTelemetry } = await import('./opentelemetry.ts')
  return new Tracing(openTelemetry(settings, process))
}
