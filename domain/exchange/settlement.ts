import { Side } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import type { Market } from './markets.ts'
import { inRiskAsset } from './valuation.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { buy } = Side

/**
 * Settles one side of a fill: base one way, quote the other, its fee to the fee account of the quote asset, and its position.
 * The other side, or the world outside, is settled by the caller; both together sum to zero.
 *
 * @returns realised P&L before the fee, quote minor units
 */
export function settle(core: Core, market: Market, position: number, side: Side, lots: number, price: number, fee: number): number {
  const { positions, balances } = core
  const unitPrice = price * market.notionalFactor
  const notional = unitPrice * lots
  const units = lots * market.lotFactor
  const sign = side === buy ? 1 : -1
  balances.add(positions.baseBalance(position), sign * units)
  balances.add(positions.quoteBalance(position), -sign * notional - fee)
  core.assets[market.quote]!.fees.add(fee)
  positions.addFees(position, fee)
  const realized = positions.fill(position, sign * lots, unitPrice, core.timeMs)
  if (positions.hasReduceOnly(position)) core.reduced.push(position)
  const net = realized - fee
  if (net !== 0) core.accounts.addDayRealized(positions.account(position), core.day, inRiskAsset(core, market.quote, net))
  return realized
}
