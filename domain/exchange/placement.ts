import { OrderType, Side, TimeInForce, type PlaceOrder } from '@maru/contracts/commands'
import type { Core } from './core.ts'
import { execute } from './execution.ts'
import { rest } from './open-orders.ts'
import { orderRefusal } from './order-checks.ts'
import { EventKind, OrderStatus } from './outcome.ts'
import { Refusal } from './refusals.ts'
import { clientOrderIdTrait, packTraits } from './traits.ts'

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { orderAccepted, orderDuplicate, orderRejected } = EventKind
const { rejected } = OrderStatus
const { limit, market, stop } = OrderType
const { buy, sell } = Side
const { fok, gtc, ioc } = TimeInForce

const clientOrderIdMax = 64

/** Takes an order: a repeat of a known client order id changes nothing; else it is recorded, as accepted or as rejected. */
export function placeOrder(core: Core, order: PlaceOrder): void {
  if (!isWellFormed(order)) {
    core.emitRefused(Refusal.invalid_request)
    return
  }
  if (order.clientOrderId !== '' && repeats(core, order)) return
  if (!core.accounts.has(order.account)) {
    core.emitRefused(Refusal.account_not_found)
    return
  }
  const market = core.market(order.symbol)
  if (!market) {
    core.emitRefused(Refusal.symbol_not_found)
    return
  }
  const position = core.positionOf(order.account, market)
  const refusal = orderRefusal(core, market, position, order)
  const slot = record(core, position, order, refusal)
  if (order.clientOrderId !== '') remember(core, order, refusal)
  if (refusal !== 0) {
    core.orders.close(slot, rejected, refusal)
    core.emitOrder(orderRejected, order.account, core.lastOrder, refusal)
    return
  }
  core.emitOrder(orderAccepted, order.account, core.lastOrder, market.symbol)
  if (order.orderType === stop) rest(core, market, slot)
  else execute(core, market, slot)
}

/** What intake checks too; an order that fails here was not made by our intake. */
function isWellFormed(order: PlaceOrder): boolean {
  const { side, orderType, timeInForce, clientOrderId } = order
  return (
    (side === buy || side === sell) &&
    (orderType === limit || orderType === market || (orderType === stop && timeInForce === gtc)) &&
    (timeInForce === gtc || timeInForce === ioc || timeInForce === fok) &&
    typeof clientOrderId === 'string' &&
    clientOrderId.length <= clientOrderIdMax
  )
}

function repeats(core: Core, order: PlaceOrder): boolean {
  const { clientOrders } = core
  const known = clientOrders.find(order.account, order.clientOrderId)
  if (known < 0) return false
  const isSame = clientOrders.hasTerms(known, kindOf(order), order.quantity, order.price, order.stopPrice)
  const at = core.outcome.begin(orderDuplicate, 4)
  const { data } = core.outcome
  data[at] = order.account
  data[at + 1] = clientOrders.figure(known, 0)
  data[at + 2] = clientOrders.figure(known, 1)
  data[at + 3] = isSame ? 0 : 1
  return true
}

function remember(core: Core, order: PlaceOrder, refusal: number): void {
  core.clientOrders.addMissing(
    order.account,
    order.clientOrderId,
    core.lastOrder,
    refusal,
    kindOf(order),
    order.quantity,
    order.price,
    order.stopPrice,
  )
}

/** Market and kind of an order as one number. */
function kindOf(order: PlaceOrder): number {
  return order.symbol * 64 + packTraits(order.side, order.orderType, order.timeInForce, false)
}

function record(core: Core, position: number, order: PlaceOrder, refusal: number): number {
  const { orders } = core
  const { orderType, clientOrderId } = order
  core.lastOrder += 1
  const traits = packTraits(order.side, orderType, order.timeInForce, false) | (clientOrderId === '' ? 0 : clientOrderIdTrait)
  const price = orderType === limit ? order.price : orderType === stop ? order.stopPrice : 0
  const slot =
    refusal === 0
      ? orders.create(core.lastOrder, position, traits, order.quantity, price, core.timeMs)
      : orders.create(core.lastOrder, position, traits, kept(order.quantity), kept(price), core.timeMs)
  if (clientOrderId !== '') orders.setClientOrderId(slot, clientOrderId)
  return slot
}

/** A figure fit to be kept: what is no whole number of at least 0 (only rejected orders have it) is kept as 0. */
function kept(figure: number): number {
  return Number.isSafeInteger(figure) && figure > 0 ? figure : 0
}
