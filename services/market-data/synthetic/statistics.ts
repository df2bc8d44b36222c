/** Figures by which recorded and synthetic markets are compared. */
export interface ReturnFigures {
  std: number
  kurtosis: number
  /** Median of |r| over std: small where calm minutes and wild ones alternate. */
  medianRatio: number
  /** Quantiles 0.99 and 0.999 of |r| over std: the tails. */
  tail99: number
  tail999: number
  /** Autocorrelation of |r| at `autocorrelationLags`, with |r| cut at 8 std so that a single shock does not decide it. */
  absoluteAutocorrelation: number[]
}

export const autocorrelationLags = [1, 5, 15, 60, 240] as const

/** Figures of 1-minute log returns. */
export function returnFigures(returns: readonly number[] | Float64Array): ReturnFigures {
  const count = returns.length
  let sum = 0
  for (const r of returns) sum += r
  const mean = sum / count
  let second = 0
  let fourth = 0
  for (const r of returns) {
    const square = (r - mean) ** 2
    second += square
    fourth += square * square
  }
  const std = Math.sqrt(second / count)
  const absolute = Float64Array.from(returns, Math.abs)
  const sorted = absolute.slice().sort()
  const at = (p: number) => sorted[Math.min(count - 1, Math.floor(p * count))]!
  const cut = absolute.map((value) => Math.min(value, 8 * std))
  return {
    std,
    kurtosis: fourth / count / std ** 4,
    medianRatio: at(0.5) / std,
    tail99: at(0.99) / std,
    tail999: at(0.999) / std,
    absoluteAutocorrelation: autocorrelationLags.map((lag) => autocorrelation(cut, lag)),
  }
}

function autocorrelation(values: Float64Array, lag: number): number {
  let sum = 0
  for (const value of values) sum += value
  const mean = sum / values.length
  let variance = 0
  let covariance = 0
  for (let index = 0; index < values.length; index++) {
    variance += (values[index]! - mean) ** 2
    if (index >= lag) covariance += (values[index]! - mean) * (values[index - lag]! - mean)
  }
  return covariance / variance
}

/** Quantile `p` of values that are sorted. */
export function quantile(sorted: readonly number[] | Float64Array, p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))]!
}
