import {
  CommandKind,
  OrderType,
  SelfTrade,
  Side,
  TimeInForce,
  TrailingUnit,
  TriggerPrice,
  type BodyOf,
  type OrderExtras,
  type PlaceOrder,
} from '@maru/contracts'
import type { tradingEndpoints } from '@maru/contracts/http/trading'
import type { Exchange, MarketView } from '@maru/domain/exchange'
import { parseDecimal } from '@maru/domain/money'
import { Problem } from '@maru/service-host'
import { parseAmount, parsePrice, parseQuantity } from '../wire/parse.ts'

/** What is asked of an order, its market left out. */
export type OrderRequest = BodyOf<typeof tradingEndpoints.replaceOrder>
/** An order as the state machine takes it, without its time. */
export type Placement = Omit<PlaceOrder, 'time'>

const orderTypes = {
  MARKET: OrderType.market,
  LIMIT: OrderType.limit,
  STOP: OrderType.stop,
  STOP_LIMIT: OrderType.stopLimit,
  TRAILING_STOP: OrderType.trailingStop,
} as const
const timesInForce = { GTC: TimeInForce.gtc, IOC: TimeInForce.ioc, FOK: TimeInForce.fok, GTD: TimeInForce.gtd } as const
const selfTrades = {
  EXPIRE_TAKER: SelfTrade.expireTaker,
  EXPIRE_MAKER: SelfTrade.expireMaker,
  EXPIRE_BOTH: SelfTrade.expireBoth,
  DECREMENT: SelfTrade.decrement,
} as const
const triggers = { LAST_OR_MARK: TriggerPrice.lastOrMark, LAST: TriggerPrice.last, MARK: TriggerPrice.mark } as const

/** Which fields an order of each type must have, and which it may have; no other type may have them. */
const fieldsOf: Record<OrderRequest['order_type'], { required: readonly Field[]; allowed: readonly Field[] }> = {
  MARKET: { required: [], allowed: ['quote_quantity'] },
  LIMIT: { required: ['price'], allowed: ['post_only', 'display_quantity', 'expires_at'] },
  STOP: { required: ['stop_price'], allowed: ['trigger_by', 'expires_at'] },
  STOP_LIMIT: { required: ['price', 'stop_price'], allowed: ['trigger_by', 'post_only', 'display_quantity', 'expires_at'] },
  TRAILING_STOP: { required: ['trailing_delta'], allowed: ['trigger_by', 'expires_at'] },
}
const limitedFields = [
  'price',
  'stop_price',
  'trailing_delta',
  'trigger_by',
  'post_only',
  'display_quantity',
  'quote_quantity',
  'expires_at',
] as const
type Field = (typeof limitedFields)[number]

/** The market of a symbol; Problem `symbol_not_found` where there is none. */
export function marketOf(exchange: Exchange, name: string): MarketView {
  const market = exchange.markets[exchange.symbolOf(name)]
  if (!market) throw new Problem('symbol_not_found', `There is no market ${name}.`)
  return market
}

/**
 * The order a request asks for. Throws Problem where fields do not fit its type, the market or its steps.
 *
 * @param path what to put before the names of fields in problems, such as `orders.1.`
 */
export function placementOf(exchange: Exchange, account: number, market: MarketView, request: OrderRequest, path = ''): Placement {
  const type = request.order_type
  checkFields(request, path)
  const timeInForce = request.time_in_force ?? (type === 'MARKET' ? 'IOC' : 'GTC')
  checkTime(request, timeInForce, path)
  const { quantity, price, stop_price: stopPrice } = request
  return {
    kind: CommandKind.placeOrder,
    account,
    symbol: market.symbol,
    side: request.side === 'BUY' ? Side.buy : Side.sell,
    orderType: orderTypes[type],
    timeInForce: timesInForce[timeInForce],
    quantity: quantity === undefined ? 0 : parseQuantity(market, quantity, `${path}quantity`),
    price: price === undefined ? 0 : parsePrice(market, price, `${path}price`),
    stopPrice: stopPrice === undefined ? 0 : parsePrice(market, stopPrice, `${path}stop_price`),
    clientOrderId: request.client_order_id ?? '',
    extras: extrasOf(exchange, market, request, path),
  }
}

function checkFields(request: OrderRequest, path: string): void {
  const { required, allowed } = fieldsOf[request.order_type]
  const type = `${request.order_type} order`
  for (const field of limitedFields) {
    if (request[field] === undefined) {
      if (required.includes(field)) throw badField(`${path}${field}`, `is required for a ${type}`)
    } else if (!required.includes(field) && !allowed.includes(field)) throw badField(`${path}${field}`, `does not belong to a ${type}`)
  }
  if ((request.quantity === undefined) === (request.quote_quantity === undefined)) {
    const isBoth = request.quantity !== undefined
    throw badField(`${path}${isBoth ? 'quote_quantity' : 'quantity'}`, isBoth ? 'give either quantity or this' : 'is required')
  }
}

