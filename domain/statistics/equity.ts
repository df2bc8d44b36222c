import { multiply, type Fixed } from './fixed.ts'

/** A figure that keeps its value until the next step; oldest first, `at` in milliseconds since 1970. */
export type Steps = readonly { readonly at: number; readonly value: Fixed }[]

export interface EquitySample {
  at: number
  equity: Fixed
  /** Balance of the quote asset. */
  cash: Fixed
  /** All other assets at their marks. */
  positionsValue: Fixed
}

/** What `steps` stood at at each of `times` (ascending); `before` where the first step came later. */
export function sample(steps: Steps, times: readonly number[], before: Fixed): Fixed[] {
  let next = 0
  let value = before
  return times.map((time) => {
    for (let step = steps[next]; step !== undefined && step.at <= time; step = steps[++next]) value = step.value
    return value
  })
}

/**
 * Equity at each of `times` (ascending): the balances of the time, all but the quote asset valued at the marks of the time.
 * Before the first mark of an asset that first mark counts; an asset without any is worth 0.
 *
 * @param balances total of each asset, as it changed
 * @param marks price of each asset in the quote asset, as it changed
 */
export function equityCurve(input: {
  times: readonly number[]
  quoteAsset: string
  balances: ReadonlyMap<string, Steps>
  marks: ReadonlyMap<string, Steps>
}): EquitySample[] {
  const { times, quoteAsset, balances, marks } = input
  const samples = times.map((at) => ({ at, equity: 0n, cash: 0n, positionsValue: 0n }))
  for (const [asset, steps] of balances) {
    const totals = sample(steps, times, 0n)
    const assetMarks = marks.get(asset) ?? []
    const prices = asset === quoteAsset ? undefined : sample(assetMarks, times, assetMarks[0]?.value ?? 0n)
    for (const [index, point] of samples.entries()) {
      const total = totals[index] ?? 0n
      if (prices === undefined) point.cash += total
      else point.positionsValue += multiply(total, prices[index] ?? 0n)
    }
  }
  for (const point of samples) point.equity = point.cash + point.positionsValue
  return samples
}

/**
 * Times of the points of a curve: `from`, every whole multiple of `intervalMs` between, and `to`; ascending, each once.
 * Empty where `to` is before `from`.
 */
export function curveTimes(from: number, to: number, intervalMs: number): number[] {
  if (to < from) return []
  const times = [from]
  for (let at = (Math.floor(from / intervalMs) + 1) * intervalMs; at < to; at += intervalMs) times.push(at)
  if (to > from) times.push(to)
  return times
}

/** Number of points `curveTimes` would give, without making them. */
export function curveLength(from: number, to: number, intervalMs: number): number {
  if (to < from) return 0
  if (to === from) return 1
  return 2 + Math.ceil(to / intervalMs) - 1 - Math.floor(from / intervalMs)
}
