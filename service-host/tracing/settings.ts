const ratio = {
  parse(text: string | undefined): number {
    if (text === undefined || text === '') return 1
    const value = Number(text)
    if (!(value >= 0 && value <= 1)) throw new Error(`must be a number from 0 to 1, not "${text}"`)
    return value
  },
}

const address = {
  parse(text: string | undefined): string | undefined {
    if (text === undefined || text === '') return undefined
    if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
      throw new Error('must be an address such as http://localhost:4318')
    return text
  },
}

const samplers = ['parentbased_traceidratio', 'parentbased_always_on', 'parentbased_always_off'] as const

const sampler = {
  parse(text: string | undefined): (typeof samplers)[number] {
    const found = samplers.find((name) => name === (text || 'parentbased_traceidratio'))
    if (found === undefined) throw new Error(`must be one of ${samplers.join(', ')}, not "${text}"`)
    return found
  },
}

/** Standard variables of OpenTelemetry; its exporter reads further ones itself, such as OTEL_EXPORTER_OTLP_HEADERS. */
export const tracingSettings = {
  /** Where spans are sent by OTLP over HTTP, in JSON, at `/v1/traces`; unset, there are no traces. */
  OTEL_EXPORTER_OTLP_ENDPOINT: address,
  /** Who decides whether a trace is kept: whoever began it, and for new ones this. */
  OTEL_TRACES_SAMPLER: sampler,
  OTEL_TRACES_SAMPLER_ARG: ratio,
}

export type TracingSettings = { [Name in keyof typeof tracingSettings]: ReturnType<(typeof tracingSettings)[Name]['parse']> }
