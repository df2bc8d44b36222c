import { MarketStatus, type AddAsset, type AddMarket, type MarkPrice, type SetMarketStatus } from '@maru/contracts/commands'
import { amountMax } from '../money/index.ts'
import type { Core } from './core.ts'
import { feeMaxPpm } from './fees.ts'
import { setPhase } from './market-phases.ts'
import { Asset, Market, marketFactors, type MarketTerms } from './markets.ts'
import { none } from './no-slot.ts'
import { EventKind } from './outcome.ts'
import { Refusal } from './refusals.ts'
import { dailyLossMaxDefault, positionMaxDefault } from './risk.ts'
import { riskAssetOf } from './valuation.ts'

const assetsMax = 1_024
const marketsMax = 1_024
const scaleMax = 18
const assetName = /^[A-Z0-9]{1,12}$/

export function addAsset(core: Core, { name, scale }: AddAsset): void {
  if (typeof name !== 'string' || !assetName.test(name) || !isScale(scale)) {
    core.emitRefused(Refusal.invalid_request)
    return
  }
  const known = core.assetByName.get(name)
  if (known !== undefined) {
    if (core.assets[known]!.scale === scale) core.emitRepeated()
    else core.emitRefused(Refusal.already_exists)
  } else if (core.assets.length >= assetsMax) core.emitRefused(Refusal.overloaded)
  else createAsset(core, name, scale)
}

export function createAsset(core: Core, name: string, scale: number): Asset {
  const asset = new Asset(name, scale)
  core.assetByName.set(name, core.assets.length)
  core.assets.push(asset)
  return asset
}

export function addMarket(core: Core, command: AddMarket): void {
  const terms = termsOf(command)
  const known = core.symbolByName.get(terms.name)
  if (known !== undefined) {
    if (sameTerms(core.markets[known]!.terms, terms)) core.emitRepeated()
    else core.emitRefused(Refusal.already_exists)
    return
  }
  const refusal = core.markets.length >= marketsMax ? Refusal.overloaded : createMarket(core, terms)
  if (refusal !== 0) core.emitRefused(refusal)
  else core.markets.at(-1)!.setStopped(core.isKilled)
}

/** Adds a market; 0 or why it cannot be. */
export function createMarket(core: Core, terms: MarketTerms): number {
  const [baseName = '', quoteName = ''] = String(terms.name).split('/')
  const base = core.assetByName.get(baseName)
  const quote = core.assetByName.get(quoteName)
  if (base === undefined || quote === undefined) return Refusal.asset_not_found
  if (base === quote || terms.name !== `${baseName}/${quoteName}` || !areTerms(terms)) return Refusal.invalid_request
  const quoteScale = core.assets[quote]!.scale
  const factors = marketFactors(terms, core.assets[base]!.scale, quoteScale)
  if (!factors || terms.priceMaxTicks * factors.notional > amountMax || terms.quantityMaxLots * factors.lot > amountMax)
    return Refusal.invalid_request
  const symbol = core.markets.length
  const positionNotionalMax = units(positionMaxDefault, quoteScale)
  const market = new Market({
    symbol,
    terms,
    base,
    quote,
    factors,
    positionNotionalMax,
    stores: core,
  })
  core.markets.push(market)
  core.marketViews.push(market.view)
  core.symbolByName.set(terms.name, symbol)
  if (symbol === 0) core.dailyLossMax = units(dailyLossMaxDefault, quoteScale)
  const asset = core.assets[base]!
  if (asset.positionSymbol === none) asset.positionSymbol = symbol
  if (asset.valuationSymbol === none && quote === riskAssetOf(core)) asset.valuationSymbol = symbol
  return 0
}

function units(whole: number, scale: number): number {
  return Math.min(whole * 10 ** scale, amountMax)
}

/** The terms alone, in one order of fields. */
function termsOf(command: AddMarket): MarketTerms {
  const {
    name,
    priceScale,
    quantityScale,
    tickUnits,
    lotUnits,
    quantityMinLots,
    quantityMaxLots,
    priceMaxTicks,
    notionalMin,
    makerFeePpm,
    takerFeePpm,
  } = command
  return {
    name,
    priceScale,
    quantityScale,
    tickUnits,
    lotUnits,
    quantityMinLots,
    quantityMaxLots,
    priceMaxTicks,
    notionalMin,
    makerFeePpm,
    takerFeePpm,
  }
}

function sameTerms(a: MarketTerms, b: MarketTerms): boolean {
  return (Object.keys(a) as (keyof MarketTerms)[]).every((key) => a[key] === b[key])
}

function areTerms(terms: MarketTerms): boolean {
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1
  const isFee = (value: number): boolean => Number.isSafeInteger(value) && value >= 0 && value <= feeMaxPpm
  return (
    isScale(terms.priceScale) &&
    isScale(terms.quantityScale) &&
    isCount(terms.tickUnits) &&
    isCount(terms.lotUnits) &&
    isCount(terms.quantityMinLots) &&
    isCount(terms.quantityMaxLots) &&
    terms.quantityMinLots <= terms.quantityMaxLots &&
    isCount(terms.priceMaxTicks) &&
    Number.isSafeInteger(terms.notionalMin) &&
    terms.notionalMin >= 0 &&
    isFee(terms.makerFeePpm) &&
    isFee(terms.takerFeePpm)
  )
}

function isScale(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= scaleMax
}

/** Sets the reference price of a market. Stops that it reaches are woken by the caller. */
export function markPrice(core: Core, { symbol, price }: MarkPrice): void {
  const market = core.market(symbol)
  if (!market) core.emitRefused(Refusal.symbol_not_found)
  else if (!Number.isSafeInteger(price) || price <= 0) core.emitRefused(Refusal.invalid_price)
  else if (price > market.priceMax) core.emitRefused(Refusal.price_out_of_range)
  else {
    market.mark = price
    market.latestPrice = price
    core.marked = price
    const at = core.outcome.begin(EventKind.markUpdated, 2)
    core.outcome.data[at] = symbol
    core.outcome.data[at + 1] = price
  }
}

/** Opens, restricts or halts a market. On opening, stops that were passed meanwhile are looked at again, at the latest price. */
export function setMarketStatus(core: Core, command: SetMarketStatus): void {
  const { symbol, status } = command
  const market = core.market(symbol)
  if (market && core.rules > 1) setPhase(core, market, command)
  else if (!market) core.emitRefused(Refusal.symbol_not_found)
  else if (status !== MarketStatus.open && status !== MarketStatus.cancelOnly && status !== MarketStatus.halted)
    core.emitRefused(Refusal.invalid_request)
  else if (market.status === status) core.emitRepeated()
  else {
    market.setStatus(status)
    core.hasOpened = status === MarketStatus.open
    const at = core.outcome.begin(EventKind.marketStatusChanged, 2)
    core.outcome.data[at] = symbol
    core.outcome.data[at + 1] = status
  }
}
