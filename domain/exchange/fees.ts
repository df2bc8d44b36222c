import { Side } from '@maru/contracts/commands'
import { amountMax as unitsMax } from '../money/index.ts'
import type { Market } from './markets.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { sell } = Side
const amountMax: number = unitsMax

const million = 1_000_000
/** Greatest fee of a market: a tenth. */
export const feeMaxPpm = 100_000
/** Largest notional of an order: with the greatest fee it can still be counted. Quote minor units. */
export const notionalMax = Math.floor(amountMax / 1.1)

/**
 * Fee of a fill, rounded down: floors of parts never sum to more than the floor of the whole, so a hold for the whole covers them.
 *
 * @param notional quote minor units, 0 … 2^53 - 1
 * @param ppm millionths, 0 … 1,000,000
 */
export function feeOf(notional: number, ppm: number): number {
  const product = notional * ppm
  if (product <= amountMax) return Math.floor(product / million)
  const whole = Math.floor(notional / million)
  return whole * ppm + Math.floor(((notional - whole * million) * ppm) / million)
}

/**
 * What an open order holds: a sell its base, a buy its notional with the greater of both fees. The notional is at most `notionalMax`.
 */
export function holdFor(market: Market, side: Side, price: number, lots: number): number {
  if (side === sell) return lots * market.lotFactor
  const notional = price * lots * market.notionalFactor
  return notional + feeOf(notional, market.feeMaxPpm)
}
