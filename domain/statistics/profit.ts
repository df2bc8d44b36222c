import { multiply, type Fixed } from './fixed.ts'

/** A position as its events tell it: base units, negative when short, at the average price of their entry in quote units. */
export interface Entry {
  quantity: Fixed
  averagePrice: Fixed
}

/** What an account held of a base asset at one moment, and what one unit was worth then. */
export interface Holding {
  quantity: Fixed
  markPrice: Fixed
}

/** Sums over the fills of one symbol in a period. */
export interface FillSums {
  trades: number
  /** Fills that reduced a position, and those of them that gained after their fee. */
  closing: number
  winning: number
  volume: Fixed
  /** Quote asset received by selling less paid by buying, before fees. */
  cash: Fixed
  fees: Fixed
  /** Before fees. */
  grossRealized: Fixed
}

export interface Profit {
  /**
   * What the holding is worth more, less what was put into it, plus what was taken out. It is `realized` plus the change of
   * `unrealized`, plus the gain that withdrawals of the base asset carried away unrealised.
   */
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
 * The position after base asset came (> 0) or went (< 0) without a trade, as the exchange keeps it: what adds enters at the mark of the
 * moment, what reduces leaves at the average, and what crosses zero enters at the mark.
 */
export function moveIntoPosition({ quantity, averagePrice }: Entry, moved: Fixed, markPrice: Fixed): Entry {
  const left = quantity + moved
  if (left === 0n) return { quantity: 0n, averagePrice: 0n }
  const isReduced = quantity !== 0n && moved > 0n !== quantity > 0n
  if (!isReduced) return { quantity: left, averagePrice: (quantity * averagePrice + moved * markPrice) / left }
  return { quantity: left, averagePrice: left > 0n === quantity > 0n ? averagePrice : markPrice }
}

/** quantity × (mark − average). */
export function unrealizedProfit({ quantity, averagePrice }: Entry, markPrice: Fixed): Fixed {
  return multiply(quantity, markPrice - averagePrice)
}

/**
 * Profit of one symbol over a period.
 *
 * @param moved value of the base asset deposited less withdrawn in the period, each at the mark of its moment: never profit
 * @param entry the position at the end
 */
export function profitOf(of: { fills: FillSums; start: Holding; end: Holding; moved: Fixed; entry: Entry }): Profit {
  const { fills, start, end, moved, entry } = of
  const { trades, closing, winning, volume, fees } = fills
  const grown = multiply(end.quantity, end.markPrice) - multiply(start.quantity, start.markPrice)
  return {
    total: grown - moved + fills.cash - fees,
    realized: fills.grossRealized - fees,
    unrealized: unrealizedProfit(entry, end.markPrice),
    fees,
    volume,
    trades,
    closing,
    winning,
  }
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
