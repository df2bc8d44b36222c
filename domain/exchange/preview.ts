import { AccountMode, MarketStatus, OrderType, SelfTrade, Side, TimeInForce, type PlaceOrder } from '@maru/contracts/commands'
import { mulDiv } from '../money/index.ts'
import { lotsForValue, walkBook } from './book-walk.ts'
import type { Core } from './core.ts'
import { unfilledRefusal } from './execution.ts'
import { holdFor } from './fees.ts'
import type { Market } from './markets.ts'
import { leastKey } from './matching.ts'
import { none } from './no-slot.ts'
import { orderRefusal, restPrice } from './order-checks.ts'
import { isWellFormed } from './order-form.ts'
import { marketKey } from './price-bands.ts'
import { reducibleLots } from './reduce-only.ts'
import { Refusal } from './refusals.ts'
import { leverageMaxOf } from './risk.ts'

/** What would become of an order now. */
export interface OrderPreview {
  /** 0, or why it would be refused, or would expire without a fill. */
  refusal: number
  /** Lots it would trade at once, what they cost without fees, the fees, and the worst price among them; 0 where it would trade none. */
  lots: number
  notional: number
  fees: number
  worstPrice: number
  /** The asset it pays with: quote for a buy, base for a sell. */
  asset: number
  /** What it would pay and hold of it, minor units; and what would be available of it then. */
  required: number
  availableAfter: number
  /** Of a margin account: what its equity must bear for this order at its leverage limit, quote minor units. */
  initialMargin: number
}

/** Looks at an order as if it were placed now, and changes nothing: not even a record of a position is made. Its account and market must be there. */
export function previewOrder(core: Core, order: PlaceOrder): OrderPreview {
  const market = core.market(order.symbol)!
  const { positions, balances } = core
  const found = positions.find(order.account, market.symbol)
  const position = found === none ? positions.scratch(order.account, market.symbol, market.base, market.quote) : found
  const preview = blank(market, order)
  const balance = positions.heldBalance(position, order.side)
  preview.availableAfter = balances.available(balance)
  if (!isWellFormed(order, core.rules)) return { ...preview, refusal: Refusal.invalid_request }
  if (order.clientOrderId !== '' && core.clientOrders.find(order.account, order.clientOrderId) >= 0)
    return { ...preview, refusal: Refusal.client_order_id_reused }
  const counted = countedOrder(core, market, position, order)
  const refusal = orderRefusal(core, market, position, counted)
  if (refusal !== 0) return { ...preview, refusal }
  const unfilled = trade(core, market, position, counted, preview)
  if (unfilled !== 0) return { ...preview, refusal: unfilled }
  const isReduced = counted.extras?.isReduceOnly === true && preview.lots === reducibleLots(core, position, order.side)
  const resting = isReduced ? 0 : restingLots(core, counted, preview.lots)
  const price = restPrice(market, counted)
  const hold = resting === 0 ? 0 : holdFor(market, order.side, price, resting)
  preview.required = (order.side === Side.buy ? preview.notional + preview.fees : preview.lots * market.lotFactor) + hold
  preview.availableAfter -= preview.required
  if (core.accounts.mode(order.account) === AccountMode.margin) {
    const notional = preview.notional + resting * price * market.notionalFactor
    preview.initialMargin = mulDiv(notional, 100, Math.max(leverageMaxOf(core, order.account), 1), 'up')
  }
  return preview
}

function blank(market: Market, { side }: PlaceOrder): OrderPreview {
  const asset = side === Side.buy ? market.quote : market.base
  return { refusal: 0, lots: 0, notional: 0, fees: 0, worstPrice: 0, asset, required: 0, availableAfter: 0, initialMargin: 0 }
}

/** A market order by value as the one by quantity that it becomes. */
function countedOrder(core: Core, market: Market, position: number, order: PlaceOrder): PlaceOrder {
  const value = order.extras?.quoteQuantity ?? 0
  if (value === 0) return order
  return { ...order, quantity: lotsForValue(core, market, position, order.side, value) || market.terms.quantityMinLots }
}

/** Fills in what it would trade at once; why it would expire instead, or 0. */
function trade(core: Core, market: Market, position: number, order: PlaceOrder, preview: OrderPreview): number {
  const { side, orderType, timeInForce, extras } = order
  const quantity = extras?.isReduceOnly ? Math.min(order.quantity, reducibleLots(core, position, side)) : order.quantity
  const isMarket = orderType === OrderType.market
  if ((!isMarket && orderType !== OrderType.limit) || market.status === MarketStatus.auction) return 0
  const minKey = isMarket ? marketKey(market, side) : leastKey(side, order.price)
  walkBook(core, market, position, side, quantity, minKey, extras?.selfTrade ?? SelfTrade.expireTaker)
  const { walk } = core
  if (timeInForce === TimeInForce.fok && walk.lots < order.quantity) return Refusal.fok_not_filled
  if (walk.lots === 0 && walk.isOwn) return Refusal.self_trade_prevented
  if (walk.lots === 0 && isMarket) return unfilledRefusal(market, side)
  if (walk.lots === 0 && timeInForce === TimeInForce.ioc) return Refusal.ioc_not_filled
  preview.lots = walk.lots
  preview.notional = walk.notional
  preview.fees = walk.fees
  preview.worstPrice = walk.worstPrice
  return 0
}

/** Lots that would wait, in the book or as a stop. */
function restingLots({ walk }: Core, { orderType, timeInForce, quantity }: PlaceOrder, traded: number): number {
  if (orderType === OrderType.market) return 0
  if (orderType !== OrderType.limit) return quantity
  const mayRest = timeInForce === TimeInForce.gtc || timeInForce === TimeInForce.gtd
  // In an auction nothing was walked.
  const isWalked = traded > 0
  return !mayRest || (isWalked && walk.isOwn) ? 0 : quantity - traded - (isWalked ? walk.prevented : 0)
}
