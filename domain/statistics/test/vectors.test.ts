import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { annualReturn, annualVolatility, cumulativeReturn, maxDrawdown, sharpeRatio } from '../index.ts'

const data = process.env['MARU_TEST_DATA']

interface Vector {
  metric: string
  params: { starting_value?: number; annualization_factor?: number; risk_free?: number }
  input: { returns: { series: string }; risk_free?: { series: string } }
  expected: number | 'inf' | null
  decimals: number
}

interface VectorFile {
  series: Record<string, { values: (number | null)[] }>
  vectors: Vector[]
}

/** The periods a year holds for a Sharpe ratio that names none: trading days. */
const tradingDays = 252

function compute({ metric, params, input }: Vector, seriesOf: (name: string) => number[]): number {
  const returns = seriesOf(input.returns.series)
  const periods = params.annualization_factor ?? tradingDays
  switch (metric) {
    case 'cum_returns_final': {
      const growth = cumulativeReturn(returns)
      return params.starting_value ? params.starting_value * (1 + growth) : growth
    }
    case 'max_drawdown':
      return maxDrawdown(returns)
    case 'annual_return':
      return annualReturn(returns, periods)
    case 'annual_volatility':
      return annualVolatility(returns, periods)
    case 'sharpe_ratio':
      return sharpeRatio(returns, input.risk_free ? seriesOf(input.risk_free.series) : (params.risk_free ?? 0), periods)
    default:
      throw new Error(`no figure of ours for ${metric}`)
  }
}

test.skipIf(data === undefined)('figures agree with the published cases (needs MARU_TEST_DATA)', () => {
  const file = JSON.parse(readFileSync(path.join(data ?? '', 'vectors/performance-metrics.json'), 'utf8')) as VectorFile
  const seriesOf = (name: string): number[] => (file.series[name]?.values ?? []).map((value) => value ?? Number.NaN)
  expect(file.vectors.length).toBeGreaterThan(20)
  for (const vector of file.vectors) {
    const found = compute(vector, seriesOf)
    const about = `${vector.metric} of ${vector.input.returns.series}`
    if (vector.expected === null) expect(found, about).toBeNaN()
    else if (vector.expected === 'inf') expect(found, about).toBe(Number.POSITIVE_INFINITY)
    else
      expect(Math.abs(found - vector.expected), `${about}: ${found}, expected ${vector.expected}`).toBeLessThan(
        1.5 * 10 ** -vector.decimals,
      )
  }
})
