import { mulDiv, amountMax } from '../money/index.ts'
import type { Core } from './core.ts'
import { none } from './no-slot.ts'
import { Refusal } from './refusals.ts'
import { exposureOf, leverageMaxOf } from './risk.ts'
import { equityOf, inRiskAsset } from './valuation.ts'

const million = 1_000_000

/** Whether an account has less than nothing of some asset. */
export function owes(core: Core, account: number): boolean {
  const { balances } = core
  for (let balance = core.accounts.firstBalance(account); balance !== none; balance = balances.nextOfAccount(balance)) {
    if (balances.total(balance) < 0) return true
  }
  return false
}

/** Notional of a position at the reference price of its market, in the risk asset. */
export function notionalOf(core: Core, position: number): number {
  const { positions } = core
  const market = core.markets[positions.symbol(position)]!
  const notional = Math.abs(positions.quantity(position)) * market.referencePrice * market.notionalFactor
  return inRiskAsset(core, market.quote, Math.min(notional, amountMax))
}

/** Equity below which an account that owes is liquidated: of each position the share its market asks for, rounded up. In the risk asset. */
export function maintenanceOf(core: Core, account: number): number {
  const { positions } = core
  let maintenance = 0
  for (let position = core.accounts.firstPosition(account); position !== none; position = positions.nextOfAccount(position)) {
    const { maintenancePpm } = core.markets[positions.symbol(position)]!.rules
    if (positions.quantity(position) !== 0) maintenance += mulDiv(notionalOf(core, position), maintenancePpm, million, 'up')
  }
  return Math.min(maintenance, amountMax)
}

/** Equity that the worst case of positions and open orders asks for at the leverage limit, rounded up. In the risk asset. */
export function initialMarginOf(core: Core, account: number): number {
  return Math.min(mulDiv(Math.min(exposureOf(core, account), amountMax), 100, Math.max(leverageMaxOf(core, account), 1), 'up'), amountMax)
}

/** Whether an account that owes has less equity than its positions ask for. */
export function isBelowMaintenance(core: Core, account: number): boolean {
  return owes(core, account) && equityOf(core, account) < maintenanceOf(core, account)
}

/** Whether funds may leave an account: one that owes keeps the equity that its exposure asks for. What it sold short is no money of its own. */
export function collateralRefusal(core: Core, account: number, asset: number, amount: number): number {
  if (core.rules === 1 || !owes(core, account)) return 0
  const left = equityOf(core, account) - inRiskAsset(core, asset, amount)
  return left < initialMarginOf(core, account) ? Refusal.insufficient_funds : 0
}
