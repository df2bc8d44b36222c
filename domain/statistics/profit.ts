import { multiply, type Fixed } from './fixed.ts'

/** A position at one moment, in base and quote units of its symbol. */
export interface PositionAt {
  /** Negative when short. */
  quantity: Fixed
  averagePrice: Fixed
  markPrice: Fixed
  /** Base asset deposited less withdrawn since the position was last reported, and its value at the marks of those moments. */
  movedQuantity: Fixed
  movedValue: Fixed
}

/** Sums over the fills of one symbol in a period. */
export interface FillSums {
  trades: number
  /** Fills that reduced a position, and those of them that gained after their fee. */
  closing: number
  winning: number
  volume: Fixed
  fees: Fixed
  /** Before fees. */
  grossRealized: Fixed
}

export interface Profit {
  /** `realized` plus what the unrealised profit changed by. */
  total: Fixed
  /** After fees. */
  realized: Fixed
  /** At the end of the period. */
  unrealized: Fixed
  fees: Fixed
  volume: Fixed
  trades: number
  closing: number
  winning: number
}

/**
 * quantity × (mark − average), plus what came in or went out since, each at its own mark: a deposit enters a position at the
 * mark of its moment, so it is never profit by itself.
 */
export function unrealizedProfit(position: PositionAt): Fixed {
  const held = multiply(position.quantity, position.markPrice - position.averagePrice)
  return held + multiply(position.movedQuantity, position.markPrice) - position.movedValue
}

/** Profit of one symbol over a period from the fills in it and the position at its two ends. */
export function profitOf(fills: FillSums, start: PositionAt, end: PositionAt): Profit {
  const { trades, closing, winning, volume, fees } = fills
  const realized = fills.grossRealized - fees
  const unrealized = unrealizedProfit(end)
  return { total: realized + unrealized - unrealizedProfit(start), realized, unrealized, fees, volume, trades, closing, winning }
}

/** Sum over symbols. */
export function totalProfit(profits: Iterable<Profit>): Profit {
  const sum: Profit = { total: 0n, realized: 0n, unrealized: 0n, fees: 0n, volume: 0n, trades: 0, closing: 0, winning: 0 }
  for (const profit of profits) {
    sum.total += profit.total
    sum.realized += profit.realized
    sum.unrealized += profit.unrealized
    sum.fees += profit.fees
    sum.volume += profit.volume
    sum.trades += profit.trades
    sum.closing += profit.closing
    sum.winning += profit.winning
  }
  return sum
}

/** Share of closing fills that gained, 0 … 1; undefined without any. */
export function winRate({ closing, winning }: Pick<Profit, 'closing' | 'winning'>): number | undefined {
  return closing === 0 ? undefined : winning / closing
}

/** Whether a fill reduced the position that stood before it, told from the position after it. */
export function isClosing(side: 'BUY' | 'SELL', quantity: Fixed, positionAfter: Fixed): boolean {
  return side === 'BUY' ? positionAfter - quantity < 0n : positionAfter + quantity > 0n
}
