import { CommandKind, OrderType, TimeInForce, unamended, type AmendOrder, type BodyOf } from '@maru/contracts'
import type { tradingEndpoints } from '@maru/contracts/http/trading'
import type { MarketView, OrderView } from '@maru/domain/exchange'
import { Problem } from '@maru/service-host'
import { parsePrice, parseQuantity } from '../wire/parse.ts'
import { orderTypes } from '../wire/wire.ts'
import { timeOf, trailingOf } from './order-request.ts'

/** What of an order is to be another. */
export type Amendment = BodyOf<typeof tradingEndpoints.amendOrder>

/** Whether it changes what releases before rules 3 could not. */
export function amendsMore({ trailing_delta: trailing, expires_at: expiry, display_quantity: shown }: Amendment): boolean {
  return trailing !== undefined || expiry !== undefined || shown !== undefined
}

/** The command of an amendment, without its time. Throws Problem where a figure does not fit the market. */
export function amendmentOf(market: MarketView, order: OrderView, changes: Amendment): Omit<AmendOrder, 'time'> {
  const { quantity, price, stop_price: stopPrice, trailing_delta: trailing, expires_at: expiry, display_quantity: shown } = changes
  return {
    kind: CommandKind.amendOrder,
    account: order.account,
    order: order.order,
    ...unamended,
    ...(quantity === undefined ? {} : { quantity: parseQuantity(market, quantity, 'quantity') }),
    ...(price === undefined ? {} : { price: parsePrice(market, price, 'price') }),
    ...(stopPrice === undefined ? {} : { stopPrice: parsePrice(market, stopPrice, 'stop_price') }),
    ...(trailing === undefined ? {} : trailingOf(market, trailing, '')),
    ...(expiry === undefined ? {} : { expiresAtMs: timeOf(expiry, 'expires_at') }),
    ...(shown === undefined ? {} : { displayQuantity: parseQuantity(market, shown, 'display_quantity') }),
  }
}

/** Says of an order that was refused as `order_not_amendable` what it cannot have. */
export function notAmendable({ orderType, timeInForce, details }: OrderView, changes: Amendment): Problem {
  const name = `a ${orderTypes[orderType]} order`
  const hasLimit = orderType === OrderType.limit || orderType === OrderType.stopLimit
  const mayRest = timeInForce === TimeInForce.gtc || timeInForce === TimeInForce.gtd
  const faults: Record<keyof Amendment, string | undefined> = {
    price: hasLimit ? undefined : `${name} has none`,
    stop_price:
      orderType === OrderType.stop || orderType === OrderType.stopLimit
        ? 'the order was triggered already'
        : orderType === OrderType.trailingStop
          ? `that of ${name} follows the price; change trailing_delta`
          : `${name} has none`,
    trailing_delta: orderType === OrderType.trailingStop ? undefined : `${name} has none`,
    expires_at: timeInForce === TimeInForce.gtd ? undefined : 'only a GTD order has one',
    display_quantity: !hasLimit ? `${name} has none` : mayRest ? undefined : 'the order never rests',
    quantity: details?.isPending ? 'the exits of a bracket are for as much as its entry; change that of the entry' : undefined,
  }
  for (const path of Object.keys(changes) as (keyof Amendment)[]) {
    const message = faults[path]
    if (changes[path] !== undefined && message !== undefined)
      return new Problem('order_not_amendable', `${path}: ${message}`, { errors: [{ path, message }] })
  }
  return new Problem('order_not_amendable')
}