function checkTime({ order_type: type, ...request }: OrderRequest, timeInForce: keyof typeof timesInForce, path: string): void {
  const mayRest = timeInForce === 'GTC' || timeInForce === 'GTD'
  if ((type === 'STOP' || type === 'TRAILING_STOP') && !mayRest) throw badField(`${path}time_in_force`, `a ${type} order is GTC or GTD`)
  if (type === 'MARKET' && timeInForce === 'GTD') throw badField(`${path}time_in_force`, 'a MARKET order does not rest')
  if (type === 'MARKET' && timeInForce === 'FOK' && request.quote_quantity !== undefined)
    throw badField(`${path}quote_quantity`, 'an order by value cannot be FOK')
  if (timeInForce === 'GTD' && request.expires_at === undefined) throw badField(`${path}expires_at`, 'is required for a GTD order')
  if (timeInForce !== 'GTD' && request.expires_at !== undefined) throw badField(`${path}expires_at`, 'belongs to a GTD order')
  if (request.post_only === true && !mayRest) throw badField(`${path}post_only`, `a ${timeInForce} order never rests`)
  if (request.display_quantity !== undefined && !mayRest) throw badField(`${path}display_quantity`, `a ${timeInForce} order never rests`)
}

/** Null for what most orders are. */
function extrasOf(exchange: Exchange, market: MarketView, request: OrderRequest, path: string): OrderExtras | null {
  if (isPlain(request)) return null
  const { trigger_by: trigger = 'LAST_OR_MARK', self_trade_prevention: mode = 'EXPIRE_TAKER', display_quantity: shown } = request
  const trailing = trailingOf(market, request.trailing_delta, path)
  const extras: OrderExtras = {
    isPostOnly: request.post_only ?? false,
    isReduceOnly: request.reduce_only ?? false,
    selfTrade: selfTrades[mode],
    trigger: triggers[trigger],
    displayQuantity: shown === undefined ? 0 : parseQuantity(market, shown, `${path}display_quantity`),
    expiresAtMs: request.expires_at === undefined ? 0 : timeOf(request.expires_at, `${path}expires_at`),
    ...trailing,
    quoteQuantity:
      request.quote_quantity === undefined
        ? 0
        : parseAmount(exchange.assets[market.quote]!, request.quote_quantity, `${path}quote_quantity`),
  }
  return Object.values(extras).every((value) => value === 0 || value === false) ? null : extras
}

const extraFields = [
  'post_only',
  'reduce_only',
  'self_trade_prevention',
  'trigger_by',
  'display_quantity',
  'expires_at',
  'trailing_delta',
  'quote_quantity',
] as const satisfies readonly (keyof OrderRequest)[]

/** Whether an order asks for nothing that needs extras: so most need no object for them. */
function isPlain(request: OrderRequest): boolean {
  for (const field of extraFields) if (request[field] !== undefined) return false
  return true
}

/** How far a trailing stop is asked to stay behind. */
export function trailingOf(
  market: MarketView,
  given: string | number | undefined,
  path: string,
): Pick<OrderExtras, 'trailingOffset' | 'trailingUnit'> {
  if (given === undefined) return { trailingOffset: 0, trailingUnit: TrailingUnit.ticks }
  if (typeof given === 'string' && given.endsWith('%')) {
    // A hundredth of a per cent is a basis point.
    const points = parseDecimal(given.slice(0, -1), 2)
    if (typeof points !== 'number' || points <= 0) throw badField(`${path}trailing_delta`, 'must be more than 0% and less than 100%')
    return { trailingOffset: points, trailingUnit: TrailingUnit.basisPoints }
  }
  return { trailingOffset: parsePrice(market, given, `${path}trailing_delta`), trailingUnit: TrailingUnit.ticks }
}

/** Milliseconds since 1970 of a time such as 2027-01-31T12:00:00Z; Problem with its field where it is none. */
export function timeOf(text: string, path: string): number {
  const ms = /(Z|[+-][0-9]{2}:?[0-9]{2})$/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isSafeInteger(ms) || ms <= 0 || !isOnCalendar(text)) throw badField(path, 'must be a time such as 2027-01-31T12:00:00Z')
  return ms
}

/** Whether its day is one of its month: `Date.parse` takes the 31st of February for a day in March. */
function isOnCalendar(text: string): boolean {
  const day = text.slice(0, 10)
  const ms = Date.parse(`${day}T00:00:00Z`)
  return Number.isNaN(ms) || new Date(ms).toISOString().startsWith(day)
}

export function badField(path: string, message: string): Problem {
  return new Problem('invalid_request', `${path}: ${message}`, { errors: [{ path, message }] })
}
