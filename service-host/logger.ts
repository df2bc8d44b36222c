import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino'
import { redactText, redactValue } from './redaction.ts'
import type { Tracing } from './tracing/tracing.ts'

export type { Logger }

export interface LoggerOptions {
  service: string
  instanceId: string
  level: string
  /** Lines written within a span have its `trace_id` and `span_id`. */
  tracing?: Tracing
  /** Standard output where unset. */
  destination?: DestinationStream
}

/** JSON lines; secrets never pass, whatever is logged: not by the name of a field, nor inside a text, an address or the message of an error. */
export function createLogger({ service, instanceId, level, tracing, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service, instance: instanceId },
    timestamp: pino.stdTimeFunctions.isoTime,
    // An error has been made into fields by then.
    serializers: { err: (value: unknown) => value },
    formatters: {
      log: (fields: Record<string, unknown>) => redactValue(fields) as Record<string, unknown>,
    },
    hooks: {
      logMethod(this: Logger, line: Parameters<Logger['info']>, method: (...line: Parameters<Logger['info']>) => void) {
        // An error is made into fields before they are looked through.
        const [first] = line as unknown[]
        const fields = first instanceof Error ? { err: first } : first
        const parts = line.map((part) => (typeof part === 'string' ? redactText(part) : part)) as unknown[]
        if (typeof fields === 'object' && fields !== null) parts[0] = withPlainError(fields)
        if (first instanceof Error && parts.length === 1) parts.push(redactText(first.message))
        method.apply(this, parts as Parameters<Logger['info']>)
      },
    },
    ...(tracing?.isOn ? { mixin: () => spanOf(tracing) } : {}),
  }
  const logger = destination ? pino(options, destination) : pino(options)
  const child = logger.child
  // Of children pino formats neither fields nor names.
  logger.child = function (this: Logger, bindings: Record<string, unknown>, ...rest: unknown[]) {
    return (child as unknown as (...parts: unknown[]) => Logger).call(this, redactValue(bindings), ...rest)
  } as unknown as Logger['child']
  return logger
}

/** The error of a line as its type, message and stack, with what else it says of itself. */
function withPlainError(fields: object): object {
  const { err } = fields as { err?: unknown }
  return err instanceof Error ? { ...fields, err: stdSerializers.err(err) } : fields
}

function spanOf(tracing: Tracing): object {
  const span = tracing.current()
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {}
}
