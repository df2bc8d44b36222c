import { refusals, type Exchange, type MarketView, type OrderView } from '@maru/domain/exchange'
import { averagePriceText, averageUnits, orderData, orderStatuses, orderTypes, timesInForce, type OrderProgress } from '../wire/wire.ts'
import { sortedOrder } from './event-data.ts'
import { piece, type JsonBytes } from './json-bytes.ts'

/**
 * Orders and fills, of which nearly all events are, as canonical JSON: what `orderData`, `balanceData` and `positionData` give, with sorted keys, but
 * without the objects and their texts.
 */

const nothing = piece('null')
const zero = piece('"0"')
const quote = piece('"')
const closing = piece('"}')
const sides = [piece('","side":"BUY"'), piece('","side":"SELL"')]

const order = {
  averagePrice: piece('{"average_price":'),
  clientOrderId: piece(',"client_order_id":'),
  createdAt: piece(',"created_at":"'),
  fee: piece('","fee":"'),
  filledQuantity: piece('","filled_quantity":"'),
  id: piece('","id":"'),
  types: orderTypes.map((name) => piece(`","order_type":"${name}","price":`)),
  quantity: piece(',"quantity":"'),
  rejectCode: piece('","reject_code":'),
  sides: (['BUY', 'SELL'] as const).map((name) => piece(`,"side":"${name}"`)),
  statuses: orderStatuses.map((name) => piece(`,"status":"${name}","stop_price":`)),
  symbol: piece(',"symbol":'),
  timesInForce: timesInForce.map((name) => piece(`,"time_in_force":"${name}","updated_at":"`)),
  userId: piece('","user_id":'),
  end: piece('}'),
}

/** An order with the figures of its moment. */
export function writeOrder(text: JsonBytes, exchange: Exchange, view: OrderView, progress: OrderProgress, userId: string): void {
  if (view.details) {
    text.raw(JSON.stringify(sortedOrder(orderData(exchange, view, progress))))
    return
  }
  const market = exchange.markets[view.symbol]!
  text.put(order.averagePrice)
  if (progress.filled === 0) text.put(nothing)
  else writeAverage(text, exchange, market, progress.filledNotional, progress.filled)
  text.put(order.clientOrderId)
  writeClientOrderId(text, view)
  text.put(order.createdAt)
  text.time(view.createdAtMs)
  text.put(order.fee)
  text.units(progress.fee, exchange.assets[market.quote]!.scale)
  text.put(order.filledQuantity)
  text.units(progress.filled * market.lotUnits, market.quantityScale)
  text.put(order.id)
  text.id(view.order)
  text.put(order.types[view.orderType]!)
  writePrice(text, market, view.price)
  text.put(order.quantity)
  text.units(view.quantity * market.lotUnits, market.quantityScale)
  text.put(order.rejectCode)
  if (progress.refusal === 0) text.put(nothing)
  else text.string(refusals[progress.refusal]!)
  text.put(order.sides[view.side]!)
  text.put(order.statuses[progress.status]!)
  writePrice(text, market, view.stopPrice)
  text.put(order.symbol)
  text.string(market.name)
  text.put(order.timesInForce[view.timeInForce]!)
  text.time(view.updatedAtMs)
  text.put(order.userId)
  text.string(userId)
  text.put(order.end)
}

export interface Trade {
  trade: number
  symbol: number
  /** Ticks and lots. */
  price: number
  quantity: number
  /** Quote minor units. */
  notional: number
}

/** One account's side of a trade. */
export interface TradeSide {
  side: number
  order: number
  account: number
  fee: number
  realized: number
  isTaker: boolean
}

const fill = {
  balances: piece('{"balances":['),
  comma: piece(','),
  clientOrderId: piece('],"client_order_id":'),
  fee: piece(',"fee":"'),
  feeAsset: piece('","fee_asset":'),
  liquidity: [piece(',"liquidity":"MAKER","notional":"'), piece(',"liquidity":"TAKER","notional":"')],
  orderId: piece('","order_id":"'),
  position: piece('","position":'),
  price: piece(',"price":"'),
  quantity: piece('","quantity":"'),
  realized: piece('","realized_pnl":"'),
  symbol: piece(',"symbol":'),
  tradeId: piece(',"trade_id":"'),
}

