import type { MarketView } from '@maru/domain/exchange'

/** A reference price of a market, in its ticks. */
export interface Reference {
  bidTicks: number
  askTicks: number
}

export interface QuoteBudget {
  /** Minor units of the quote asset the house may lay into bids. */
  quoteUnits: number
  /** Lots it may lay into asks. */
  lots: number
}

/** Distance of a level from the reference's own bid and ask, in hundredths of a per cent, and the notional offered there, in whole quote units. */
const levels = [
  { distanceBp: 0, notional: 25_000 },
  { distanceBp: 1, notional: 50_000 },
  { distanceBp: 3, notional: 100_000 },
  { distanceBp: 6, notional: 200_000 },
  { distanceBp: 10, notional: 400_000 },
  { distanceBp: 20, notional: 800_000 },
] as const

/** Share of what the house holds that it shows at once, so that fills never take more than it has. */
const budgetShare = 0.9

/** Ladders around the reference: pairs of ticks and lots, best first, within the budget. An empty side where it has nothing. */
export function quoteLadders(
  market: MarketView,
  quoteScale: number,
  reference: Reference,
  budget: QuoteBudget,
): { bids: number[]; asks: number[] } {
  const bids: number[] = []
  const asks: number[] = []
  let quoteLeft = budget.quoteUnits * budgetShare
  let lotsLeft = budget.lots * budgetShare
  let lastBid = Number.POSITIVE_INFINITY
  let lastAsk = 0
  for (const { distanceBp, notional } of levels) {
    const bid = Math.min(Math.floor(reference.bidTicks * (1 - distanceBp / 10_000)), lastBid - 1)
    const ask = Math.max(Math.ceil(reference.askTicks * (1 + distanceBp / 10_000)), lastAsk + 1)
    if (bid > 0) {
      const lots = lotsFor(market, quoteScale, notional, bid, quoteLeft)
      if (lots > 0) {
        bids.push(bid, lots)
        quoteLeft -= bid * lots * market.notionalFactor * feeRoom
      }
    }
    const lots = Math.min(lotsFor(market, quoteScale, notional, ask, Number.POSITIVE_INFINITY), Math.floor(lotsLeft))
    if (lots >= market.quantityMinLots) {
      asks.push(ask, lots)
      lotsLeft -= lots
    }
    lastBid = bid
    lastAsk = ask
  }
  return { bids, asks }
}

/** A bid also holds its fee. */
const feeRoom = 1.01

function lotsFor(market: MarketView, quoteScale: number, notional: number, ticks: number, quoteLeft: number): number {
  const unitsPerLot = ticks * market.notionalFactor
  const lots = Math.floor(Math.min((notional * 10 ** quoteScale) / unitsPerLot, quoteLeft / (unitsPerLot * feeRoom)))
  return lots >= market.quantityMinLots ? Math.min(lots, market.quantityMaxLots) : 0
}
