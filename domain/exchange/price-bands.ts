import { Side } from '@maru/contracts/commands'
import { mulDiv } from '../money/index.ts'
import type { Market } from './markets.ts'
import { Refusal } from './refusals.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { buy } = Side

const million = 1_000_000

/** What operators set of a market. 0 switches a figure off; ppm are millionths. */
export interface MarketRules {
  /** How far from the reference price a market order trades at most. */
  collarPpm: number
  /** How far beyond the reference price a limit order may be priced on its aggressive side. */
  limitBandPpm: number
  /** Maintenance margin, of the notional at the reference price. */
  maintenancePpm: number
  /** A move of so much within the window halts the market for so long, then calls an auction of so long (0: none). */
  haltMovePpm: number
  haltWindowMs: number
  haltForMs: number
  auctionForMs: number
}

export const defaultMarketRules: Readonly<MarketRules> = {
  collarPpm: 0,
  limitBandPpm: 0,
  maintenancePpm: 50_000,
  haltMovePpm: 0,
  haltWindowMs: 0,
  haltForMs: 0,
  auctionForMs: 0,
}

/** The highest price at most `ppm` above another. */
function highestWithin(price: number, ppm: number): number {
  return price + mulDiv(price, ppm, million, 'down')
}

function lowestWithin(price: number, ppm: number): number {
  return price - mulDiv(price, ppm, million, 'down')
}

/** The worst key that a market order trades at: keys grow towards better prices (see BookSide). The collar is around the reference price as it is now. */
export function marketKey(market: Market, side: Side): number {
  const { collarPpm } = market.rules
  if (collarPpm === 0) return Number.NEGATIVE_INFINITY
  const reference = market.referencePrice
  if (reference === 0) return Number.NEGATIVE_INFINITY
  return side === buy ? -highestWithin(reference, collarPpm) : lowestWithin(reference, collarPpm)
}

/** Whether a price is too far beyond another on the side on which it gives more away. */
export function bandRefusal(market: Market, side: Side, price: number, reference: number): number {
  const { limitBandPpm } = market.rules
  if (limitBandPpm === 0 || reference === 0) return 0
  const isWithin = side === buy ? price <= highestWithin(reference, limitBandPpm) : price >= lowestWithin(reference, limitBandPpm)
  return isWithin ? 0 : Refusal.price_collar
}

/** Whether a price is further from another than `ppm`, on either side. */
export function isMove(from: number, low: number, high: number, ppm: number): boolean {
  return high > highestWithin(from, ppm) || low < lowestWithin(from, ppm)
}
