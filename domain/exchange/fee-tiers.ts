import type { SetFees } from '@maru/contracts/commands'
import { tierFlag as tierBit } from './account-controls.ts'
import { feeTierMax } from './account-settings.ts'
import type { Core } from './core.ts'
import { feeMaxPpm } from './fees.ts'
import type { Market } from './markets.ts'
import { none } from './no-slot.ts'
import { EventKind } from './outcome.ts'
import { Refusal } from './refusals.ts'

/** A constant of this module is folded into the machine code; an imported one is looked up at each use. */
const tierFlag: number = tierBit

/** Millionths of the notional. */
export interface FeeRates {
  readonly makerFeePpm: number
  readonly takerFeePpm: number
}

/** What accounts of each tier pay, by market; -1 is every market that the tier has no rates for. */
export type FeeTiers = Map<number, Map<number, FeeRates>>

/** What a taker of an account pays in a market. */
export function takerPpmOf(core: Core, market: Market, account: number): number {
  return (core.accounts.flags(account) & tierFlag) === 0 ? market.takerFeePpm : ratesOf(core, market, account).takerFeePpm
}

export function makerPpmOf(core: Core, market: Market, account: number): number {
  return (core.accounts.flags(account) & tierFlag) === 0 ? market.makerFeePpm : ratesOf(core, market, account).makerFeePpm
}

/** Never more than the market's own, so that what an order holds, which counts with those, is enough for every account. */
export function ratesOf(core: Core, market: Market, account: number): FeeRates {
  const tier = core.feeTiers.get(core.accounts.controls(account).feeTier)
  const rates = tier?.get(market.symbol) ?? tier?.get(none)
  if (!rates) return market
  return { makerFeePpm: Math.min(rates.makerFeePpm, market.makerFeePpm), takerFeePpm: Math.min(rates.takerFeePpm, market.takerFeePpm) }
}

/** Sets the fees of a tier in one market or in all. In one market they may not be above its own; in all, the lesser of both holds in each. */
export function setFees(core: Core, { tier, symbol, makerFeePpm, takerFeePpm }: SetFees): void {
  const market = core.market(symbol)
  const isRate = (ppm: number, max: number): boolean => Number.isSafeInteger(ppm) && ppm >= 0 && ppm <= max
  if (!Number.isSafeInteger(tier) || tier < 1 || tier > feeTierMax) core.emitRefused(Refusal.invalid_request)
  else if (symbol !== none && !market) core.emitRefused(Refusal.symbol_not_found)
  else if (!isRate(makerFeePpm, market?.makerFeePpm ?? feeMaxPpm) || !isRate(takerFeePpm, market?.takerFeePpm ?? feeMaxPpm)) {
    core.emitRefused(Refusal.invalid_amount)
  } else {
    let rates = core.feeTiers.get(tier)
    if (!rates) core.feeTiers.set(tier, (rates = new Map()))
    rates.set(symbol, { makerFeePpm, takerFeePpm })
    const at = core.outcome.begin(EventKind.feesChanged, 4)
    core.outcome.data.set([tier, symbol, makerFeePpm, takerFeePpm], at)
  }
}

/** Every rate that was set, in the order of tiers, then of markets. */
export function allRates(core: Core): { tier: number; symbol: number; rates: FeeRates }[] {
  return [...core.feeTiers]
    .flatMap(([tier, byMarket]) => [...byMarket].map(([symbol, rates]) => ({ tier, symbol, rates })))
    .sort((a, b) => a.tier - b.tier || a.symbol - b.symbol)
}
