import type { RecordedRow } from './csv-file.ts'

/** A step of the price within a minute. */
export interface PathPoint {
  /** 0 at the start of the minute, below 1. */
  share: number
  price: number
  quantity: number
}

type CandleRow = Extract<RecordedRow, { kind: 'candle' }>

/**
 * A way of the price through a candle in `points` steps (at least 4): from the open by the nearer extreme and the farther one (low first in a
 * rising minute, high first in a falling one) to the close, in whole ticks between. The volume is spread evenly in whole lots, what is left
 * over on the last step. A candle made of the points equals the row exactly.
 */
export function pricePath(row: CandleRow, points: number, tickUnits: number, lotUnits: number): PathPoint[] {
  const rising = row.close >= row.open
  const last = points - 1
  const first = Math.max(1, Math.round(last / 3))
  const second = Math.max(first + 1, Math.round((2 * last) / 3))
  const corners: [number, number][] = [
    [0, row.open],
    [first, rising ? row.low : row.high],
    [second, rising ? row.high : row.low],
    [last, row.close],
  ]
  const each = Math.floor(row.volume / lotUnits / points) * lotUnits
  const result: PathPoint[] = []
  let leg = 0
  for (let index = 0; index < points; index++) {
    while (leg < 2 && index > corners[leg + 1]![0]) leg++
    const [fromIndex, from] = corners[leg]!
    const [toIndex, to] = corners[leg + 1]!
    let price = from + Math.round(((to - from) * (index - fromIndex)) / (toIndex - fromIndex) / tickUnits) * tickUnits
    if (index === fromIndex) price = from
    if (index === toIndex) price = to
    result.push({
      share: index / points,
      price: Math.min(Math.max(price, row.low), row.high),
      quantity: index === last ? row.volume - each * last : each,
    })
  }
  return result
}
