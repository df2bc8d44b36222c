import { amountMax as unitsMax, mulDiv } from '../money/index.ts'
import type { Core } from './core.ts'
import { none as noSlot } from './no-slot.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const none: number = noSlot
const amountMax: number = unitsMax

/** The asset in which equity, exposure and limits are counted: the quote of the first market; -1 before there is one. */
export function riskAssetOf(core: Core): number {
  return core.markets[0]?.quote ?? none
}

/**
 * Value of an amount of an asset in the risk asset, at the mark (or last price) of the market between the two, rounded towards zero.
 * 0 where there is no such market or no price yet: what cannot be valued does not back anything.
 *
 * @param units signed minor units
 */
export function inRiskAsset(core: Core, asset: number, units: number): number {
  if (units === 0 || asset === riskAssetOf(core)) return units
  const symbol = core.assets[asset]!.valuationSymbol
  if (symbol === none) return 0
  const market = core.markets[symbol]!
  const price = market.referencePrice
  if (price === 0) return 0
  // Values beyond 2^53 count as 2^53: what they are compared with is less.
  const value = Math.min(mulDiv(Math.abs(units), price * market.notionalFactor, market.lotFactor, 'down'), amountMax)
  return units < 0 ? -value : value
}

/** Everything an account has less everything it owes, in the risk asset. */
export function equityOf(core: Core, account: number): number {
  const { balances } = core
  let equity = 0
  for (let balance = core.accounts.firstBalance(account); balance !== none; balance = balances.nextOfAccount(balance)) {
    equity += inRiskAsset(core, balances.asset(balance), balances.total(balance))
  }
  return equity
}

/** What an account owes, in the risk asset. */
export function borrowedOf(core: Core, account: number): number {
  const { balances } = core
  let borrowed = 0
  for (let balance = core.accounts.firstBalance(account); balance !== none; balance = balances.nextOfAccount(balance)) {
    const total = balances.total(balance)
    if (total < 0) borrowed -= inRiskAsset(core, balances.asset(balance), total)
  }
  return borrowed
}
