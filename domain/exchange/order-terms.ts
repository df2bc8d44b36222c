import { CommandKind, OrderType, type PlaceOrder } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import { isDetailed, isPostOnly, isReduceOnly, isWaiting, orderTypeOf, sideOf, timeInForceOf } from './traits.ts'

/** What is open of an order, as a request for it would ask, without its ids: for checks of an order that is changed, or whose time has come. */
export function termsOf(core: Core, slot: number): PlaceOrder {
  const { orders, positions } = core
  const traits = orders.traits(slot)
  // A stop with a limit that was triggered is a limit order.
  const hasBeenStop = orderTypeOf(traits) === OrderType.stopLimit && !isWaiting(traits)
  const orderType = hasBeenStop ? OrderType.limit : orderTypeOf(traits)
  const price = orders.price(slot)
  const details = isDetailed(traits) ? orders.details(slot) : undefined
  return {
    kind: CommandKind.placeOrder,
    time: 0,
    account: positions.account(orders.position(slot)),
    symbol: positions.symbol(orders.position(slot)),
    side: sideOf(traits),
    orderType,
    timeInForce: timeInForceOf(traits),
    quantity: orders.remaining(slot),
    price: orderType === OrderType.limit || orderType === OrderType.stopLimit ? price : 0,
    stopPrice: orderType === OrderType.stop ? price : (details?.stopPrice ?? 0),
    clientOrderId: '',
    extras: details
      ? {
          isPostOnly: isPostOnly(traits),
          isReduceOnly: isReduceOnly(traits),
          selfTrade: details.selfTrade,
          trigger: details.trigger,
          displayQuantity: Math.min(details.displayQuantity, orders.remaining(slot)),
          expiresAtMs: details.expiresAtMs,
          trailingOffset: details.trailingOffset,
          trailingUnit: details.trailingUnit,
          quoteQuantity: 0,
        }
      : null,
  }
}
