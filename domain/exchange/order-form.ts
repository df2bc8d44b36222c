import {
  OrderType,
  SelfTrade,
  Side,
  TimeInForce,
  TrailingUnit,
  TriggerPrice,
  type OrderExtras,
  type PlaceOrder,
} from '@maru/contracts/commands'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { limit, market, stop, stopLimit, trailingStop } = OrderType
const { buy, sell } = Side
const { fok, gtc, gtd, ioc } = TimeInForce

const clientOrderIdMax = 64

/** What intake checks too; an order that fails here was not made by our intake, or needs rules that are not switched on. */
export function isWellFormed(order: PlaceOrder, rules: number): boolean {
  const { side, orderType, timeInForce, clientOrderId, extras } = order
  if (typeof clientOrderId !== 'string' || clientOrderId.length > clientOrderIdMax) return false
  if (side !== buy && side !== sell) return false
  const isPlain =
    (orderType === limit || orderType === market || (orderType === stop && timeInForce === gtc)) &&
    (timeInForce === gtc || timeInForce === ioc || timeInForce === fok)
  if (extras === null) return isPlain || (rules > 1 && orderType === stopLimit && isKnownTime(timeInForce))
  return rules > 1 && typeof extras === 'object' && areSound(extras) && fits(order, extras)
}

function isKnownTime(timeInForce: TimeInForce): boolean {
  return timeInForce === gtc || timeInForce === ioc || timeInForce === fok
}

function areSound(extras: OrderExtras): boolean {
  const { isPostOnly, isReduceOnly, selfTrade, trigger, trailingUnit } = extras
  return (
    typeof isPostOnly === 'boolean' &&
    typeof isReduceOnly === 'boolean' &&
    isOneOf(SelfTrade, selfTrade) &&
    isOneOf(TriggerPrice, trigger) &&
    isOneOf(TrailingUnit, trailingUnit) &&
    [extras.displayQuantity, extras.expiresAtMs, extras.trailingOffset, extras.quoteQuantity].every(
      (figure) => Number.isSafeInteger(figure) && figure >= 0,
    )
  )
}

/** Whether the extras belong to an order of this type and time in force. */
function fits(order: PlaceOrder, extras: OrderExtras): boolean {
  const { orderType, timeInForce } = order
  const mayRest = timeInForce === gtc || timeInForce === gtd
  const isLimit = orderType === limit || orderType === stopLimit
  const isKnown = isLimit || orderType === market || orderType === stop || orderType === trailingStop
  if (!isKnown || !(isKnownTime(timeInForce) || timeInForce === gtd)) return false
  if ((orderType === stop || orderType === trailingStop) && !mayRest) return false
  if (orderType === market && timeInForce === gtd) return false
  if ((timeInForce === gtd) !== extras.expiresAtMs > 0) return false
  if ((orderType === trailingStop) !== extras.trailingOffset > 0) return false
  if ((extras.isPostOnly || extras.displayQuantity > 0) && !(isLimit && mayRest)) return false
  return extras.quoteQuantity === 0 || (orderType === market && timeInForce !== fok && order.quantity === 0)
}

function isOneOf(known: Readonly<Record<string, number>>, value: number): boolean {
  return Object.values(known).includes(value)
}
