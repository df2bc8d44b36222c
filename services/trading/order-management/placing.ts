import { CommandKind, OrderType, Side, TimeInForce, type BodyOf, type FillData, type OrderData } from '@maru/contracts'
import type { tradingEndpoints } from '@maru/contracts/http/trading'
import { EventKind, refusals, type Exchange } from '@maru/domain/exchange'
import { Problem } from '@maru/service-host'
import type { Unstamped } from '../intake/intake.ts'
import { parsePrice, parseQuantity } from '../wire/parse.ts'
import { formatId } from '../wire/order-id.ts'
import { amountText, orderData, priceText, quantityText, time } from '../wire/wire.ts'

export type PlaceOrderBody = BodyOf<typeof tradingEndpoints.placeOrder>

const orderTypes = { MARKET: OrderType.market, LIMIT: OrderType.limit, STOP: OrderType.stop } as const
const timesInForce = { GTC: TimeInForce.gtc, IOC: TimeInForce.ioc, FOK: TimeInForce.fok } as const

/** The command a request asks for. Throws Problem where fields do not fit the order type, the market or its steps. */
export function placeOrderCommand(exchange: Exchange, account: number, body: PlaceOrderBody): Unstamped {
  const type = body.order_type
  requireField(body, 'price', type === 'LIMIT')
  requireField(body, 'stop_price', type === 'STOP')
  if (type === 'STOP' && body.time_in_force !== undefined && body.time_in_force !== 'GTC')
    throw badField('time_in_force', 'a STOP order is GTC')
  const symbol = exchange.symbolOf(body.symbol)
  const market = exchange.markets[symbol]
  if (!market) throw new Problem('symbol_not_found', `There is no market ${body.symbol}.`)
  return {
    kind: CommandKind.placeOrder,
    account,
    symbol,
    side: body.side === 'BUY' ? Side.buy : Side.sell,
    orderType: orderTypes[type],
    timeInForce: timesInForce[body.time_in_force ?? (type === 'MARKET' ? 'IOC' : 'GTC')],
    quantity: parseQuantity(market, body.quantity, 'quantity'),
    price: body.price === undefined ? 0 : parsePrice(market, body.price, 'price'),
    stopPrice: body.stop_price === undefined ? 0 : parsePrice(market, body.stop_price, 'stop_price'),
    clientOrderId: body.client_order_id ?? '',
    extras: null,
  }
}

function requireField(body: PlaceOrderBody, field: 'price' | 'stop_price', isRequired: boolean): void {
  if (isRequired && body[field] === undefined) throw badField(field, `is required for a ${body.order_type} order`)
  if (!isRequired && body[field] !== undefined) throw badField(field, `does not belong to a ${body.order_type} order`)
}

function badField(path: string, message: string): Problem {
  return new Problem('invalid_request', `${path}: ${message}`, { errors: [{ path, message }] })
}

export type PlacementOutcome =
  | { kind: 'placed'; order: OrderData & { fills: FillData[] } }
  | { kind: 'rejected'; code: number; order: OrderData | undefined }
  /** The client order id was used before: by order `order`, refused with `code` unless 0; `conflict` if its terms were others. */
  | { kind: 'duplicate'; order: number; code: number; conflict: boolean }

/** What became of the placement just applied. */
export function placementOutcome(exchange: Exchange): PlacementOutcome {
  const { data, length } = exchange.outcome
  let accepted = 0
  const fills: FillData[] = []
  for (let at = 0; at < length; at += data[at + 1]!) {
    switch (data[at]) {
      case EventKind.orderDuplicate:
        return { kind: 'duplicate', order: data[at + 3]!, code: data[at + 4]!, conflict: data[at + 5] === 1 }
      case EventKind.commandRefused:
        return { kind: 'rejected', code: data[at + 2]!, order: undefined }
      case EventKind.orderRejected: {
        const view = exchange.order(data[at + 4]!)
        return { kind: 'rejected', code: data[at + 5]!, order: view && orderData(exchange, view) }
      }
      case EventKind.orderAccepted:
        accepted ||= data[at + 4]!
        break
      case EventKind.trade:
        if (data[at + 8] === accepted) fills.push(takerFill(exchange, at + 2))
        break
      default:
        break
    }
  }
  const view = exchange.order(accepted)
  if (!view) throw new Error(`command ${exchange.commandCount} placed no order that can be read`)
  return { kind: 'placed', order: { ...orderData(exchange, view), fills } }
}

function takerFill(exchange: Exchange, at: number): FillData {
  const { data } = exchange.outcome
  const market = exchange.markets[data[at + 1]!]!
  const quote = exchange.assets[market.quote]!
  return {
    trade_id: formatId(data[at]!),
    price: priceText(market, data[at + 2]!),
    quantity: quantityText(market, data[at + 3]!),
    fee: amountText(quote, data[at + 9]!),
    fee_asset: quote.name,
    liquidity: 'TAKER',
    timestamp: time(exchange.timeMs),
  }
}

/** The refusal numbered `code` as the problem the client sees. */
export function refusalProblem(code: number, order?: OrderData): Problem {
  return new Problem(
    refusals[code]!,
    undefined,
    order ? { extensions: { order_id: order.id, client_order_id: order.client_order_id } } : {},
  )
}
