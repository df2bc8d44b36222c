import type { Command, TradingEvent } from '@maru/contracts'
import { EventKind, OrderStatus, type Exchange } from '@maru/domain/exchange'
import { decodeJsonRecord } from '@maru/event-log'
import { EventTexts } from '../publisher/event-texts.ts'
import { translate } from '../publisher/translate.ts'
import { formatId } from '../wire/order-id.ts'
import { amountText, balanceData, orderData, positionData, priceText, quantityText, sideName } from '../wire/wire.ts'

export interface Translated {
  event: TradingEvent
  /** Its data as it was written. */
  data: string
}

/** The events of the command just applied. */
export function translated(exchange: Exchange, command: Command): Translated[] {
  const texts = new EventTexts()
  translate(exchange, command, texts)
  const spans = texts.events.map(({ dataStart, dataEnd }) => [dataStart, dataEnd] as const)
  const [text] = texts.events
  const events = decodeJsonRecord(texts.encode()) as TradingEvent[]
  return events.map((event, index) => ({ event, data: text!.text.bytes.toString('utf8', ...spans[index]!) }))
}

/**
 * What the data of events about orders and fills must be, in the order of the events: put together from the objects that requests are answered with. They are
 * written by other code, which this is to hold against.
 */
export function orderDataOf(exchange: Exchange): unknown[] {
  const { data, length } = exchange.outcome
  const expected: unknown[] = []
  const order = (number: number, progress = {}): void => {
    const view = exchange.order(number)!
    expected.push(orderData(exchange, view, { ...view, ...progress }))
  }
  const fresh = { status: OrderStatus.pending, filled: 0, filledNotional: 0, fee: 0, refusal: 0 }
  for (let at = 0; at < length; at += data[at + 1]!) {
    const field = (index: number): number => data[at + 2 + index]!
    switch (data[at]) {
      case EventKind.orderAccepted:
      case EventKind.orderTriggered:
        order(field(2), fresh)
        break
      case EventKind.orderRejected:
        order(field(2), { ...fresh, status: OrderStatus.rejected, refusal: field(3) })
        break
      case EventKind.orderAmended:
        order(field(2))
        break
      case EventKind.orderUpdated:
        order(field(2), { status: field(3), filled: field(4), filledNotional: field(5), fee: field(6), refusal: field(7) })
        break
      case EventKind.trade:
      case EventKind.auctionTrade:
        expected.push(fill(exchange, field, 6, field(5), data[at] === EventKind.trade ? 'TAKER' : 'MAKER'))
        expected.push(fill(exchange, field, 11, 1 - field(5), 'MAKER'))
        break
      default:
    }
  }
  return expected
}

/** The side of a trade whose fields (order, account, sequence, fee, realized) begin with field `from`. */
function fill(exchange: Exchange, field: (index: number) => number, from: number, side: number, liquidity: string): unknown {
  const [trade, symbol, price, quantity, notional] = [field(0), field(1), field(2), field(3), field(4)]
  const [number, account, , fee, realized] = [field(from), field(from + 1), field(from + 2), field(from + 3), field(from + 4)]
  const market = exchange.markets[symbol]!
  const quote = exchange.assets[market.quote]!
  const position = exchange.position(account, symbol)
  return {
    balances: [market.base, market.quote].map((asset) => balanceData(exchange, account, asset)),
    client_order_id: exchange.order(number)?.clientOrderId || formatId(number),
    fee: amountText(quote, fee),
    fee_asset: quote.name,
    liquidity,
    notional: amountText(quote, notional),
    order_id: formatId(number),
    position: position
      ? positionData(exchange, position)
      : { average_price: '0', fees: '0', quantity: '0', realized_pnl: '0', symbol: market.name },
    price: priceText(market, price),
    quantity: quantityText(market, quantity),
    realized_pnl: amountText(quote, realized),
    side: sideName(side),
    symbol: market.name,
    trade_id: formatId(trade),
  }
}
