import { Side } from '@maru/contracts/commands'
import { modeFlag } from './account-controls.ts'
import type { Core } from './core.ts'
import type { Market } from './markets.ts'
import * as valuation from './valuation.ts'

/** The mode of a margin account is its flag. */
const marginFlag: number = modeFlag

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { inRiskAsset } = valuation
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
  const account = positions.account(position)
  if ((core.accounts.flags(account) & marginFlag) !== 0) noteBorrowing(core, account, position)
  if (net !== 0) core.accounts.addDayRealized(account, core.day, inRiskAsset(core, market.quote, net))
  return realized
}

/** A margin account that owes after a fill is one to be watched. */
function noteBorrowing(core: Core, account: number, position: number): void {
  const { positions, balances, borrowers } = core
  if (balances.total(positions.baseBalance(position)) < 0 || balances.total(positions.quoteBalance(position)) < 0) borrowers.note(account)
}
