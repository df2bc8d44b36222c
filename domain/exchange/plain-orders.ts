import { MarketStatus, OrderType, Side, type CancelOrder, type PlaceOrder } from '@maru/contracts/commands'
import { modeFlag, restrictedFlag } from './account-controls.ts'
import * as bookSide from './book-side.ts'
import type { Core } from './core.ts'
import * as fees from './fees.ts'
import * as matching from './matching.ts'
import type { Market } from './markets.ts'
import { none as noSlot } from './no-slot.ts'
import { EventKind, OrderStatus } from './outcome.ts'
import * as restrictions from './restrictions.ts'
import * as risk from './risk.ts'
import * as orderTraits from './traits.ts'

/**
 * The two commands that most commands are, written out: a plain limit order that comes to rest, and the cancel of one. Both do what the general way
 * does where nothing stands against it, with each figure read once; where anything does, or is out of the ordinary, they change nothing and
 * leave the command to the general way, which knows every refusal. So what they check need not be exact, only never too little.
 */

/** Constants of this module are folded into the machine code; imported ones are looked up at each use. */
const { leaveQueue } = bookSide
const { holdFor, notionalMax: notionalLimit } = fees
const { leastKey, oppositeOf } = matching
const { openOrdersMax: openOrdersDefault } = restrictions
const { dailyLossMaxOf, leverageMaxOf, positionNotionalMaxOf } = risk
const { clientOrderIdTrait: idTrait, detailedTrait: detailed, isQuote, packTraits, pendingTrait, sideOf, waitingTrait } = orderTraits
const { open } = MarketStatus
const { limit } = OrderType
const { orderAccepted, orderUpdated } = EventKind
const { cancelled, partiallyFilled } = OrderStatus
const { buy } = Side
const none: number = noSlot
const notionalMax: number = notionalLimit
const openOrdersMax: number = openOrdersDefault
const clientOrderIdTrait: number = idTrait
/** Margin accounts, and those whose orders are not simply taken. */
const outOfTheOrdinary: number = modeFlag | restrictedFlag
const moreThanPlain: number = detailed | pendingTrait | waitingTrait
const noBorrowing = 100

/**
 * Rests a limit order without extras, good till cancelled, that is well-formed and new. Its client order id is the caller's to remember.
 *
 * @returns whether it was taken; else nothing has changed
 */
export function restPlain(core: Core, order: PlaceOrder): boolean {
  const { account, symbol, side, quantity, price } = order
  const { accounts, positions, balances } = core
  if (!accounts.has(account) || (accounts.flags(account) & outOfTheOrdinary) !== 0) return false
  const market = core.market(symbol)
  if (!market || !takesPlainly(market, side, quantity, price)) return false
  const position = positions.find(account, symbol)
  if (position === none || positions.openCount(position) >= openOrdersMax) return false
  const balance = positions.heldBalance(position, side)
  const hold = holdFor(market, side, price, quantity)
  if (hold > balances.available(balance)) return false
  const held = positions.quantity(position)
  const added = positions.open(position, side) + quantity
  const worst = side === buy ? held + added : held - added
  const reference = market.referencePrice
  const counted = price > reference ? price : reference
  if (Math.abs(worst) * counted * market.notionalFactor > positionNotionalMaxOf(core, market, position)) return false
  // A cash account that can pay is never beyond 1 ×.
  if (leverageMaxOf(core, account) < noBorrowing || -accounts.dayRealized(account, core.day) >= dailyLossMaxOf(core, account)) return false

  const id = (core.lastOrder += 1)
  const hasId = order.clientOrderId !== ''
  const traits = packTraits(side, limit, order.timeInForce, false) | (hasId ? clientOrderIdTrait : 0)
  const slot = core.orders.create(id, position, traits, quantity, price, core.timeMs)
  if (hasId) core.orders.setClientOrderId(slot, order.clientOrderId)
  const at = core.outcome.begin(orderAccepted, 4)
  const { data } = core.outcome
  data[at] = account
  data[at + 1] = accounts.nextSequence(account)
  data[at + 2] = id
  data[at + 3] = symbol
  balances.addHeld(balance, hold)
  positions.addOpen(position, side, quantity)
  ;(side === buy ? market.bids : market.asks).append(slot, price, quantity)
  positions.countOpen(position, 1, false)
  core.orders.setCell(slot, core.accountOrders.add(account, slot))
  return true
}

/** Whether the market takes such an order as it stands, and it trades with nothing. */
function takesPlainly(market: Market, side: Side, quantity: number, price: number): boolean {
  if (market.status !== open || market.isStopped || market.rules.limitBandPpm !== 0) return false
  if (!Number.isSafeInteger(quantity) || quantity <= 0 || !Number.isSafeInteger(price) || price <= 0) return false
  const { quantityMinLots, quantityMaxLots, notionalMin } = market.terms
  const notional = price * quantity * market.notionalFactor
  if (quantity < quantityMinLots || quantity > quantityMaxLots || price > market.priceMax) return false
  if (notional > notionalMax || notional < notionalMin) return false
  return !(oppositeOf(market, side).bestKey >= leastKey(side, price))
}

/**
 * Cancels a plain order that rests in a book.
 *
 * @returns whether it was cancelled; else nothing has changed
 */
export function cancelPlain(core: Core, cancel: CancelOrder): boolean {
  const { orders, positions, balances, accounts } = core
  const slot = orders.find(cancel.order)
  if (slot === none) return false
  const traits = orders.traits(slot)
  if ((traits & moreThanPlain) !== 0 || isQuote(traits) || orders.status(slot) > partiallyFilled) return false
  const position = orders.position(slot)
  const account = positions.account(position)
  if (account !== cancel.account) return false
  const market = core.markets[positions.symbol(position)]!
  const side = sideOf(traits)
  const lots = orders.remaining(slot)
  leaveQueue(orders, core.levels, side === buy ? market.bids : market.asks, slot, lots)
  positions.addOpen(position, side, -lots)
  balances.addHeld(positions.heldBalance(position, side), -holdFor(market, side, orders.price(slot), lots))
  core.accountOrders.remove(account, orders.cell(slot))
  positions.countOpen(position, -1, false)
  orders.close(slot, cancelled, 0)
  const filled = orders.filled(slot)
  const at = core.outcome.begin(orderUpdated, 8)
  const { data } = core.outcome
  data[at] = account
  data[at + 1] = accounts.nextSequence(account)
  data[at + 2] = orders.id(slot)
  data[at + 3] = cancelled
  data[at + 4] = filled
  // Without a fill both are zero, and the second line of the record need not be read.
  data[at + 5] = filled === 0 ? 0 : orders.filledNotional(slot)
  data[at + 6] = filled === 0 ? 0 : orders.fee(slot)
  data[at + 7] = 0
  return true
}
