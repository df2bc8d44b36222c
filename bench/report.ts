/** One measured figure beside what it is compared with. */
export interface BenchRow {
  /** What was measured, unique within a run: `log: 256 callers`. */
  name: string
  /** Unit of `value` and of `baseline.value`: `commands/s`, `µs`, `s`, `MB`. */
  unit: string
  /** Median of the runs. */
  value: number
  baseline: { name: string; value: number } | null
  /** `value / baseline.value`; null without a baseline. */
  ratio: number | null
  /** The target in words, such as `ratio ≥ 10` or `≤ 15 s`; empty where the figure is only stated. */
  target: string
  met: boolean
}

/** A module `bench/<name>.ts`. It must clean up after itself, also when it fails. */
export interface BenchModule {
  run(): Promise<BenchRow[]>
}

/** What a row is held to: its ratio or its value, at least or at most a bound. */
export interface Target {
  of: 'ratio' | 'value'
  is: 'at least' | 'at most'
  bound: number
}

/** Builds a row and judges it. Without a target the row counts as met; a ratio target without a baseline is a mistake and throws. */
export function benchRow(figure: {
  name: string
  unit: string
  value: number
  baseline?: { name: string; value: number }
  target?: Target
}): BenchRow {
  const { name, unit, value, baseline, target } = figure
  const ratio = baseline ? value / baseline.value : null
  let met = true
  if (target) {
    const judged = target.of === 'ratio' ? ratio : value
    if (judged === null) throw new Error(`${name}: a target for the ratio needs a baseline`)
    met = target.is === 'at least' ? judged >= target.bound : judged <= target.bound
  }
  return { name, unit, value, baseline: baseline ?? null, ratio, target: target ? describeTarget(target, unit) : '', met }
}

/** Median of at least one figure; the mean of the middle two where their number is even. */
export function median(figures: readonly number[]): number {
  if (figures.length === 0) throw new Error('a median needs at least one figure')
  const sorted = [...figures].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] as number
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2
}

/** The rows as an aligned text table. */
export function formatTable(rows: readonly BenchRow[]): string {
  const lines = [
    ['what', 'value', 'unit', 'baseline', 'ratio', 'target', 'met'],
    ...rows.map((row) => [
      row.name,
      formatFigure(row.value),
      row.unit,
      row.baseline ? `${formatFigure(row.baseline.value)} ${row.baseline.name}` : '-',
      row.ratio === null ? '-' : `${row.ratio.toFixed(2)} ×`,
      row.target === '' ? '-' : row.target,
      row.target === '' ? '-' : row.met ? 'yes' : 'NO',
    ]),
  ]
  const widths = (lines[0] as string[]).map((_, column) => Math.max(...lines.map((line) => (line[column] as string).length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function describeTarget(target: Target, unit: string): string {
  const sign = target.is === 'at least' ? '≥' : '≤'
  return target.of === 'ratio' ? `ratio ${sign} ${target.bound}` : `${sign} ${target.bound} ${unit}`
}

function formatFigure(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString('en-US')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
