import { errorCatalogue, type ErrorCode, type FillData, type OrderData } from '@maru/contracts'
import { EventKind, refusals, type Exchange } from '@maru/domain/exchange'
import { Problem } from '@maru/service-host'
import { formatId } from '../wire/order-id.ts'
import { amountText, orderData, priceText, quantityText, time } from '../wire/wire.ts'

export type PlacementOutcome =
  | { kind: 'placed'; order: OrderData & { fills: FillData[] } }
  | { kind: 'rejected'; code: number; order: OrderData | undefined }
  /** The client order id was used before: by order `order`, refused with `code` unless 0; `conflict` if its terms were others. */
  | { kind: 'duplicate'; order: number; code: number; conflict: boolean }

export type ListOutcome =
  | { kind: 'placed'; list: number; orders: OrderData[] }
  | { kind: 'refused'; code: number }
  | { kind: 'duplicate'; list: number; listKind: number; firstOrder: number; conflict: boolean }

/** What became of the list just applied. */
export function listOutcome(exchange: Exchange): ListOutcome {
  const { data, length } = exchange.outcome
  for (let at = 0; at < length; at += data[at + 1]!) {
    switch (data[at]) {
      case EventKind.commandRefused:
        return { kind: 'refused', code: data[at + 2]! }
      case EventKind.listDuplicate:
        return { kind: 'duplicate', list: data[at + 3]!, conflict: data[at + 4] === 1, listKind: data[at + 5]!, firstOrder: data[at + 6]! }
      case EventKind.listAccepted: {
        // Counted from the end: before rules 3 it has no number in the stream.
        const end = at + data[at + 1]!
        const numbers = [data[end - 3]!, data[end - 2]!, data[end - 1]!].filter((order) => order !== 0)
        return { kind: 'placed', list: data[end - 5]!, orders: numbers.map((order) => orderData(exchange, exchange.order(order)!)) }
      }
      default:
        break
    }
  }
  throw new Error(`command ${exchange.commandCount} placed no list`)
}

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

/** Refusals that speak of one field of an order. */
const fieldOf: Partial<Record<ErrorCode, string>> = {
  invalid_quantity: 'quantity',
  quantity_too_small: 'quantity',
  quantity_too_large: 'quantity',
  invalid_expiry: 'expires_at',
  invalid_display_quantity: 'display_quantity',
  invalid_trailing_delta: 'trailing_delta',
}

/** The refusal numbered `refusal` of one order, as the problem the client sees. */
export function refusalProblem(refusal: number, order?: OrderData): Problem {
  const code = refusals[refusal]!
  const path = fieldOf[code]
  return new Problem(code, undefined, {
    ...(path === undefined ? {} : { errors: [{ path, message: errorCatalogue[code].meaning }] }),
    ...(order ? { extensions: { order_id: order.id, client_order_id: order.client_order_id } } : {}),
  })
}
