import type { ErrorCode } from '@maru/contracts'
import type { AssetView, MarketView } from '@maru/domain/exchange'
import { parseDecimal } from '@maru/domain/money'
import { Problem } from '@maru/service-host'

/** The decimals of the API as the state machine's integers; refused, never rounded. */

interface Refusals {
  tooPrecise: ErrorCode
  tooLarge: ErrorCode
  notPositive: ErrorCode
}

/** @param step units of which it must be a multiple */
function parse(value: string | number, scale: number, path: string, refusals: Refusals, hint: string, step = 1): number {
  const units = parseDecimal(value, scale)
  const refuse = (code: ErrorCode, message: string): Problem => new Problem(code, `${path}: ${message}`, { errors: [{ path, message }] })
  if (units === 'malformed') throw refuse('invalid_request', 'must be a positive decimal')
  if (units === 'too_precise') throw refuse(refusals.tooPrecise, hint)
  if (units === 'too_large') throw refuse(refusals.tooLarge, 'is larger than can be counted exactly')
  if (units <= 0) throw refuse(refusals.notPositive, 'must be positive')
  if (units % step !== 0) throw refuse(refusals.tooPrecise, hint)
  return units / step
}

export function parsePrice(market: MarketView, value: string | number, path: string): number {
  const tick = String(market.tickUnits / 10 ** market.priceScale)
  return parse(
    value,
    market.priceScale,
    path,
    { tooPrecise: 'tick_size', tooLarge: 'price_out_of_range', notPositive: 'invalid_price' },
    `must be a multiple of the tick size ${tick}`,
    market.tickUnits,
  )
}

export function parseQuantity(market: MarketView, value: string | number, path: string): number {
  const lot = String(market.lotUnits / 10 ** market.quantityScale)
  return parse(
    value,
    market.quantityScale,
    path,
    { tooPrecise: 'lot_size', tooLarge: 'quantity_too_large', notPositive: 'invalid_quantity' },
    `must be a multiple of the lot size ${lot}`,
    market.lotUnits,
  )
}

export function parseAmount(asset: AssetView, value: string | number, path: string): number {
  return parse(
    value,
    asset.scale,
    path,
    { tooPrecise: 'invalid_amount', tooLarge: 'amount_too_large', notPositive: 'invalid_amount' },
    `must have at most ${asset.scale} decimals`,
  )
}
