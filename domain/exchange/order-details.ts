import { SelfTrade, TrailingUnit, TriggerPrice, type OrderExtras } from '@maru/contracts/commands'
import type { TrailGroup } from './trailing.ts'

/** What is kept of an order that is more than a plain one. Most orders have none of it, so it lies beside their records. Figures are 0 where there is none. */
export interface OrderDetails {
  selfTrade: SelfTrade
  trigger: TriggerPrice
  /** Lots shown at a time. */
  displayQuantity: number
  /** Lots shown now, of an iceberg in the book. */
  shown: number
  expiresAtMs: number
  trailingOffset: number
  trailingUnit: TrailingUnit
  /** Most quote minor units a market order by value trades. */
  quoteQuantity: number
  /** Of a stop, where it waits: what it holds for is its price. Of a trailing one, where it was triggered or closed. */
  stopPrice: number
  /** Of a trailing stop that is put back after a restart or an amendment: the best price it had seen. */
  best: number
  /** When it was last changed other than by a fill; 0 where it was not. */
  updatedAtMs: number
  /** Of a market order by value: the book had less than it asked for. */
  isCutShort: boolean
  /** Lots that were taken off instead of trading with an order of the same owner. */
  prevented: number
  /** Number of the list it belongs to. */
  list: number
  /** Of a trailing stop that waits: what it follows. */
  trail: TrailGroup | null
  /** Another leg of its list holds and exposes for both. */
  isShared: boolean
}

/** What an order has that asks for nothing more. */
export const plainExtras: OrderExtras = {
  isPostOnly: false,
  isReduceOnly: false,
  selfTrade: SelfTrade.expireTaker,
  trigger: TriggerPrice.lastOrMark,
  displayQuantity: 0,
  expiresAtMs: 0,
  trailingOffset: 0,
  trailingUnit: TrailingUnit.ticks,
  quoteQuantity: 0,
}

/** Details of an order with these extras; null where it has none. */
export function detailsOf(extras: OrderExtras | null): OrderDetails {
  const { selfTrade, trigger, displayQuantity, expiresAtMs, trailingOffset, trailingUnit, quoteQuantity } = extras ?? plainExtras
  return {
    selfTrade,
    trigger,
    displayQuantity,
    shown: 0,
    expiresAtMs,
    trailingOffset,
    trailingUnit,
    quoteQuantity,
    stopPrice: 0,
    best: 0,
    updatedAtMs: 0,
    isCutShort: false,
    prevented: 0,
    list: 0,
    trail: null,
    isShared: false,
  }
}
