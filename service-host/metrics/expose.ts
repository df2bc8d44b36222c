import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { HistogramTally } from './tally.ts'

export type MetricsRegistry = Registry

export interface MetricText {
  /** By the conventions of Prometheus: `maru_<subject>_<what>_<unit>`, counters with `_total`. */
  name: string
  help: string
}

export type Labels = Readonly<Record<string, string>>
export type Sample = readonly [labels: Labels, value: number]
type Samples = () => Iterable<Sample> | Promise<Iterable<Sample>>

/** A counter whose values, which only grow, are read when it is scraped. */
export function exposeCounter(registry: MetricsRegistry, text: MetricText, labelNames: readonly string[], read: Samples): void {
  new Counter({
    ...text,
    labelNames,
    registers: [registry],
    async collect() {
      const samples = await read()
      this.reset()
      for (const [labels, value] of samples) this.inc(labels, value)
    },
  })
}

/** A gauge whose values are read when it is scraped; those of labels that are gone go with them. */
export function exposeGauge(registry: MetricsRegistry, text: MetricText, labelNames: readonly string[], read: Samples): void {
  new Gauge({
    ...text,
    labelNames,
    registers: [registry],
    async collect() {
      const samples = await read()
      this.reset()
      for (const [labels, value] of samples) this.set(labels, value)
    },
  })
}

/** A histogram whose values are those of tallies. */
export function exposeHistogram(
  registry: MetricsRegistry,
  text: MetricText,
  labelNames: readonly string[],
  bounds: readonly number[],
  read: () => Iterable<readonly [Labels, HistogramTally]>,
): void {
  registry.registerMetric(new TallyHistogram(text, labelNames, bounds, read))
}

class TallyHistogram extends Histogram {
  readonly #text: MetricText
  readonly #read: () => Iterable<readonly [Labels, HistogramTally]>

  constructor(
    text: MetricText,
    labelNames: readonly string[],
    bounds: readonly number[],
    read: () => Iterable<readonly [Labels, HistogramTally]>,
  ) {
    super({ ...text, labelNames, buckets: [...bounds], registers: [] })
    this.#text = text
    this.#read = read
  }

  /** What a registry asks for, and `get` takes its values from. */
  getForPromString() {
    const { name, help } = this.#text
    const values = [...this.#read()].flatMap(([labels, tally]) => valuesOf(name, labels, tally))
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values })
  }
}

function valuesOf(name: string, sharedLabels: Labels, { bounds, byBucket, sum }: HistogramTally) {
  let count = 0
  const values = Array.from(byBucket, (ofBucket, index) => {
    count += ofBucket
    return {
      metricName: `${name}_bucket`,
      labels: { le: bounds[index] ?? '+Inf' } as Record<string, string | number>,
      sharedLabels,
      value: count,
    }
  })
  // A series without observations says nothing, and there is one for every route of a service.
  if (count === 0) return []
  return [
    ...values,
    { metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum },
    { metricName: `${name}_count`, labels: {}, sharedLabels, value: count },
  ]
}
