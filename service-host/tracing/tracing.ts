import { AsyncLocalStorage } from 'node:async_hooks'

/** Where a request stands in its trace, as the W3C header `traceparent` says it. */
export type Traceparent = string

export type SpanKind = 'server' | 'client' | 'producer' | 'consumer' | 'internal'

type Attributes = Readonly<Record<string, string | number | boolean>>

/** Part of a trace that is under way. */
export interface TraceSpan {
  readonly traceparent: Traceparent
  readonly traceId: string
  readonly spanId: string
  set(name: string, value: string | number | boolean): void
  /** Ends it, now or at a time since 1970. A fault is said as such. */
  end(fault?: string, endMs?: number): void
}

export interface SpanStart {
  kind: SpanKind
  /** Undefined begins a trace. */
  parent: Traceparent | undefined
  /** Another span that it has to do with, of another trace; left out where that is not kept. */
  link?: Traceparent | undefined
  attributes?: Attributes
  /** Milliseconds since 1970; now where unset. */
  startMs?: number
}

/** What makes spans. `undefined` where this trace is not sampled. */
export interface SpanSource {
  start(name: string, options: SpanStart): TraceSpan | undefined
  /** Sends what is left. */
  close(): Promise<void>
}

/**
 * Traces of this process. Off, which it is unless an endpoint for them is set, `start` gives undefined and nothing else is done; where only some requests are
 * sampled, the others cost as little.
 */
export class Tracing {
  readonly #source: SpanSource | undefined
  readonly #current: AsyncLocalStorage<TraceSpan> | undefined

  constructor(source?: SpanSource) {
    this.#source = source
    this.#current = source && new AsyncLocalStorage()
  }

  get isOn(): boolean {
    return this.#source !== undefined
  }

  start(name: string, options: SpanStart): TraceSpan | undefined {
    return this.#source?.start(name, options)
  }

  /** Does the work with the span as the current one, across whatever it waits for. */
  within<T>(span: TraceSpan | undefined, work: () => T): T {
    return span && this.#current ? this.#current.run(span, work) : work()
  }

  /** The span in which the caller works. */
  current(): TraceSpan | undefined {
    return this.#current?.getStore()
  }

  async close(): Promise<void> {
    await this.#source?.close()
  }
}

const form = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** What a `traceparent` of version 00 says; undefined for anything else (W3C Trace Context, 3.2). */
export function parseTraceparent(text: string | undefined): { traceId: string; spanId: string; isSampled: boolean } | undefined {
  const [, traceId, spanId, flags] = form.exec(text ?? '') ?? []
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId, spanId, isSampled: (Number.parseInt(flags!, 16) & 1) === 1 }
}
