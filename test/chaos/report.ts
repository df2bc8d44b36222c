import type { Figures } from './load/samples.ts'
import type { ChaosResult } from './run.ts'
import { percent, seconds, type Verdict } from './verdict.ts'

const reasonsShown = 4
const brokenShown = 50

/** What was seen, as text for a person. */
export function reportOf(result: ChaosResult, verdict: Verdict): string {
  const lines: string[] = ['', 'requests by service (with one retry; PostgreSQL down or without room is stated apart)']
  const columns = ['service', 'phase', 'requests', 'available', 'at first try', 'failed', 'p50', 'p95', 'p99', 'p99.9 ms']
  const rows = verdict.services.flatMap(({ service, before, during, after }) => [
    rowOf(service, 'before', before),
    rowOf('', 'during', during),
    rowOf('', 'after', after),
  ])
  rows.push(rowOf('all', 'PostgreSQL down', verdict.databaseDown))
  rows.push(rowOf('all', 'half of full load', result.atHalfLoad))
  lines.push(...table([columns, ...rows]))

  lines.push('', 'faults, two instances of each service')
  lines.push(
    ...table([
      ['fault', 'first tries failed for', 'whole again after', 'retried', 'failed', 'p99 ms'],
      ...verdict.impacts.map(({ episode, recoveryMs, retried, failed, p99Ms }) => [
        episode.name,
        seconds(recoveryMs),
        seconds(episode.wholeMs - episode.startedMs),
        String(retried),
        String(failed),
        p99Ms.toFixed(0),
      ]),
    ]),
  )
  const reasons = verdict.impacts.filter((impact) => impact.failed > 0)
  for (const { episode, reasons: all } of reasons) lines.push(`  ${episode.name}: ${all.slice(0, reasonsShown).join('; ')}`)
  for (const fault of result.left) lines.push(`  left out: ${fault}`)

  lines.push('', 'faults, one instance of the service')
  lines.push(
    ...table([
      ['fault', 'no answer for', 'whole again after'],
      ...verdict.alone.map(({ episode, silenceMs }) => [episode.name, seconds(silenceMs), seconds(episode.wholeMs - episode.startedMs)]),
    ]),
  )

  const { told, lost, doubled } = result.orders
  lines.push(
    '',
    `full load ${Math.round(result.fullPerSecond)} requests/s; steady load ${result.steadyPerSecond}/s`,
    `orders answered ${told}; lost ${lost.length}; doubled ${doubled.length}`,
    `events read from streams without a gap ${result.streamEvents}; prices by socket ${result.priceMessages}`,
    `commands ${result.position}; state hash of all replicas ${result.stateHash}`,
    `seed ${result.seed}`,
  )
  for (const fault of verdict.broken.slice(0, brokenShown)) lines.push(`BROKEN: ${fault}`)
  if (verdict.broken.length > brokenShown) lines.push(`… and ${verdict.broken.length - brokenShown} more`)
  lines.push(verdict.broken.length === 0 ? 'every promise was kept' : `promises broken: ${verdict.broken.length}`)
  return lines.join('\n')
}

function rowOf(service: string, phase: string, figures: Figures): string[] {
  const { requests, availability, firstTryAvailability, failed, p50Ms, p95Ms, p99Ms, p999Ms } = figures
  if (requests === 0) return [service, phase, '0']
  return [
    service,
    phase,
    String(requests),
    percent(availability),
    percent(firstTryAvailability),
    String(failed),
    ...[p50Ms, p95Ms, p99Ms, p999Ms].map((ms) => ms.toFixed(1)),
  ]
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column < 1 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}
