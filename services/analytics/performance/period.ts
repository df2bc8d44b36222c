import { equityPointsMax, type EquityInterval } from '@maru/contracts/http/analytics'
import { curveLength } from '@maru/domain/statistics'
import { Problem } from '@maru/service-host'

/** Milliseconds since 1970; `from` after `to` means that nothing lies between. */
export interface Period {
  from: number
  to: number
}

const minuteMs = 60_000

export const intervalMs: Readonly<Record<EquityInterval, number>> = {
  '1m': minuteMs,
  '5m': 5 * minuteMs,
  '15m': 15 * minuteMs,
  '30m': 30 * minuteMs,
  '1h': 60 * minuteMs,
  '4h': 240 * minuteMs,
  '1d': 1_440 * minuteMs,
  '1w': 10_080 * minuteMs,
}

/** A chosen interval gives at most this many points, which draws well; one that was asked for may give up to `equityPointsMax`. */
const chosenPointsMax = 500

/**
 * The time asked for, cut to what there is: from the opening of the account, or the start of what is kept, until now.
 * Throws Problem `invalid_request` for a time that does not exist or a `from` after its `to`.
 */
export function resolvePeriod(query: { from?: string; to?: string }, kept: Period): Period {
  const from = instantOf('from', query.from)
  const to = instantOf('to', query.to)
  if (from !== undefined && to !== undefined && from > to) throw fault('from', 'must not be after to')
  return { from: Math.max(from ?? kept.from, kept.from), to: Math.min(to ?? kept.to, kept.to) }
}

/** The interval asked for, or the finest that gives a curve of fair length. Throws Problem `invalid_request` where it would give too many points. */
export function resolveInterval(asked: EquityInterval | undefined, { from, to }: Period): EquityInterval {
  if (asked !== undefined) {
    const points = curveLength(from, to, intervalMs[asked])
    if (points > equityPointsMax)
      throw fault('interval', `gives ${points} points, at most ${equityPointsMax}: take a longer interval or a shorter time`)
    return asked
  }
  const fitting = (Object.keys(intervalMs) as EquityInterval[]).find((name) => curveLength(from, to, intervalMs[name]) <= chosenPointsMax)
  return fitting ?? '1w'
}

function instantOf(field: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const time = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text)
  if (!Number.isFinite(time) || Math.abs(time) > 8.64e15) throw fault(field, 'is no time')
  return time
}

function fault(path: string, message: string): Problem {
  return new Problem('invalid_request', `${path}: ${message}`, { errors: [{ path, message }] })
}
