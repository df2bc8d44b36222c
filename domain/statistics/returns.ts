import { toFloat, type Fixed } from './fixed.ts'

/**
 * Measures over a series of returns, each of one period (0.01 is +1 %). NaN is a period without a figure: it counts as time and as
 * no change. The definitions are those of the empyrical library, whose published test cases they are held to.
 */

/**
 * Time-weighted returns between successive samples: (equity − flows of the step) ÷ equity before − 1, where flows (deposits less
 * withdrawals) are taken to come in at the end of their step. A step that starts with nothing, or with debts, returns 0.
 */
export function timeWeightedReturns(
  samples: readonly { at: number; equity: Fixed }[],
  flows: readonly { at: number; value: Fixed }[],
): number[] {
  const returns: number[] = []
  let next = 0
  for (const [index, { at, equity }] of samples.entries()) {
    let moved = 0n
    for (let flow = flows[next]; flow !== undefined && flow.at <= at; flow = flows[++next]) moved += flow.value
    const before = samples[index - 1]
    if (before === undefined) continue
    returns.push(before.equity > 0n ? toFloat(equity - moved - before.equity) / toFloat(before.equity) : 0)
  }
  return returns
}

/** Growth of 1 over all periods, less 1. NaN without any period. */
export function cumulativeReturn(returns: readonly number[]): number {
  if (returns.length === 0) return Number.NaN
  return returns.reduce((growth, value) => growth * (1 + orNoChange(value)), 1) - 1
}

/** Deepest fall below the highest value so far, the start included: −0.1 is 10 % below. NaN without any period. */
export function maxDrawdown(returns: readonly number[]): number {
  if (returns.length === 0) return Number.NaN
  let value = 1
  let high = 1
  let deepest = 0
  for (const change of returns) {
    value *= 1 + orNoChange(change)
    high = Math.max(high, value)
    deepest = Math.min(deepest, value / high - 1)
  }
  return deepest
}

/** Compound growth per year, with `periodsPerYear` periods to it. NaN without any period. */
export function annualReturn(returns: readonly number[], periodsPerYear: number): number {
  if (returns.length === 0) return Number.NaN
  return (1 + cumulativeReturn(returns)) ** (periodsPerYear / returns.length) - 1
}

/** Sample standard deviation × √periods per year. NaN under two figures. */
export function annualVolatility(returns: readonly number[], periodsPerYear: number): number {
  return moments(returns).deviation * Math.sqrt(periodsPerYear)
}

/**
 * Mean excess return ÷ its sample standard deviation × √periods per year (Sharpe 1994). NaN under two figures and for 0 ÷ 0;
 * infinite where returns never differ.
 *
 * @param riskFree return of a period that is earned without risk, or one for each period
 */
export function sharpeRatio(returns: readonly number[], riskFree: number | readonly number[], periodsPerYear: number): number {
  const excess = returns.map((value, index) => value - (typeof riskFree === 'number' ? riskFree : (riskFree[index] ?? Number.NaN)))
  const { mean, deviation } = moments(excess)
  return (mean / deviation) * Math.sqrt(periodsPerYear)
}

/** Welford's running mean, which stays exact where all figures are equal, so that their deviation is 0 and not dust. */
function moments(values: readonly number[]): { mean: number; deviation: number } {
  let count = 0
  let mean = 0
  let squares = 0
  for (const value of values) {
    if (Number.isNaN(value)) continue
    count += 1
    const distance = value - mean
    mean += distance / count
    squares += distance * (value - mean)
  }
  return { mean, deviation: count < 2 ? Number.NaN : Math.sqrt(squares / (count - 1)) }
}

function orNoChange(value: number): number {
  return Number.isNaN(value) ? 0 : value
}
