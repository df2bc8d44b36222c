import { describe, expect, test } from 'vitest'
import { Problem } from '@maru/service-host'
import { resolveInterval, resolvePeriod } from '../performance/period.ts'

const hourMs = 3_600_000
const kept = { from: Date.UTC(2026, 0, 1, 12), to: Date.UTC(2026, 0, 31) }

describe('given what is asked for, then the time it stands for', () => {
  test.each([
    ['nothing', {}, kept],
    ['a day', { from: '2026-01-02', to: '2026-01-03' }, { from: Date.UTC(2026, 0, 2), to: Date.UTC(2026, 0, 3) }],
    ['a zone', { from: '2026-01-02T01:00+01:00' }, { from: Date.UTC(2026, 0, 2), to: kept.to }],
    ['milliseconds', { to: String(kept.from + 5) }, { from: kept.from, to: kept.from + 5 }],
    ['more than there is', { from: '1999-01-01', to: '2999-01-01' }, kept],
  ])('%s', (_title, query, expected) => {
    expect(resolvePeriod(query, kept)).toEqual(expected)
  })

  test.each([[{ from: '2026-02-31T25:00Z' }], [{ from: '2026-01-03', to: '2026-01-02' }], [{ to: '2026-00-10' }]])(
    '%j is refused',
    (query) => {
      expect(() => resolvePeriod(query, kept)).toThrow(Problem)
    },
  )
})

describe('given a time, then an interval that fits', () => {
  test.each([
    [1, '1m'],
    [24, '5m'],
    [24 * 7, '30m'],
    [24 * 30, '4h'],
    [24 * 365, '1d'],
    [24 * 365 * 3, '1w'],
    [24 * 365 * 30, '1w'],
  ] as const)('%i hours: %s', (hours, expected) => {
    expect(resolveInterval(undefined, { from: 0, to: hours * hourMs })).toBe(expected)
  })

  test('one that was asked for holds up to its bound and is refused beyond', () => {
    expect(resolveInterval('1m', { from: 0, to: 999 * 60_000 })).toBe('1m')
    expect(() => resolveInterval('1m', { from: 0, to: 1_000 * 60_000 })).toThrow(/1001 points, at most 1000/)
  })
})