/** A fill, with the balances and the position of its account after the whole command. */
export function writeFill(text: JsonBytes, exchange: Exchange, { trade, symbol, price, quantity, notional }: Trade, own: TradeSide): void {
  const market = exchange.markets[symbol]!
  const money = exchange.assets[market.quote]!
  const view = exchange.order(own.order)
  text.put(fill.balances)
  writeBalance(text, exchange, own.account, market.base)
  text.put(fill.comma)
  writeBalance(text, exchange, own.account, market.quote)
  text.put(fill.clientOrderId)
  if (view) writeClientOrderId(text, view)
  else writeId(text, own.order)
  text.put(fill.fee)
  text.units(own.fee, money.scale)
  text.put(fill.feeAsset)
  text.string(money.name)
  text.put(fill.liquidity[own.isTaker ? 1 : 0]!)
  text.units(notional, money.scale)
  text.put(fill.orderId)
  text.id(own.order)
  text.put(fill.position)
  writePosition(text, exchange, own.account, symbol, market)
  text.put(fill.price)
  text.units(price * market.tickUnits, market.priceScale)
  text.put(fill.quantity)
  text.units(quantity * market.lotUnits, market.quantityScale)
  text.put(fill.realized)
  text.units(own.realized, money.scale)
  text.put(sides[own.side]!)
  text.put(fill.symbol)
  text.string(market.name)
  text.put(fill.tradeId)
  text.id(trade)
  text.put(closing)
}

const balance = {
  asset: piece('{"asset":'),
  available: piece(',"available":"'),
  held: piece('","held":"'),
  total: piece('","total":"'),
}

function writeBalance(text: JsonBytes, exchange: Exchange, account: number, asset: number): void {
  const view = exchange.assets[asset]!
  const { total, held } = exchange.balance(account, asset)
  text.put(balance.asset)
  text.string(view.name)
  text.put(balance.available)
  text.units(total - held, view.scale)
  text.put(balance.held)
  text.units(held, view.scale)
  text.put(balance.total)
  text.units(total, view.scale)
  text.put(closing)
}

const position = {
  averagePrice: piece('{"average_price":'),
  fees: piece(',"fees":"'),
  quantity: piece('","quantity":"'),
  realized: piece('","realized_pnl":"'),
  symbol: piece('","symbol":'),
  end: piece('}'),
}

function writePosition(text: JsonBytes, exchange: Exchange, account: number, symbol: number, market: MarketView): void {
  const view = exchange.position(account, symbol)
  const { scale } = exchange.assets[market.quote]!
  text.put(position.averagePrice)
  if (!view || view.quantity === 0 || view.entryQuantity === 0) text.put(zero)
  else writeAverage(text, exchange, market, view.entryCost, view.entryQuantity)
  text.put(position.fees)
  text.units(view ? view.fees : 0, scale)
  text.put(position.quantity)
  text.units(view ? view.quantity * market.lotUnits : 0, market.quantityScale)
  text.put(position.realized)
  text.units(view ? view.realized - view.fees : 0, scale)
  text.put(position.symbol)
  text.string(market.name)
  text.put(position.end)
}

function writeClientOrderId(text: JsonBytes, { clientOrderId, order: id }: OrderView): void {
  if (clientOrderId === '') writeId(text, id)
  else text.string(clientOrderId)
}

function writeId(text: JsonBytes, id: number): void {
  text.put(quote)
  text.id(id)
  text.put(quote)
}

function writePrice(text: JsonBytes, market: MarketView, ticks: number): void {
  if (ticks === 0) {
    text.put(nothing)
    return
  }
  text.put(quote)
  text.units(ticks * market.tickUnits, market.priceScale)
  text.put(quote)
}

function writeAverage(text: JsonBytes, exchange: Exchange, market: MarketView, cost: number, lots: number): void {
  text.put(quote)
  const units = averageUnits(exchange, market, cost, lots)
  if (units < 0) text.ascii(averagePriceText(exchange, market, cost, lots))
  else text.units(units, exchange.assets[market.quote]!.scale - market.quantityScale)
  text.put(quote)
}
